import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { allocateBatch, Dataset } from './dataset.js';
import type { Batch, Field, GetOptions, Indices } from './dataset.js';
import { dtypeOf, elementCount, holds } from '../tensor/hostArray.js';
import type { TypedArray } from '../tensor/hostArray.js';

/** All samples of one field: `data` holds `shape` = [samples, ...sample shape]. */
export interface ArrayField {
  data: TypedArray;
  shape: readonly [number, ...number[]];
  /** Needed only where the typed array leaves it open: bfloat16, float16 and bool. */
  dtype?: DType;
  /** A table of 256 values for uint8 data: bytes are stored, `levels[byte]` is given out as float32. */
  levels?: Float32Array;
}

type DTypeOfArray<A> = A extends Float32Array
  ? 'float32'
  : A extends Int32Array
    ? 'int32'
    : A extends BigInt64Array
      ? 'int64'
      : A extends Int8Array
        ? 'int8'
        : A extends Uint16Array
          ? 'bfloat16' | 'float16'
          : 'uint8';
type Tail<S extends readonly number[]> = S extends readonly [number, ...infer R extends readonly number[]] ? R : readonly number[];
type FieldOf<F extends ArrayField> = Field<
  Tail<F['shape']>,
  F extends { levels: Float32Array } ? 'float32' : F extends { dtype: infer D extends DType } ? D : DTypeOfArray<F['data']>
>;

/** The schema that arrays have as samples: the first axis of each shape counts the samples. */
export type SchemaOf<F extends Record<string, ArrayField>> = { readonly [K in keyof F]: FieldOf<F[K]> };

interface Column {
  readonly name: string;
  readonly data: TypedArray;
  readonly size: number;
  readonly levels: Float32Array | undefined;
}

/**
 * Samples held in memory, one typed array a field:
 * `new ArrayDataset({ x: { data: pixels, shape: [1000, 28, 28, 1] }, y: { data: labels, shape: [1000] } })`.
 */
export class ArrayDataset<const F extends Record<string, ArrayField>> extends Dataset<SchemaOf<F>> {
  readonly length: number;
  readonly schema: SchemaOf<F>;
  readonly #columns: readonly Column[];

  /**
   * @throws PolluxError SHAPE_MISMATCH if an array's length differs from its shape, or the fields differ in their
   * number of samples; DTYPE_MISMATCH if an array cannot hold its dtype.
   */
  constructor(fields: F) {
    super();
    const names = Object.keys(fields);
    if (names.length === 0) throw new TypeError('ArrayDataset: needs at least one field, such as { x, y }.');
    const schema: Record<string, Field> = {};
    const columns: Column[] = [];
    for (const name of names) {
      const { data, shape, dtype, levels } = fields[name]!;
      const stored = checkField(name, fields[name]!);
      schema[name] = { shape: shape.slice(1), dtype: levels ? 'float32' : (dtype ?? stored) };
      columns.push({ name, data, size: elementCount(shape.slice(1)), levels });
    }
    const lengths = names.map((name) => fields[name]!.shape[0]);
    if (lengths.some((length) => length !== lengths[0])) {
      const counts = names.map((name, i) => `${name} has ${lengths[i]}`).join(', ');
      throw new PolluxError('SHAPE_MISMATCH', `ArrayDataset: the fields differ in their number of samples: ${counts}.`);
    }
    this.length = lengths[0]!;
    this.schema = schema as SchemaOf<F>;
    this.#columns = columns;
  }

  override get(indices: Indices, options: GetOptions<SchemaOf<F>> = {}): Batch<SchemaOf<F>> {
    for (let i = 0; i < indices.length; i++) this.checkIndex(indices[i]!);
    const out = options.out ?? allocateBatch(this.schema, indices.length);
    for (const column of this.#columns) copySamples(column, indices, out[column.name]!.data);
    return out;
  }
}

function checkField(name: string, { data, shape, dtype, levels }: ArrayField): DType {
  const where = `ArrayDataset: field "${name}"`;
  if (!Array.isArray(shape) || shape.length === 0 || shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new RangeError(`${where}: shape must be [samples, ...] of whole numbers, got [${String(shape)}].`);
  }
  const stored = dtype ?? dtypeOf(data);
  if (stored === undefined || !holds(data, stored)) {
    const kind = (data as object | undefined)?.constructor?.name ?? typeof data;
    throw new PolluxError(
      'DTYPE_MISMATCH',
      `${where}: ${kind} does not hold ${dtype ?? 'a known dtype'}. ` +
        'Use Float32Array, Int32Array, BigInt64Array, Uint8Array, Int8Array, or Uint16Array with dtype bfloat16 or float16.',
    );
  }
  if (data.length !== elementCount(shape)) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: shape [${shape.join(', ')}] needs ${elementCount(shape)} elements, the array has ${data.length}.`,
    );
  }
  if (levels && (stored !== 'uint8' || levels.length !== 256)) {
    throw new PolluxError('DTYPE_MISMATCH', `${where}: levels need uint8 data and 256 values.`);
  }
  return stored;
}

function copySamples({ data, size, levels }: Column, indices: Indices, target: TypedArray): void {
  if (levels) {
    copyLevels(data as Uint8Array, size, levels, indices, target as Float32Array);
    return;
  }
  if (size === 1) {
    for (let i = 0; i < indices.length; i++) target[i] = data[indices[i]!]!;
    return;
  }
  // The arrays are of one type; Float32Array stands for all of them.
  const source = data as Float32Array;
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i]! * size;
    (target as Float32Array).set(source.subarray(start, start + size), i * size);
  }
}

function copyLevels(source: Uint8Array, size: number, levels: Float32Array, indices: Indices, target: Float32Array): void {
  for (let i = 0, to = 0; i < indices.length; i++) {
    const start = indices[i]! * size;
    for (let from = start; from < start + size; from++) target[to++] = levels[source[from]!]!;
  }
}

/**
 * Class numbers as an int32 field: `y: classLabels([5, 0, 4], 10)`.
 * @throws PolluxError LABEL_OUT_OF_RANGE for a label that is no whole number in [0, classes).
 */
export function classLabels(values: ArrayLike<number>, classes: number): { data: Int32Array; shape: [number] } {
  const data = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const label = values[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new PolluxError(
        'LABEL_OUT_OF_RANGE',
        `classLabels: label ${i} is ${label}; labels are whole numbers from 0 to ${classes - 1}.`,
      );
    }
    data[i] = label;
  }
  return { data, shape: [values.length] };
}
