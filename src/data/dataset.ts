import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { checkWhole } from './checks.js';
import { allocate, elementCount } from '../tensor/hostArray.js';
import type { HostArray } from '../tensor/hostArray.js';
import { below, PhiloxStream } from './philox.js';

/** A size that differs from batch to batch, in the shape of a field: the length of sequences. */
export const openSize = -1;

/** Shape and dtype of one sample of a field; `shape` is [] for a class number. Its first size may be `openSize`. */
export interface Field<S extends readonly number[] = readonly number[], D extends DType = DType> {
  readonly shape: Readonly<S>;
  readonly dtype: D;
}

/** The fields of a sample by name, such as `{ x: Field<[28, 28, 1], 'float32'>; y: Field<[], 'int32'> }`. */
export type Schema = { readonly [name: string]: Field };

/** The samples of a batch, field by field: each array has the batch axis first. */
export type Batch<S extends Schema = Schema> = {
  [K in keyof S]: HostArray<S[K]['dtype'], readonly [number, ...S[K]['shape']]>;
};

/** Indices of samples. */
export type Indices = ArrayLike<number>;

/** What a dataset is told beside the indices. Random transforms draw from (seed, epoch, index of the sample). */
export interface GetOptions<S extends Schema = Schema> {
  /** Arrays to fill, of exactly the right size; new ones are made when absent. */
  out?: Batch<S>;
  seed?: number;
  epoch?: number;
  /** What open sizes are in this batch. */
  length?: number;
}

/** The schema of a batch whose open sizes are `length`. */
export function resolveSchema<S extends Schema>(schema: S, length: number | undefined): S {
  if (length === undefined) return schema;
  const close = ({ shape, dtype }: Field): Field => ({ shape: shape.map((size) => (size === openSize ? length : size)), dtype });
  return Object.fromEntries(Object.entries(schema).map(([name, field]) => [name, close(field)])) as Schema as S;
}

/** What the function of `map` is told about the batch that it turns into another. */
export interface SampleContext {
  /** Index of each sample within the dataset that is mapped. */
  readonly indices: Indices;
  readonly seed: number;
  readonly epoch: number;
}

/** What `map` applies: fills `out`, a batch of the new schema, from a batch of the old one. */
export type MapFunction<S extends Schema, R extends Schema> = (
  batch: Batch<S>,
  out: Batch<R>,
  context: SampleContext,
) => void | Promise<void>;

const splitStream = 0x73706c74;

/** Makes zeroed arrays for `count` samples. */
export function allocateBatch<S extends Schema>(schema: S, count: number): Batch<S> {
  const batch: Record<string, HostArray> = {};
  for (const [name, { shape, dtype }] of Object.entries(schema)) {
    batch[name] = { data: allocate(dtype, count * elementCount(shape)), shape: [count, ...shape], dtype };
  }
  return batch as Batch<S>;
}

/**
 * Sees to it that `out` holds what `get` was asked to fill it with: a dataset of the caller's own may as well have made arrays anew.
 * @throws SHAPE_MISMATCH or DTYPE_MISMATCH that names the dataset and the field, for a batch of another size or kind.
 */
export function settle(source: object, given: unknown, out: Batch): void {
  if (given === out) return;
  const where = `${source.constructor.name}.get`;
  for (const [name, { data, shape, dtype }] of Object.entries(out)) {
    const found = (given as Partial<Batch> | undefined)?.[name]?.data;
    if (found === data) continue;
    const wanted = `${dtype}[${shape.join(', ')}]`;
    if (!found)
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `${where}: the batch lacks the field "${name}", ${wanted}. Return { ${Object.keys(out).join(', ')} }.`,
      );
    if (found.constructor !== data.constructor)
      throw new PolluxError(
        'DTYPE_MISMATCH',
        `${where}: the field "${name}" is ${wanted}, a ${data.constructor.name}, but the batch holds a ${found.constructor.name}.`,
      );
    if (found.length !== data.length)
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `${where}: the field "${name}" is ${wanted}, ${data.length} elements, but the batch holds ${found.length}.`,
      );
    (data as Float32Array).set(found as Float32Array);
  }
}

/** Samples that are read by number, many at a time. Subclass it (length, schema, get) to bring data of your own. */
export abstract class Dataset<S extends Schema = Schema> {
  abstract readonly length: number;
  abstract readonly schema: S;

  /**
   * Reads samples into one batch, in the order of `indices`: into `options.out` where it is given, which is faster, or into new arrays.
   * @throws PolluxError INDEX_OUT_OF_RANGE for an index outside [0, length).
   */
  abstract get(indices: Indices, options?: GetOptions<S>): Batch<S> | Promise<Batch<S>>;

  /** Length of a sample, where the schema has open sizes. */
  lengthOf?: (index: number) => number;

  /** The samples at `indices`, in that order, without copying. */
  subset(indices: Indices): Dataset<S> {
    return new Subset(
      this,
      Uint32Array.from(indices, (index) => this.checkIndex(index)),
    );
  }

  /** The first `count` samples (all, if there are fewer). */
  take(count: number): Dataset<S> {
    checkWhole('take', 'count', count, 0);
    return new Subset(
      this,
      Uint32Array.from({ length: Math.min(count, this.length) }, (_, i) => i),
    );
  }

