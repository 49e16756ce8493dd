import { AbortError } from '../errors.js';

/**
 * Waits for what may never come (a callback, the next batch of a stream), but no longer than until the signal fires: then rejects
 * with AbortError and lets the other go on unheard.
 */
export async function abortable<T>(awaited: T | PromiseLike<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (!signal) return awaited;
  const aborted = (): AbortError => new AbortError(`${what} was aborted.`, signal.reason);
  if (signal.aborted) {
    void Promise.resolve(awaited).catch(() => undefined);
    throw aborted();
  }
  let abort!: () => void;
  const fired = new Promise<never>((_, reject) => {
    abort = () => reject(aborted());
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([awaited, fired]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
