import { checkOptions, PolluxError } from '../errors.js';
import { allocateBatch, Dataset, openSize, resolveSchema } from './dataset.js';
import type { Batch, Field, GetOptions, Indices } from './dataset.js';

/** A list of numbers a sample: token ids, a signal, or the rows of one. */
export type Sequence = ArrayLike<number>;

/** A field of varying length. */
export interface SequenceField {
  readonly values: readonly Sequence[];
  /** Default 'int32'. */
  readonly dtype?: 'int32' | 'float32';
  /** What fills up the shorter ones. Default 0. */
  readonly pad?: number;
  /** Numbers of one step: 1 (default) makes [length], more make [length, width]. */
  readonly width?: number;
}

type FieldsOf<F extends Record<string, readonly Sequence[] | SequenceField | Sequence>> = {
  readonly [K in keyof F]: F[K] extends { readonly values: readonly Sequence[]; readonly dtype: infer D extends 'int32' | 'float32' }
    ? Field<readonly number[], D>
    : F[K] extends Float32Array
      ? Field<readonly [], 'float32'>
      : F[K] extends readonly number[] | Int32Array
        ? Field<readonly [], 'int32'>
        : Field<readonly [number], 'int32'>;
};

/** The schema of sequences, with the fields that tell what is padding. */
export type SequenceSchema<F extends Record<string, readonly Sequence[] | SequenceField | Sequence>> = FieldsOf<F> & {
  readonly mask: Field<readonly [number], 'bool'>;
  readonly lengths: Field<readonly [], 'int32'>;
};

export interface SequenceOptions {
  /** Longer sequences are cut at their end. Default: they are kept. */
  maxLength?: number;
}

interface Column {
  readonly name: string;
  readonly values: readonly Sequence[];
  readonly width: number;
  readonly pad: number;
}

/**
 * Samples of varying length: `new SequenceDataset({ ids: [[1, 2, 3], [4]], y: [0, 1] })`. A list of lists is a field that is padded
 * to the length of its batch; a list of numbers (int32, or Float32Array) is one number a sample. Batches also have `mask` (bool
 * [N, T], true where a step is real) and `lengths` (int32 [N]). A DataLoader brings samples of like length together.
 */
export class SequenceDataset<const F extends Record<string, readonly Sequence[] | SequenceField | Sequence>> extends Dataset<
  SequenceSchema<F>
