import { setImmediate as macrotask } from 'node:timers/promises';
import { AbortError, PolluxError, checkOptions } from '../errors.js';
import { checkWhole } from './checks.js';
import { groupByLength, type LengthOptions, type LengthRule, lengthRule } from './buckets.js';
import { allocateBatch, Dataset, resolveSchema, settle, shuffle } from './dataset.js';
import type { Batch, Schema } from './dataset.js';
import { elementCount, view } from '../tensor/hostArray.js';
import { PhiloxStream } from './philox.js';
import type { Sampler } from './samplers.js';

export interface LoaderOptions {
  /** Samples in a batch. Default 32. */
  batchSize?: number;
  /** A new order each epoch, drawn from (seed, epoch). Default false. */
  shuffle?: boolean;
  /** Which samples an epoch has, and in which order: weighted, balanced, or your own. Instead of `shuffle`. */
  sampler?: Sampler;
  /** How samples of varying length are brought together and padded. */
  lengths?: LengthOptions;
  /** Of the order and of random transforms. Default 0. */
  seed?: number;
  /** Leave out a last batch that is smaller than the others. Default false. */
  dropLast?: boolean;
  /** Batches that are made ready ahead of the consumer. Default 2. */
  prefetch?: number;
  /** Ends every pass with an AbortError. */
  signal?: AbortSignal;
}

/** Where a loader stands: enough to go on with the same batches, bit for bit. Plain JSON. */
export interface LoaderState {
  seed: number;
  epoch: number;
  /** Samples of this epoch that were given out. */
  position: number;
}

const optionNames = ['batchSize', 'shuffle', 'sampler', 'lengths', 'seed', 'dropLast', 'prefetch', 'signal'];
const shuffleStream = 0x73687566;

/**
 * Gives the batches of a dataset; each `for await` over it is one epoch.
 *
 * Batches are leased: the arrays of a batch stay as they are until the consumer asks for the batch after the next, and
 * are then filled anew. Copy what must live longer.
 *
 * They are prepared in slices that leave the event loop free every few milliseconds. A loop that is left early ends its
 * epoch: the next loop begins the following one. Only `restore` makes the next loop begin in the middle.
 */
export class DataLoader<S extends Schema> implements AsyncIterable<Batch<S>> {
  readonly dataset: Dataset<S>;
  readonly batchSize: number;
  readonly #shuffle: boolean;
  readonly #dropLast: boolean;
  readonly #prefetch: number;
  readonly #signal: AbortSignal | undefined;
  readonly #sampler: Sampler | undefined;
  readonly #lengths: LengthRule;
  /** Samples in an epoch. */
  readonly #samples: number;
  #state: LoaderState;
  #begun = false;
  #pass: Pass<S> | undefined;

  /** @throws RangeError for a batch size below 1, INVALID_ARGUMENT for an empty dataset, UNKNOWN_OPTION. */
  constructor(dataset: Dataset<S>, options: LoaderOptions = {}) {
    checkOptions('DataLoader', options, optionNames);
    if (!(dataset instanceof Dataset))
      throw new TypeError('DataLoader: the first argument must be a Dataset, such as new ArrayDataset({ x, y }).');
    checkWhole(dataset.constructor.name, 'length', dataset.length, 0);
    if (dataset.length === 0) throw new PolluxError('INVALID_ARGUMENT', 'DataLoader: the dataset is empty.');
    this.dataset = dataset;
    this.batchSize = checkWhole('DataLoader', 'batchSize', options.batchSize ?? 32, 1);
    this.#prefetch = checkWhole('DataLoader', 'prefetch', options.prefetch ?? 2, 0);
    this.#shuffle = options.shuffle ?? false;
    this.#dropLast = options.dropLast ?? false;
    this.#signal = options.signal;
    this.#sampler = options.sampler;
    this.#samples = options.sampler?.length ?? dataset.length;
    this.#lengths = lengthRule(options.lengths);
    if (options.sampler && typeof options.sampler.order !== 'function')
      throw new TypeError('DataLoader: sampler must be one such as weightedSampler(weights), or { length, order(seed, epoch) }.');
    if (options.sampler && options.shuffle)
      throw new PolluxError('INVALID_ARGUMENT', 'DataLoader: a sampler sets the order itself; leave out shuffle.');
    if (this.#samples === 0) throw new PolluxError('INVALID_ARGUMENT', 'DataLoader: the sampler gives no samples.');
    this.#state = { seed: checkWhole('DataLoader', 'seed', options.seed ?? 0, 0), epoch: 0, position: 0 };
    if (this.length === 0) {
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `DataLoader: ${this.#samples} samples make no full batch of ${this.batchSize}, and dropLast leaves out the rest.`,
      );
    }
  }

