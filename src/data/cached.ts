import { checkOptions, PolluxError } from '../errors.js';
import { allocateBatch, Dataset, resolveSchema } from './dataset.js';
import type { Batch, GetOptions, Indices, Schema } from './dataset.js';
import type { TypedArray } from '../tensor/hostArray.js';

export interface CacheOptions {
  /** Most bytes to keep; samples beyond are read anew each time. Default 1 GiB. */
  maxBytes?: number;
}

type Sample = Record<string, TypedArray>;

/**
 * Keeps the samples of a dataset in memory once they were read: put it after slow reading and decoding, before random transforms,
 * which would otherwise be drawn once and for all.
 */
export function cached<S extends Schema>(dataset: Dataset<S>, options: CacheOptions = {}): Dataset<S> {
  checkOptions('cached', options, ['maxBytes']);
  const { maxBytes = 2 ** 30 } = options;
  if (!(maxBytes >= 0)) throw new RangeError(`cached: maxBytes must not be negative, got ${maxBytes}.`);
  if (!(dataset instanceof Dataset)) throw new TypeError('cached: the first argument must be a Dataset.');
  return new CachedDataset(dataset, maxBytes);
}

class CachedDataset<S extends Schema> extends Dataset<S> {
  readonly length: number;
  readonly schema: S;
  readonly #parent: Dataset<S>;
  readonly #samples = new Map<number, Sample>();
  #room: number;

  constructor(parent: Dataset<S>, room: number) {
    super();
    this.length = parent.length;
    this.schema = parent.schema;
    this.#parent = parent;
    this.#room = room;
    if (parent.lengthOf) {
      throw new PolluxError('UNSUPPORTED', 'cached: samples of varying length are held in memory already; cache what they are made of.');
    }
  }

  override async get(indices: Indices, options: GetOptions<S> = {}): Promise<Batch<S>> {
    const { seed = 0, epoch = 0 } = options;
    const out = options.out ?? allocateBatch(resolveSchema(this.schema, options.length), indices.length);
    const missing = [...new Set(Array.from(indices, (index) => this.checkIndex(index)))].filter((index) => !this.#samples.has(index));
    const fresh = new Map<number, Sample>();
    if (missing.length) {
      const read = await this.#parent.get(missing, { seed, epoch });
      for (const [i, index] of missing.entries()) fresh.set(index, this.#keep(index, sampleOf(read, i, missing.length)));
    }
    for (let i = 0; i < indices.length; i++) {
      const sample = this.#samples.get(indices[i]!) ?? fresh.get(indices[i]!)!;
      for (const [name, data] of Object.entries(sample)) (out[name]!.data as Float32Array).set(data as Float32Array, i * data.length);
    }
    return out;
  }

  /** Copies a sample into the cache, if there is room. */
  #keep(index: number, sample: Sample): Sample {
    const bytes = Object.values(sample).reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > this.#room) return sample;
    this.#room -= bytes;
    const copy = Object.fromEntries(Object.entries(sample).map(([name, data]) => [name, data.slice()]));
    this.#samples.set(index, copy);
    return copy;
  }
}

/** Sample i of a batch, as views. */
const sampleOf = (batch: Batch, i: number, count: number): Sample =>
  Object.fromEntries(
    Object.entries(batch).map(([name, { data }]) => {
      const size = data.length / count;
      return [name, data.subarray(i * size, (i + 1) * size) as TypedArray];
    }),
  );