  /** Two parts: `fraction` of the samples and the rest; shuffled first when a seed is given. */
  split(fraction: number, options: { seed?: number } = {}): [Dataset<S>, Dataset<S>] {
    if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`split: fraction must lie in [0, 1], got ${fraction}.`);
    const order = Uint32Array.from({ length: this.length }, (_, i) => i);
    if (options.seed !== undefined) for (const _ of shuffle(order, new PhiloxStream(options.seed, splitStream), 0));
    const count = Math.round(fraction * this.length);
    return [new Subset(this, order.subarray(0, count)), new Subset(this, order.subarray(count))];
  }

  /** These samples, then those of `others`, whose schemas must be equal. */
  concat(...others: Dataset<S>[]): Dataset<S> {
    return new Concatenation([this, ...others]);
  }

  /**
   * Applies `fn` to whole batches: it reads `batch` and fills `out`, whose fields are those of `schema`.
   * Draw random numbers from `context` alone, so that the result depends on neither order nor batching.
   */
  map<R extends Schema>(schema: R, fn: MapFunction<S, R>): Dataset<R> {
    return new Mapped(this, schema, fn);
  }

  protected checkIndex(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index;
    throw new PolluxError('INDEX_OUT_OF_RANGE', `Dataset: index ${index} lies outside [0, ${this.length}).`);
  }
}

class Subset<S extends Schema> extends Dataset<S> {
  readonly schema: S;
  readonly length: number;
  readonly #parent: Dataset<S>;
  readonly #order: Uint32Array;

  constructor(parent: Dataset<S>, order: Uint32Array) {
    super();
    this.schema = parent.schema;
    this.length = order.length;
    this.#parent = parent;
    this.#order = order;
    if (parent.lengthOf) this.lengthOf = (index) => parent.lengthOf!(order[index]!);
  }

  override get(indices: Indices, options?: GetOptions<S>): Batch<S> | Promise<Batch<S>> {
    return this.#parent.get(
      Uint32Array.from(indices, (index) => this.#order[this.checkIndex(index)]!),
      options,
    );
  }
}

class Concatenation<S extends Schema> extends Dataset<S> {
  readonly schema: S;
  readonly length: number;
  readonly #parts: readonly Dataset<S>[];

  constructor(parts: readonly Dataset<S>[]) {
    super();
    this.schema = parts[0]!.schema;
    const expected = describeSchema(this.schema);
    for (const part of parts) {
      const found = describeSchema(part.schema);
      if (found !== expected) {
        throw new PolluxError('SHAPE_MISMATCH', `concat: the samples differ, ${expected} and ${found}. Map one onto the other first.`);
      }
    }
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#parts = parts;
    if (parts.every((part) => part.lengthOf)) this.lengthOf = (index) => this.#lengthOf(index);
  }

  #lengthOf(index: number): number {
    let place = index;
    for (const part of this.#parts) {
      if (place < part.length) return part.lengthOf!(place);
      place -= part.length;
    }
    return 0;
  }

  override async get(indices: Indices, options: GetOptions<S> = {}): Promise<Batch<S>> {
    const length = options.length ?? (this.lengthOf && Math.max(0, ...Array.from(indices, this.lengthOf)));
    const out = options.out ?? allocateBatch(resolveSchema(this.schema, length), indices.length);
    const asked = Array.from(indices, (index) => this.checkIndex(index));
    let first = 0;
    for (const part of this.#parts) {
      const places: number[] = [];
      const wanted: number[] = [];
      for (const [place, index] of asked.entries()) {
        if (index < first || index >= first + part.length) continue;
        places.push(place);
        wanted.push(index - first);
      }
      if (wanted.length > 0) scatter(await part.get(wanted, { ...options, length, out: undefined }), places, out);
      first += part.length;
    }
    return out;
  }
}

/** Writes sample i of `from` to place `places[i]` of `out`. */
function scatter<S extends Schema>(from: Batch<S>, places: readonly number[], out: Batch<S>): void {
  for (const name of Object.keys(from)) {
    const source = from[name]!.data as Float32Array;
    const target = out[name]!.data as Float32Array;
    const size = source.length / places.length;
    for (const [i, place] of places.entries()) target.set(source.subarray(i * size, (i + 1) * size), place * size);
  }
}

class Mapped<S extends Schema, R extends Schema> extends Dataset<R> {
  readonly schema: R;
  readonly length: number;
  readonly #parent: Dataset<S>;
  readonly #fn: MapFunction<S, R>;

  constructor(parent: Dataset<S>, schema: R, fn: MapFunction<S, R>) {
    super();
    this.schema = schema;
    this.length = parent.length;
    this.#parent = parent;
    this.#fn = fn;
    if (parent.lengthOf) this.lengthOf = parent.lengthOf;
  }

  override async get(indices: Indices, options: GetOptions<R> = {}): Promise<Batch<R>> {
    const { seed = 0, epoch = 0, length = this.lengthOf && Math.max(0, ...Array.from(indices, this.lengthOf)) } = options;
    const out = options.out ?? allocateBatch(resolveSchema(this.schema, length), indices.length);
    const given: unknown = await this.#fn(await this.#parent.get(indices, { seed, epoch, length }), out, { indices, seed, epoch });
    if (given !== undefined) settle(this, given, out as Batch);
    return out;
  }
}

function describeSchema(schema: Schema): string {
  return Object.entries(schema)
    .map(([name, field]) => `${name}: ${field.dtype} [${field.shape.join(', ')}]`)
    .join('; ');
}

/** Fisher-Yates in place, from the draws of `epoch`; yields every 4,096 places so that a caller may let others run. */
export function* shuffle(order: Uint32Array, stream: PhiloxStream, epoch: number): Generator<void> {
  for (let i = order.length - 1; i > 0; i--) {
    const draw = order.length - 1 - i;
    if (draw % 4 === 0) stream.draw(draw / 4, epoch);
    const j = below(stream.words[draw % 4]!, i + 1);
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
    if ((i & 0xfff) === 0) yield;
  }
}
