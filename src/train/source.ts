import { DataLoader, Dataset, type LoaderOptions, type LoaderState } from '../data/index.js';
import { PolluxError } from '../errors.js';
import type { Json } from '../io/index.js';
import { abortable } from './abortable.js';

type Batches = AsyncIterable<unknown> | Iterable<unknown>;

/** What loaders that can resume have beside their batches. */
interface Resumable {
  state(): Json;
  restore(state: Json): void;
}

const isResumable = (data: object): data is object & Resumable =>
  typeof (data as Partial<Resumable>).state === 'function' && typeof (data as Partial<Resumable>).restore === 'function';

/** Where a source stands. */
export interface SourceState {
  readonly [key: string]: Json;
  /** Of a loader that can resume: its own state. */
  readonly loader: Json;
  /** Batches read of the pass that is under way. */
  readonly read: number;
  /** Steps of the epoch that is under way. */
  readonly steps: number;
}

/**
 * The batches of a run, epoch by epoch. An epoch is one pass over the data; with `stepsPerEpoch` it is that many batches of a stream
 * that begins anew whenever the data end.
 */
export class Source {
  /** Batches of an epoch, if that is known. */
  readonly length: number | undefined;
  readonly #make: () => Batches;
  readonly #resumable: Resumable | undefined;
  readonly #stepsPerEpoch: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #loader: { state(): LoaderState } | undefined;
  /** State of the loader when it was given. */
  readonly #initial: Json;
  #stream: AsyncIterator<unknown> | undefined;
  #read = 0;
  #steps = 0;
  /** Batches to pass over after a resume, where the data cannot resume by themselves. */
  #skip = 0;
  #resumed = false;

  constructor(data: unknown, options: LoaderOptions & { stepsPerEpoch?: number | undefined; signal?: AbortSignal | undefined }) {
    const { stepsPerEpoch, signal, ...loaderOptions } = options;
    if (stepsPerEpoch !== undefined && !(Number.isInteger(stepsPerEpoch) && stepsPerEpoch >= 1))
      throw new RangeError(`fit: stepsPerEpoch must be an integer of at least 1, got ${stepsPerEpoch}.`);
    const batches = data instanceof Dataset ? new DataLoader(data, loaderOptions) : data;
    this.#loader = batches instanceof DataLoader ? batches : undefined;
    if (typeof batches === 'function') this.#make = batches as () => Batches;
    else if (typeof batches === 'object' && batches !== null && (Symbol.asyncIterator in batches || Symbol.iterator in batches))
      this.#make = () => batches as Batches;
    else
      throw new TypeError(
        'Trainer: data must be a Dataset, a DataLoader, something to loop over with for await, or a function that makes one.',
      );
    this.#resumable = typeof batches === 'object' && isResumable(batches as object) ? (batches as unknown as Resumable) : undefined;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#signal = signal;
    this.#initial = this.#resumable?.state() ?? null;
    this.length = stepsPerEpoch ?? (typeof batches === 'object' ? (batches as { length?: number }).length : undefined);
  }

  /** The batches of the next epoch, or of the rest of the one that was resumed. */
  async *epoch(): AsyncGenerator<unknown, undefined> {
    if (!this.#resumed) this.#steps = 0;
    const midway = this.#resumed && this.#steps > 0;
    this.#resumed = false;
    let given = 0;
    for (;;) {
      if (this.#stepsPerEpoch !== undefined && this.#steps >= this.#stepsPerEpoch) return;
      const batch = await this.#next();
      if (batch === undefined) break;
      this.#steps++;
      given++;
      yield batch;
    }
    if (given > 0 || midway) return;
    throw new PolluxError(
      'INVALID_ARGUMENT',
      'Trainer: the data gave no batch. Are they empty, or a generator that was read before? Pass the generator function itself, which makes a new one for each epoch.',
    );
  }

  async #next(): Promise<unknown> {
    // A stream that ends begins anew, once: data without a single batch must not be asked for ever.
    for (let attempt = 0; attempt < 2; attempt++) {
      this.#stream ??= iterate(this.#make());
      for (;;) {
        const { done, value } = await abortable(this.#stream.next(), this.#signal, 'Waiting for the next batch').catch((error: unknown) =>
          this.#abandon(error),
        );
        if (done) break;
        this.#read++;
        if (this.#skip === 0) return value;
        this.#skip--;
      }
      this.#stream = undefined;
      this.#read = 0;
      if (this.#stepsPerEpoch === undefined) return undefined;
    }
    return undefined;
  }

  /** A stream that failed, or that an abort caught waiting, is not waited for again: `return()` of a generator would wait with it. */
  #abandon(error: unknown): never {
    const stream = this.#stream;
    this.#stream = undefined;
    void Promise.resolve(stream?.return?.()).catch(() => undefined);
    throw error;
  }

  /** Lets the next pass be the first one again: an evaluation draws the same random transforms each time, after a resume too. */
  rewind(): void {
    this.#resumable?.restore(this.#initial);
  }

  /** Ends a pass that was left in the middle. */
  async close(): Promise<void> {
    await this.#stream?.return?.();
    this.#stream = undefined;
  }

  /** Of the loader in the form that checkpoints have always had. */
  loaderState(epoch: number): LoaderState {
    return this.#loader?.state() ?? { seed: 0, epoch, position: this.#read };
  }

  state(): SourceState {
    return { loader: this.#resumable?.state() ?? null, read: this.#read, steps: this.#steps };
  }

  /** @param finished the epoch was over when the state was saved */
  async restore({ loader, read, steps }: SourceState, finished: boolean): Promise<void> {
    await this.close();
    this.#read = 0;
    if (this.#resumable && loader !== null) {
      this.#resumable.restore(loader);
      // The rest of a finished pass is nothing; running through it lets the next one be the following epoch.
      if (finished && this.#stepsPerEpoch === undefined) for await (const _ of this.#make());
    } else this.#skip = finished && this.#stepsPerEpoch === undefined ? 0 : read;
    this.#steps = finished ? 0 : steps;
    this.#resumed = !finished;
  }
}

/** An asynchronous iterator over either kind of iterable. */
const iterate = (batches: Batches): AsyncIterator<unknown> =>
  Symbol.asyncIterator in batches
    ? batches[Symbol.asyncIterator]()
    : (async function* () {
        yield* batches;
      })();