> {
  readonly length: number;
  readonly schema: SequenceSchema<F>;
  readonly #sequences: Column[] = [];
  readonly #numbers: { name: string; values: Sequence }[] = [];
  readonly #lengths: Int32Array;

  /** @throws SHAPE_MISMATCH if the fields differ in their number of samples, or two sequences of one sample in length. */
  constructor(fields: F, options: SequenceOptions = {}) {
    super();
    checkOptions('SequenceDataset', options, ['maxLength']);
    const { maxLength = Infinity } = options;
    if (!(maxLength >= 1)) throw new RangeError(`SequenceDataset: maxLength must be at least 1, got ${maxLength}.`);
    const schema: Record<string, Field> = {};
    for (const [name, field] of Object.entries(fields)) {
      if (name === 'mask' || name === 'lengths') throw new TypeError(`SequenceDataset: the field "${name}" is made by the dataset itself.`);
      if (isNumbers(field)) {
        this.#numbers.push({ name, values: field });
        schema[name] = { shape: [], dtype: field instanceof Float32Array ? 'float32' : 'int32' };
        continue;
      }
      const {
        values,
        dtype = 'int32',
        pad = 0,
        width = 1,
      }: SequenceField = Array.isArray(field) ? { values: field as readonly Sequence[] } : (field as SequenceField);
      if (dtype !== 'float32') for (const [i, value] of values.entries()) requireWhole(name, value, i);
      this.#sequences.push({ name, values, width, pad });
      schema[name] = { shape: width === 1 ? [openSize] : [openSize, width], dtype };
    }
    const [first] = this.#sequences;
    if (!first) throw new TypeError('SequenceDataset: needs a field of sequences, such as { ids: [[1, 2], [3]] }.');
    this.length = first.values.length;
    this.#lengths = Int32Array.from(first.values, ({ length }) => Math.min(length / first.width, maxLength));
    this.#check(maxLength);
    this.schema = {
      ...schema,
      mask: { shape: [openSize], dtype: 'bool' },
      lengths: { shape: [], dtype: 'int32' },
    } as unknown as SequenceSchema<F>;
  }

  #check(maxLength: number): void {
    for (const { name, values } of [...this.#sequences, ...this.#numbers])
      if (values.length !== this.length)
        throw new PolluxError(
          'SHAPE_MISMATCH',
          `SequenceDataset: ${name} has ${values.length} samples, ${this.#sequences[0]!.name} ${this.length}.`,
        );
    for (const { name, values } of this.#numbers) if (!ArrayBuffer.isView(values)) requireWhole(name, values);
    for (const { name, values, width } of this.#sequences)
      for (let i = 0; i < values.length; i++)
        if (Math.min(values[i]!.length / width, maxLength) !== this.#lengths[i])
          throw new PolluxError(
            'SHAPE_MISMATCH',
            `SequenceDataset: sample ${i} has ${values[i]!.length} numbers in ${name}, which is not ${this.#lengths[i]} steps of ${width}.`,
          );
  }

  override lengthOf = (index: number): number => this.#lengths[index]!;

  override get(indices: Indices, options: GetOptions<SequenceSchema<F>> = {}): Batch<SequenceSchema<F>> {
    let longest = 0;
    for (let i = 0; i < indices.length; i++) longest = Math.max(longest, this.#lengths[this.checkIndex(indices[i]!)]!);
    const { length = longest } = options;
    if (length < longest)
      throw new PolluxError('SHAPE_MISMATCH', `SequenceDataset: a sample of ${longest} steps does not fit into a batch of ${length}.`);
    const out = options.out ?? allocateBatch(resolveSchema(this.schema, length), indices.length);
    const batch = out as unknown as Record<string, { data: Float32Array }>;
    for (const { name, values } of this.#numbers) for (let i = 0; i < indices.length; i++) batch[name]!.data[i] = values[indices[i]!]!;
    for (const { name, values, width, pad } of this.#sequences) {
      const { data } = batch[name]!;
      data.fill(pad);
      for (let i = 0; i < indices.length; i++) {
        const from = values[indices[i]!]!;
        const count = this.#lengths[indices[i]!]! * width;
        for (let j = 0, to = i * length * width; j < count; j++, to++) data[to] = from[j]!;
      }
    }
    batch.mask!.data.fill(0);
    for (let i = 0; i < indices.length; i++) {
      const size = this.#lengths[indices[i]!]!;
      batch.mask!.data.fill(1, i * length, i * length + size);
      batch.lengths!.data[i] = size;
    }
    return out;
  }
}

const isNumbers = (field: readonly Sequence[] | SequenceField | Sequence): field is Sequence =>
  !('values' in field && Array.isArray(field.values)) &&
  (ArrayBuffer.isView(field) || typeof (field as readonly unknown[])[0] === 'number');

/** Throws for numbers that an integer field would cut. */
function requireWhole(name: string, values: Sequence, sample?: number): void {
  if (ArrayBuffer.isView(values) && !(values instanceof Float32Array || values instanceof Float64Array)) return;
  const place = Array.prototype.findIndex.call(values, (value) => !Number.isInteger(value));
  if (place < 0) return;
  const where = sample === undefined ? `sample ${place} of ${name}` : `step ${place} of sample ${sample} of ${name}`;
  const remedy = sample === undefined ? 'new Float32Array(values)' : "{ values, dtype: 'float32' }";
  throw new PolluxError(
    'DTYPE_MISMATCH',
    `SequenceDataset: ${where} is ${String(values[place])}, no whole number, but the field is int32. For float32 give ${remedy}.`,
  );
}
