import { Worker } from 'node:worker_threads';
import { checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { allocateBatch, Dataset, resolveSchema } from './dataset.js';
import type { Batch, GetOptions, Indices, Schema } from './dataset.js';

export interface WorkerOptions {
  /** Threads. Default 2. */
  workers?: number;
  /** Name of the module's function. Default 'default'. */
  export?: string;
}

/** What crosses to a thread, and back. */
interface Job {
  readonly id: number;
  readonly batch: unknown;
  readonly schema: Schema;
  readonly count: number;
  readonly context: { indices: number[]; seed: number; epoch: number };
}
type Answer = { readonly id: number; readonly out: Batch } | { readonly id: number; readonly error: { message: string; stack?: string } };

/**
 * `map` in worker threads: the function `(batch, out, context)` is the export of a module, named by its URL, that every thread
 * imports once. `new URL('./decode.js', import.meta.url)` is the usual way to name one beside the caller.
 *
 * A function that throws rejects that read with its message; a thread that dies (out of memory, process.exit) rejects what it
 * worked at and is replaced. Threads do not keep the process alive; `dispose()` ends them.
 */
export function mapInWorkers<S extends Schema, R extends Schema>(
  dataset: Dataset<S>,
  schema: R,
  module: URL | string,
  options: WorkerOptions = {},
): MappedInWorkers<S, R> {
  checkOptions('mapInWorkers', options, ['workers', 'export']);
  const url = module instanceof URL ? module.href : String(module);
  if (!/^(file|data|node):/.test(url))
    throw new TypeError(`mapInWorkers: name the module by its URL, such as new URL('./decode.js', import.meta.url); got ${url}.`);
  return new MappedInWorkers(
    dataset,
    schema,
    new Team(url, options.export ?? 'default', checkWhole('mapInWorkers', 'workers', options.workers ?? 2, 1)),
  );
}

/** The dataset that `mapInWorkers` gives: samples are made in threads. `dispose()` ends them. */
export class MappedInWorkers<S extends Schema, R extends Schema> extends Dataset<R> {
  readonly length: number;
  readonly schema: R;
  readonly #parent: Dataset<S>;
  readonly #team: Team;

  /** @internal Use mapInWorkers. */
  constructor(parent: Dataset<S>, schema: R, team: Team) {
    super();
    this.length = parent.length;
    this.schema = schema;
    this.#parent = parent;
    this.#team = team;
    if (parent.lengthOf) this.lengthOf = parent.lengthOf;
  }

  override async get(indices: Indices, options: GetOptions<R> = {}): Promise<Batch<R>> {
    const { seed = 0, epoch = 0, length = this.lengthOf && Math.max(0, ...Array.from(indices, this.lengthOf)) } = options;
    const batch = await this.#parent.get(indices, { seed, epoch, ...(length !== undefined && { length }) });
    const schema = resolveSchema(this.schema, length);
    const result = await this.#team.run({ batch, schema, count: indices.length, context: { indices: Array.from(indices), seed, epoch } });
    const out = options.out ?? allocateBatch(schema, indices.length);
    for (const name of Object.keys(schema)) (out[name]!.data as Float32Array).set(result[name]!.data as Float32Array);
    return out;
  }

  /** Ends the threads. What they work at is rejected. */
  async dispose(): Promise<void> {
    await this.#team.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** Runs in each thread. Typed arrays are copied there and back: the arrays of a batch are leased, and filled anew meanwhile. */
const program = `
import { parentPort, workerData } from 'node:worker_threads';
const kinds = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, bfloat16: Uint16Array, float16: Uint16Array };
const described = (error) => ({ message: error instanceof Error ? error.message : String(error), stack: error?.stack });
let fn, broken;
try {
  fn = (await import(workerData.url))[workerData.name];
  if (typeof fn !== 'function') throw new TypeError('the module has no function "' + workerData.name + '"');
} catch (error) { broken = described(error); }
parentPort.on('message', async ({ id, batch, schema, count, context }) => {
  if (broken) return parentPort.postMessage({ id, error: broken });
  try {
    const out = {};
    for (const [name, { shape, dtype }] of Object.entries(schema))
      out[name] = { data: new kinds[dtype](shape.reduce((product, size) => product * size, count)), shape: [count, ...shape], dtype };
    await fn(batch, out, context);
    parentPort.postMessage({ id, out });
  } catch (error) { parentPort.postMessage({ id, error: described(error) }); }
});
`;

interface Waiting {
  readonly job: Job;
  resolve(out: Batch): void;
  reject(error: Error): void;
}

/** The threads of one dataset; each works at one batch at a time. */
class Team {
  readonly #url: string;
  readonly #name: string;
  readonly #size: number;
  readonly #queue: Waiting[] = [];
  readonly #threads = new Map<Worker, Waiting | undefined>();
  #next = 0;
  #disposed = false;

  constructor(url: string, name: string, size: number) {
    this.#url = url;
    this.#name = name;
    this.#size = size;
  }

  run(task: Omit<Job, 'id'>): Promise<Batch> {
    if (this.#disposed)
      return Promise.reject(new PolluxError('DISPOSED', 'mapInWorkers: the dataset was disposed; its threads have ended.'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ job: { id: this.#next++, ...task }, resolve, reject });
      this.#assign();
    });
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const ended = new PolluxError('DISPOSED', 'mapInWorkers: the dataset was disposed while it was read.');
    for (const { reject } of this.#queue.splice(0)) reject(ended);
    await Promise.all([...this.#threads.keys()].map((thread) => thread.terminate()));
  }

  #assign(): void {
    while (this.#queue.length) {
      const idle = [...this.#threads].find(([, waiting]) => !waiting)?.[0] ?? (this.#threads.size < this.#size ? this.#start() : undefined);
      if (!idle) return;
      const waiting = this.#queue.shift()!;
      this.#threads.set(idle, waiting);
      idle.ref();
      try {
        idle.postMessage(waiting.job);
      } catch (error) {
        this.#settle(idle)?.reject(error as Error);
      }
    }
  }

  #start(): Worker {
    const source = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
    const thread = new Worker(source, { workerData: { url: this.#url, name: this.#name } });
    this.#threads.set(thread, undefined);
    thread.on('message', (answer: Answer) => {
      const waiting = this.#settle(thread);
      if ('out' in answer) waiting?.resolve(answer.out);
      else waiting?.reject(this.#failed(answer.error));
      this.#assign();
    });
    let cause: unknown;
    thread.on('error', (error) => {
      cause = error;
    });
    thread.on('exit', (code) => {
      const waiting = this.#settle(thread);
      this.#threads.delete(thread);
      waiting?.reject(
        new PolluxError(
          this.#disposed ? 'DISPOSED' : 'WORKER_FAILED',
          this.#disposed
            ? 'mapInWorkers: the dataset was disposed while it was read.'
            : `mapInWorkers: a thread of ${this.#url} died (${cause instanceof Error ? cause.message : `exit code ${code}`}) while it worked at a batch. Another takes its place; read the batch again.`,
          { cause },
        ),
      );
      if (!this.#disposed) this.#assign();
    });
    return thread;
  }

  /** What the thread worked at; it is idle from now on, and lets the process end. */
  #settle(thread: Worker): Waiting | undefined {
    const waiting = this.#threads.get(thread);
    if (this.#threads.has(thread)) this.#threads.set(thread, undefined);
    thread.unref();
    return waiting;
  }

  #failed({ message, stack }: { message: string; stack?: string }): PolluxError {
    const cause = Object.assign(new Error(message), stack ? { stack } : {});
    return new PolluxError(
      'WORKER_FAILED',
      `mapInWorkers: ${this.#name} of ${this.#url} threw: ${message.replace(/ imported from data:.*/s, '')}`,
      { cause },
    );
  }
}
