import { addon } from './addon.js';

/** Threads that kernels run on, the executor's own included. Default: the CPUs this process may use, or POLLUX_THREADS. */
export function threads(): number {
  return addon().threads();
}

/** Sets the number of threads for the whole process. Results keep their bits: work is cut by shape alone. */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 1024) throw new RangeError(`setThreads: expected 1 to 1024 threads, not ${count}.`);
  addon().setThreads(count);
}
