import type { StepMeasurement } from '../tensor/index.js';

/** The time of one kernel in one module. */
export interface KernelTime {
  readonly kernel: string;
  /** Path of the module, '' outside modules (loss and optimizer). */
  readonly scope: string;
  /** Calls a step. */
  readonly calls: number;
  /** Mean a step. */
  readonly milliseconds: number;
  /** Of the step's time, in [0, 1]. */
  readonly share: number;
  /** Bytes read and written, and floating-point operations, a second. */
  readonly bytesPerSecond: number;
  readonly flopsPerSecond: number;
}

/** Kernels of some steps by time, the slowest first. */
export interface ProfileReport {
  readonly steps: number;
  /** Mean of a step, all kernels together. */
  readonly milliseconds: number;
  readonly kernels: readonly KernelTime[];
  /** As a table. */
  toString(): string;
}

/** Adds up the parts of steps by kernel and module. */
export function profileReport(steps: readonly (readonly StepMeasurement[])[]): ProfileReport {
  const sums = new Map<string, { kernel: string; scope: string; calls: number; nanoseconds: number; bytes: number; flops: number }>();
  for (const { kernel, scope, nanoseconds, bytes, flops } of steps.flat()) {
    const key = `${kernel} ${scope}`;
    let sum = sums.get(key);
    if (!sum) sums.set(key, (sum = { kernel, scope, calls: 0, nanoseconds: 0, bytes: 0, flops: 0 }));
    sum.calls++;
    sum.nanoseconds += nanoseconds;
    sum.bytes += bytes;
    sum.flops += flops;
  }
  const count = Math.max(1, steps.length);
  const total = [...sums.values()].reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
  const kernels = [...sums.values()]
    .sort((a, b) => b.nanoseconds - a.nanoseconds)
    .map(
      ({ kernel, scope, calls, nanoseconds, bytes, flops }): KernelTime => ({
        kernel,
        scope,
        calls: calls / count,
        milliseconds: nanoseconds / 1e6 / count,
        share: total ? nanoseconds / total : 0,
        bytesPerSecond: nanoseconds ? (bytes * 1e9) / nanoseconds : 0,
        flopsPerSecond: nanoseconds ? (flops * 1e9) / nanoseconds : 0,
      }),
    );
  const report = { steps: steps.length, milliseconds: total / 1e6 / count, kernels };
  return { ...report, toString: () => table(report) };
}

function table({ steps, milliseconds, kernels }: Omit<ProfileReport, 'toString'>): string {
  const rows = [
    ['ms', '%', 'calls', 'GB/s', 'GFLOP/s', 'kernel', 'module'],
    ...kernels.map(({ kernel, scope, calls, milliseconds: ms, share, bytesPerSecond, flopsPerSecond }) => [
      ms.toFixed(3),
      (100 * share).toFixed(1),
      String(Number(calls.toFixed(2))),
      (bytesPerSecond / 1e9).toFixed(1),
      (flopsPerSecond / 1e9).toFixed(1),
      kernel,
      scope,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 5 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  return [`${steps} steps, ${milliseconds.toFixed(3)} ms each`, ...lines].join('\n');
}
