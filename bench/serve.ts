import { createInterface } from 'node:readline';

export type Precision = 'float32' | 'bfloat16';

/** What a program has to offer once it is set up. */
export interface Job {
  /** Name and version of what is measured, e.g. `pollux 0.1.0, avx512`. */
  readonly title: string;
  /** One step; awaited. Yields the milliseconds it took where it times itself (a start of a process, a delay), else nothing. */
  step(): unknown;
  /** Any figure that shows that the work was done, e.g. the loss. */
  result?(): number;
}

/**
 * A program of the benchmark: a process that stays alive between its turns, so that programs can be run in turn.
 * It is started as `PROGRAM WORKLOAD PRECISION` and speaks in lines of JSON: first `{"title"}`, or `{"unavailable": why}`; then, for
 * each line `N` that it reads, it runs N steps and answers `{"ms": [N numbers], "result"}`. It ends when its input ends.
 */
export async function serve(prepare: (workload: string, precision: Precision) => Promise<Job> | Job): Promise<void> {
  const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
  let job: Job;
  try {
    job = await prepare(process.argv[2]!, process.argv[3] as Precision);
  } catch (error) {
    say({ unavailable: error instanceof Error ? error.message : String(error) });
    return;
  }
  say({ title: job.title });
  for await (const line of createInterface({ input: process.stdin })) {
    const ms: number[] = [];
    for (let i = 0; i < Number(line); i++) {
      const start = performance.now();
      const own = await job.step();
      ms.push(typeof own === 'number' ? own : performance.now() - start);
    }
    say({ ms, result: job.result?.() });
  }
  process.exit(); // a program that works in the background would go on
}
