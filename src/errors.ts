/** What went wrong, as a stable word that programs can compare. The table in docs/errors.md says what to do about each. */
export type ErrorCode =
  | 'SHAPE_MISMATCH'
  | 'DTYPE_MISMATCH'
  | 'DEVICE_MISMATCH'
  | 'INVALID_ARGUMENT'
  | 'UNKNOWN_OPTION'
  | 'DISPOSED'
  | 'STALE'
  | 'NOT_FINITE'
  | 'LABEL_OUT_OF_RANGE'
  | 'INDEX_OUT_OF_RANGE'
  | 'CAPACITY_EXCEEDED'
  | 'NOT_DIFFERENTIABLE'
  | 'CAPTURED_TENSOR'
  | 'UNREGISTERED_PARAMETER'
  | 'ASYNC_TRACE'
  | 'READ_IN_TRACE'
  | 'BACKEND_UNAVAILABLE'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'ABORTED'
  | 'FILE_CORRUPT'
  | 'CHECKPOINT_CORRUPT'
  | 'IO_FAILED'
  | 'WORKER_FAILED'
  | 'INTERNAL';

/** Every error that Pollux raises on its own account; argument mistakes of the plain kind are TypeError and RangeError. */
export class PolluxError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolluxError';
    this.code = code;
  }
}

/** A tensor, plan or model was used after `dispose()`. */
export class DisposedError extends PolluxError {
  constructor(what: string) {
    super('DISPOSED', `${what} was disposed and holds no data. Keep it alive until its last use, or clone() it first.`);
    this.name = 'DisposedError';
  }
}

/** The caller's AbortSignal fired; `cause` holds its reason. Named as the platform names it. */
export class AbortError extends PolluxError {
  constructor(message: string, reason?: unknown) {
    super('ABORTED', message, { cause: reason });
    this.name = 'AbortError';
  }
}

/** Edit distance, bounded by nothing: option names are short. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(swap, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[b.length]!;
}

/** The known name nearest to what was written, if it is near at all. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((k) => ({ k, d: distance(name.toLowerCase(), k.toLowerCase()) })).sort((a, b) => a.d - b.d);
  return ranked[0] && ranked[0].d <= Math.max(2, name.length / 3) ? ranked[0].k : undefined;
}

/** Throws `UNKNOWN_OPTION` for a key of `options` that is not in `known`, naming the nearest right one. */
export function checkOptions(where: string, options: object | undefined, known: readonly string[]): void {
  for (const key of Object.keys(options ?? {})) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new PolluxError(
      'UNKNOWN_OPTION',
      `${where}: unknown option "${key}"${near ? `; did you mean "${near}"?` : '.'} Known options: ${known.join(', ')}.`,
    );
  }
}