  /** Batches in a whole epoch. */
  get length(): number {
    const batches = this.#samples / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Where the loader stands, counting the batches given out and not those prepared ahead. */
  state(): LoaderState {
    return { ...this.#state };
  }

  /**
   * Makes the next loop give the rest of that epoch (which is nothing, if the epoch was finished).
   * @throws RangeError for a state that does not belong to this dataset.
   */
  restore(state: LoaderState): void {
    checkOptions('DataLoader.restore', state, ['seed', 'epoch', 'position']);
    const seed = checkWhole('DataLoader.restore', 'seed', state.seed, 0);
    const epoch = checkWhole('DataLoader.restore', 'epoch', state.epoch, 0);
    const position = checkWhole('DataLoader.restore', 'position', state.position, 0);
    if (position > this.#samples) {
      throw new RangeError(`DataLoader.restore: position ${position} lies beyond the ${this.#samples} samples of this dataset.`);
    }
    this.#pass?.end();
    this.#state = { seed, epoch, position };
    this.#begun = false;
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch<S>, undefined> {
    this.#pass?.end();
    if (this.#begun) this.#state = { seed: this.#state.seed, epoch: this.#state.epoch + 1, position: 0 };
    this.#begun = true;
    const pass = new Pass(this.dataset, {
      ...this.#state,
      end: this.#dropLast ? this.length * this.batchSize : this.#samples,
      samples: this.#samples,
      sampler: this.#sampler,
      lengths: this.#lengths,
      batchSize: this.batchSize,
      shuffle: this.#shuffle,
      prefetch: this.#prefetch,
      signal: this.#signal,
    });
    this.#pass = pass;
    const position = this.#state.position;
    let given = 0;
    return {
      next: async () => {
        if (this.#pass !== pass)
          throw new PolluxError('INVALID_ARGUMENT', 'DataLoader: this loop ended when another began or the loader was restored.');
        const number = given++;
        const batch = await pass.batch(number);
        if (!batch) return { done: true, value: undefined };
        if (this.#pass === pass) this.#state.position = Math.min(position + (number + 1) * this.batchSize, this.#samples);
        return { done: false, value: batch };
      },
      return: async () => {
        pass.end();
        return { done: true, value: undefined };
      },
    };
  }
}

interface PassOptions extends LoaderState {
  end: number;
  samples: number;
  sampler: Sampler | undefined;
  lengths: LengthRule;
  batchSize: number;
  shuffle: boolean;
  prefetch: number;
  signal: AbortSignal | undefined;
}

interface Waiter<S extends Schema> {
  promise: Promise<Batch<S> | undefined>;
  resolve(batch: Batch<S> | undefined): void;
  reject(error: unknown): void;
}

/** The batches of one epoch from a position on: prepares them into a ring of slots. */
class Pass<S extends Schema> {
  readonly #dataset: Dataset<S>;
  readonly #options: PassOptions;
  readonly #count: number;
  /** Two batches lie with the consumer, `prefetch` (at least the one in preparation) are ahead of it. */
  readonly #slots: Batch<S>[] = [];
  readonly #slotCount: number;
  readonly #waiters = new Map<number, Waiter<S>>();
  readonly #breath = new Breath();
  #order: Uint32Array | undefined;
  /** Samples that are read at a stretch; follows the time that they take. */
  #sliceSize = 16;
  #prepared = 0;
  #requested = -1;
  #working = false;
  #ended = false;
  #failure: { error: unknown } | undefined;
  readonly #abort = (): void => this.#fail(new AbortError('DataLoader: aborted.', this.#options.signal!.reason));

  constructor(dataset: Dataset<S>, options: PassOptions) {
    this.#dataset = dataset;
    this.#options = options;
    this.#count = Math.max(0, Math.ceil((options.end - options.position) / options.batchSize));
    this.#slotCount = Math.min(this.#count, Math.max(1, options.prefetch) + 2);
    options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Batch `number` of this pass; undefined after the last. */
  async batch(number: number): Promise<Batch<S> | undefined> {
    if (this.#options.signal?.aborted) {
      this.#abort();
      throw this.#failure!.error;
    }
    if (number >= this.#count) {
      this.end();
      return undefined;
    }
    const waiter = this.#waiter(number);
    this.#requested = Math.max(this.#requested, number);
    this.#work();
    const batch = await waiter.promise;
    this.#waiters.delete(number);
    return batch;
  }

  /** Stops preparing; requests that still wait get no batch. */
  end(): void {
    this.#ended = true;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    for (const waiter of this.#waiters.values()) waiter.resolve(undefined);
    this.#waiters.clear();
  }

  #fail(error: unknown): void {
    this.#ended = true;
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    // Requests to come fail alike.
    this.#failure = { error };
  }

  #waiter(number: number): Waiter<S> {
    const known = this.#waiters.get(number);
    if (known) return known;
    let resolve!: Waiter<S>['resolve'];
    let reject!: Waiter<S>['reject'];
    const promise = new Promise<Batch<S> | undefined>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    // A batch that is prepared ahead and never asked for must not raise an unhandled rejection.
    promise.catch(() => undefined);
    const waiter = { promise, resolve, reject };
    this.#waiters.set(number, waiter);
    if (this.#failure) reject(this.#failure.error);
    else if (this.#ended) resolve(undefined);
    return waiter;
  }

  /** Starts the preparing loop unless it runs. What is wanted now is begun at once, what is wanted later waits for a macrotask. */
  #work(): void {
    if (this.#working || this.#ended) return;
    this.#working = true;
    void this.#prepareAll();
  }

  async #prepareAll(): Promise<void> {
    try {
      this.#breath.begin();
      while (!this.#ended && this.#prepared < this.#count && this.#prepared <= this.#requested + this.#options.prefetch) {
        if (this.#prepared > this.#requested) await this.#breath.take();
        if (this.#ended) return;
        const number = this.#prepared;
        const batch = await this.#prepare(number);
        this.#prepared = number + 1;
        if (!this.#ended) this.#waiter(number).resolve(batch);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      // In the same turn as the loop's last look at what is requested, or a request could fall between them.
      this.#working = false;
    }
  }

  async #prepare(number: number): Promise<Batch<S>> {
    const { batchSize, position, end, seed, epoch } = this.#options;
    const order = (this.#order ??= await this.#makeOrder());
    const first = position + number * batchSize;
    const size = Math.min(batchSize, end - first);
    const length = this.#lengthOf(order.subarray(first, first + size));
    const schema = resolveSchema(this.#dataset.schema, length);
    const slot = this.#slot(number % this.#slotCount, schema);
    let slice = Math.min(size, this.#sliceSize);
    for (let done = 0; done < size; done += slice) {
      slice = Math.min(size - done, this.#sliceSize);
      const began = performance.now();
      const out = sliceOf(schema, slot, done, done + slice);
      const read = this.#dataset.get(order.subarray(first + done, first + done + slice), {
        out,
        seed,
        epoch,
        ...(length !== undefined && { length }),
      });
      settle(this.#dataset, read instanceof Promise ? await read : read, out);
      const spent = performance.now() - began;
      if (spent > 1) this.#sliceSize = Math.max(1, this.#sliceSize >> 1);
      else if (spent < 0.25) this.#sliceSize = Math.min(2 ** 20, this.#sliceSize * 2);
      if (this.#breath.due) await this.#breath.take();
    }
    return size === batchSize ? slot : sliceOf(schema, slot, 0, size);
  }

  /** What open sizes are in the batch of these samples. */
  #lengthOf(indices: Uint32Array): number | undefined {
    const { lengthOf } = this.#dataset;
    return lengthOf && this.#options.lengths.pad(indices.reduce((most, index) => Math.max(most, lengthOf(index)), 0));
  }

  /** The arrays of a slot, as they are unless the batch has another length. */
  #slot(place: number, schema: S): Batch<S> {
    const slot = this.#slots[place];
    const fits = slot && Object.entries(schema).every(([name, { shape }]) => shape.every((size, i) => slot[name]!.shape[i + 1] === size));
    return fits ? slot : (this.#slots[place] = allocateBatch(schema, this.#options.batchSize));
  }

  async #makeOrder(): Promise<Uint32Array> {
    const { samples, sampler, shuffle: mix, seed, epoch, batchSize, lengths } = this.#options;
    if (samples > 0xffffffff) throw new RangeError(`DataLoader: ${samples} samples; at most 4294967295 are ordered.`);
    let order: Uint32Array;
    if (sampler) {
      const given = sampler.order(seed, epoch);
      order = given instanceof Uint32Array ? given : await this.#drain(given);
      if (order.length !== samples)
        throw new PolluxError('INVALID_ARGUMENT', `DataLoader: the sampler gave ${order.length} samples, its length is ${samples}.`);
    } else {
      order = new Uint32Array(samples);
      for (let i = 0; i < samples; i++) order[i] = i;
      if (mix) await this.#drain(shuffle(order, new PhiloxStream(seed, shuffleStream), epoch));
    }
    const { lengthOf } = this.#dataset;
    const grouping = { batchSize, window: lengths.window, mix: mix || sampler !== undefined, seed, epoch };
    if (lengthOf && lengths.group) await this.#drain(groupByLength(order, lengthOf, grouping));
    return order;
  }

  /** Runs slices of work to their end, and lets others run in between. */
  async #drain<R>(slices: Generator<void, R>): Promise<R> {
    for (;;) {
      const { done, value } = slices.next();
      if (done) return value;
      if (this.#breath.due) await this.#breath.take();
    }
  }
}

/** Keeps stretches of the main thread short: when one is due, `take` lets everything else that waits run first. */
class Breath {
  #since = 0;

  begin(): void {
    this.#since = performance.now();
  }

  get due(): boolean {
    return performance.now() - this.#since > 2.5;
  }

  async take(): Promise<void> {
    await macrotask();
    this.begin();
  }
}

/** Samples [start, stop) of a batch as views on its arrays. */
function sliceOf<S extends Schema>(schema: S, batch: Batch<S>, start: number, stop: number): Batch<S> {
  const slice: Record<string, unknown> = {};
  for (const [name, { shape, dtype }] of Object.entries(schema)) {
    const size = elementCount(shape);
    slice[name] = { data: view(batch[name]!.data, start * size, stop * size), shape: [stop - start, ...shape], dtype };
  }
  return slice as Batch<S>;
}
