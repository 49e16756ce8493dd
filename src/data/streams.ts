import { setImmediate as macrotask } from 'node:timers/promises';
import { AbortError, checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { ArrayDataset, type ArrayField } from './array-dataset.js';
import { allocateBatch, openSize, resolveSchema, type Batch, type Dataset, type Field, type Schema } from './dataset.js';
import { lengthRule, type LengthOptions } from './buckets.js';
import { elementCount } from '../tensor/hostArray.js';
import { below, PhiloxStream } from './philox.js';

/** A sample of a stream: a number or a flat list of numbers for each field. */
export type StreamSample<S extends Schema> = { readonly [K in keyof S]: number | ArrayLike<number> };

export interface StreamOptions {
  /** Default 32. */
  batchSize?: number;
  /** Samples held back, of which each batch takes random ones. Default 0: in order. */
  shuffleBuffer?: number;
  seed?: number;
  /** Leave out a last batch that is smaller. Default false. */
  dropLast?: boolean;
  /** How samples of open size are padded. */
  lengths?: Omit<LengthOptions, 'group' | 'window'>;
  signal?: AbortSignal;
}

/** Where a stream stands. Plain JSON. */
export interface StreamState {
  seed: number;
  epoch: number;
  /** Batches of this epoch that were given out. */
  batches: number;
}

const streamStream = 0x73747265;

/**
 * Batches of samples that come one after another from a function of the epoch: a file too large for memory, a generator, a
 * network. Each `for await` is one epoch, in the manner of DataLoader; `restore` reads up to where the run stood and goes on.
 *
 * `new StreamLoader({ x: { shape: [4], dtype: 'float32' }, y: { shape: [], dtype: 'int32' } }, () => readJsonLines(file))`
 */
export class StreamLoader<S extends Schema> implements AsyncIterable<Batch<S>> {
  readonly schema: S;
  readonly #source: (epoch: number) => Iterable<StreamSample<S>> | AsyncIterable<StreamSample<S>>;
  readonly #options: Required<Pick<StreamOptions, 'batchSize' | 'shuffleBuffer' | 'dropLast'>> & StreamOptions;
  #state: StreamState;
  #begun = false;

  constructor(
    schema: S,
    source: (epoch: number) => Iterable<StreamSample<S>> | AsyncIterable<StreamSample<S>>,
    options: StreamOptions = {},
  ) {
    checkOptions('StreamLoader', options, ['batchSize', 'shuffleBuffer', 'seed', 'dropLast', 'lengths', 'signal']);
    if (typeof source !== 'function')
      throw new TypeError('StreamLoader: the source must be a function that begins an epoch, such as () => readCsv(file).');
    const { batchSize = 32, shuffleBuffer = 0, seed = 0, dropLast = false } = options;
    checkWhole('StreamLoader', 'batchSize', batchSize, 1);
    checkWhole('StreamLoader', 'shuffleBuffer', shuffleBuffer, 0);
    this.schema = schema;
    this.#source = source;
    this.#options = { ...options, batchSize, shuffleBuffer, dropLast };
    this.#state = { seed: checkWhole('StreamLoader', 'seed', seed, 0), epoch: 0, batches: 0 };
  }

  state(): StreamState {
    return { ...this.#state };
  }

  /** Makes the next loop give the rest of that epoch. */
  restore(state: StreamState): void {
    checkOptions('StreamLoader.restore', state, ['seed', 'epoch', 'batches']);
    for (const name of ['seed', 'epoch', 'batches'] as const) checkWhole('StreamLoader.restore', name, state[name], 0);
    this.#state = { ...state };
    this.#begun = false;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch<S>, undefined> {
    if (this.#begun) this.#state = { seed: this.#state.seed, epoch: this.#state.epoch + 1, batches: 0 };
    this.#begun = true;
    const state = this.#state;
    const skip = state.batches;
    const { batchSize, dropLast, signal } = this.#options;
    let held: StreamSample<S>[] = [];
    let number = 0;
    for await (const sample of this.#samples(state.epoch)) {
      if (signal?.aborted) throw new AbortError('StreamLoader: aborted.', signal.reason);
      held.push(sample);
      if (held.length < batchSize) continue;
      if (number++ >= skip) {
        state.batches = number;
        yield this.#batch(held);
      }
      held = [];
    }
    if (!held.length || dropLast) {
      if (!number)
        throw new PolluxError(
          'INVALID_ARGUMENT',
          `StreamLoader: the source gave ${held.length} samples, which make no batch of ${batchSize}.`,
        );
      return undefined;
    }
    if (number++ >= skip) {
      state.batches = number;
      yield this.#batch(held);
    }
    return undefined;
  }

  /** The source's samples, each exchanged with a random one of those held back. */
  async *#samples(epoch: number): AsyncGenerator<StreamSample<S>> {
    const { shuffleBuffer } = this.#options;
    const stream = new PhiloxStream(this.#state.seed, streamStream);
    const buffer: StreamSample<S>[] = [];
    let drawn = 0;
    const word = (): number => stream.draw(drawn++, epoch)[0]!;
    let rested = performance.now();
    for await (const sample of this.#source(epoch)) {
      if (performance.now() - rested > 4) {
        await macrotask();
        rested = performance.now();
      }
      if (!shuffleBuffer) yield sample;
      else if (buffer.length < shuffleBuffer) buffer.push(sample);
      else {
        const place = below(word(), shuffleBuffer);
        yield buffer[place]!;
        buffer[place] = sample;
      }
    }
    while (buffer.length) {
      const place = below(word(), buffer.length);
      const last = buffer.pop()!;
      yield place === buffer.length ? last : buffer.splice(place, 1, last)[0]!;
    }
  }

  #batch(samples: readonly StreamSample<S>[]): Batch<S> {
    const schema = resolveSchema(this.schema, this.#length(samples));
    const batch = allocateBatch(schema, samples.length) as Batch;
    for (const [name, { shape }] of Object.entries(schema)) {
      const size = elementCount(shape);
      const { data } = batch[name]!;
      for (const [i, sample] of samples.entries()) {
        const value = sample[name as keyof S];
        if (value === undefined)
          throw new PolluxError(
            'SHAPE_MISMATCH',
            `StreamLoader: a sample has no field "${name}"; it has ${Object.keys(sample).join(', ')}.`,
          );
        const numbers: ArrayLike<number> = typeof value === 'number' ? [value] : (value as ArrayLike<number>);
        if (numbers.length > size || (numbers.length < size && !this.schema[name]!.shape.includes(openSize)))
          throw new PolluxError(
            'SHAPE_MISMATCH',
            `StreamLoader: a sample has ${numbers.length} numbers in "${name}", its shape [${shape.join(', ')}] needs ${size}.`,
          );
        for (let j = 0; j < numbers.length; j++) (data as Float32Array)[i * size + j] = numbers[j]!;
      }
    }
    return batch as Batch<S>;
  }

  /** What open sizes are in the batch of these samples. */
  #length(samples: readonly StreamSample<S>[]): number | undefined {
    const open = Object.entries(this.schema).filter(([, { shape }]) => shape.includes(openSize));
    if (!open.length) return undefined;
    const lengths = open.map(([name, { shape }]: [string, Field]) => {
      const width = elementCount(shape.filter((size) => size !== openSize));
      return samples.reduce((most, sample) => Math.max(most, (sample[name as keyof S] as ArrayLike<number>).length / width), 0);
    });
    return lengthRule(this.#options.lengths).pad(Math.max(...lengths));
  }
}

/** All samples of a source in memory, as a dataset that can be shuffled and split. The schema must have no open sizes. */
export async function collectSamples<S extends Schema>(
  schema: S,
  source: Iterable<StreamSample<S>> | AsyncIterable<StreamSample<S>>,
): Promise<Dataset<S>> {
  if (Object.values(schema).some(({ shape }) => shape.includes(openSize)))
    throw new PolluxError(
      'UNSUPPORTED',
      'collectSamples: samples of varying length make a SequenceDataset, or stay a stream (StreamLoader).',
    );
  const batches: Batch<S>[] = [];
  for await (const batch of new StreamLoader(schema, () => source, { batchSize: 1024 })) batches.push(batch);
  const count = batches.reduce((sum, batch) => sum + Object.values(batch)[0]!.shape[0]!, 0);
  const whole = allocateBatch(schema, count) as Batch;
  for (const name of Object.keys(schema)) {
    let at = 0;
    for (const batch of batches) {
      (whole[name]!.data as Float32Array).set(batch[name]!.data as Float32Array, at);
      at += batch[name]!.data.length;
    }
  }
  return new ArrayDataset(whole as unknown as Record<string, ArrayField>) as unknown as Dataset<S>;
}
