import { checkOptions, PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type ArrayOf, dtypeOfArray, flattenNested, type TypedArray, typedArray } from './host.js';
import { normalValue, uniformValue } from './random.js';
import type { DTypeOf, Nested, Reshape, Shape, ShapeOf } from './shapes.js';
import { Storage } from './storage.js';
import type { Tensor } from './tensor.js';
import { wrap } from './wrap.js';

/** Data with its shape, as steps and `tensor()` take it. */
export interface HostData<D extends DType = DType> {
  data: ArrayBufferView;
  shape: readonly number[];
  /** Default: what the typed array holds (Float32Array: float32, Int32Array: int32, BigInt64Array: int64, Uint8Array: uint8). */
  dtype?: D;
}

/** Checks host data and gives it as a typed array of its dtype, without a copy. Throws on a length that the shape does not have. */
export function hostArray(source: HostData, where: string): { array: TypedArray; dtype: DType } {
  const { data, shape } = source;
  if (!ArrayBuffer.isView(data)) throw new TypeError(`${where}: data must be a typed array, got ${data === null ? 'null' : typeof data}.`);
  if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new TypeError(`${where}: shape must be an array of sizes >= 0, got ${JSON.stringify(shape)}.`);
  }
  const dtype = source.dtype ?? dtypeOfArray(data);
  const probe = typedArray(dtype, 0);
  const count = sizeOf(shape);
  if (data.byteLength !== count * probe.BYTES_PER_ELEMENT) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: shape [${shape.join(', ')}] of ${dtype} takes ${count * probe.BYTES_PER_ELEMENT} bytes, the data has ${data.byteLength}.`,
    );
  }
  if (data.byteOffset % probe.BYTES_PER_ELEMENT)
    return { array: typedArray(dtype, data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)), dtype };
  return { array: typedArray(dtype, data.buffer, data.byteOffset, count), dtype };
}

/**
 * A tensor from nested arrays (numbers: float32 unless said; booleans: bool) or from a typed array with a shape; the data is
 * copied. Throws SHAPE_MISMATCH on ragged arrays or a wrong length.
 */
export function tensor<const T extends Nested>(data: T): Tensor<ShapeOf<T>, DTypeOf<T>>;
export function tensor<const T extends Nested, D extends DType>(data: T, dtype: D): Tensor<ShapeOf<T>, D>;
export function tensor<const S extends Shape, D extends DType = 'float32'>(source: {
  data: ArrayBufferView;
  shape: S;
  dtype?: D;
}): Tensor<S, D>;
export function tensor(source: Nested | HostData, dtype?: DType): Tensor {
  if (typeof source === 'object' && !Array.isArray(source) && source !== null && 'data' in source) {
    const { array, dtype: found } = hostArray(source as HostData, 'tensor');
    return leafTensor([...(source as HostData).shape], found, array.slice());
  }
  const nested = source as Nested;
  const found = dtype ?? (firstElement(nested) === 'boolean' ? 'bool' : 'float32');
  const { array, shape } = flattenNested(nested, found);
  return leafTensor(shape, found, array);
}

function firstElement(data: Nested): string {
  let item: Nested | undefined = data;
  while (Array.isArray(item)) item = item[0] as Nested | undefined;
  return typeof item;
}

/** A tensor over host data that nobody else writes to. */
export function leafTensor(shape: readonly number[], dtype: DType, host: TypedArray): Tensor {
  return wrap(new Storage(shape, dtype, { host }).leaf);
}

const filled = (shape: Shape, dtype: DType, value: number): Tensor => wrap(ops.constant(value, [...shape], dtype));

/** A tensor of zeros; float32 unless said. */
export function zeros<const S extends Shape>(shape: S): Tensor<Reshape<S>, 'float32'>;
export function zeros<const S extends Shape, D extends DType>(shape: S, dtype: D): Tensor<Reshape<S>, D>;
export function zeros(shape: Shape, dtype: DType = 'float32'): Tensor {
  return filled(shape, dtype, 0);
}

/** A tensor of ones; float32 unless said. */
export function ones<const S extends Shape>(shape: S): Tensor<Reshape<S>, 'float32'>;
export function ones<const S extends Shape, D extends DType>(shape: S, dtype: D): Tensor<Reshape<S>, D>;
export function ones(shape: Shape, dtype: DType = 'float32'): Tensor {
  return filled(shape, dtype, 1);
}

/** A tensor of one number; float32 unless said. */
export function full<const S extends Shape, D extends DType = 'float32'>(shape: S, value: number, dtype?: D): Tensor<Reshape<S>, D>;
export function full(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  return filled(shape, dtype, value);
}

/** Zeros of the shape and dtype of another tensor. */
export const zerosLike = <S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> => filled(x.shape, x.dtype, 0);
/** Ones of the shape and dtype of another tensor. */
export const onesLike = <S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> => filled(x.shape, x.dtype, 1);

/** start, start + step, ... before stop. */
export function arange(start: number, stop: number, step?: number): Tensor<readonly [number], 'float32'>;
export function arange<D extends 'float32' | 'int32' | 'int64'>(
  start: number,
  stop: number,
  step: number,
  dtype: D,
): Tensor<readonly [number], D>;
export function arange(start: number, stop: number, step = 1, dtype: DType = 'float32'): Tensor {
  if (!(step !== 0)) throw new RangeError('arange: step must not be 0.');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  const count = ops.iota([length], 0, dtype);
  return wrap(ops.add(ops.mul(count, ops.constant(step, [], dtype)), ops.constant(start, [], dtype)));
}

/** `count` numbers from start to stop, both included, in equal steps. */
export const linspace = (start: number, stop: number, count: number): Tensor<readonly [number], 'float32'> =>
  wrap(ops.linspace(start, stop, count));

/** `count` powers of `base` (default 10), whose exponents go from start to stop in equal steps. */
export const logspace = (start: number, stop: number, count: number, base = 10): Tensor<readonly [number], 'float32'> =>
  wrap(ops.pow(ops.constant(base), ops.linspace(start, stop, count)));

/** The identity matrix. */
export function eye<N extends number>(n: N): Tensor<readonly [N, N], 'float32'> {
  return wrap(ops.cast(ops.equal(ops.iota([n, n], 0), ops.iota([n, n], 1)), 'float32'));
}

/** Uniform numbers in [low, high). */
export function uniform<const S extends Shape>(shape: S, options: { low?: number; high?: number } = {}): Tensor<Reshape<S>, 'float32'> {
  checkOptions('uniform', options, ['low', 'high']);
  const { low = 0, high = 1 } = options;
  return wrap(affine(uniformValue([...shape]), high - low, low));
}

/** Normal numbers. */
export function normal<const S extends Shape>(shape: S, options: { mean?: number; std?: number } = {}): Tensor<Reshape<S>, 'float32'> {
  checkOptions('normal', options, ['mean', 'std']);
  const { mean = 0, std = 1 } = options;
  return wrap(affine(normalValue([...shape]), std, mean));
}

/** true with the given probability. */
export function bernoulli<const S extends Shape>(shape: S, probability = 0.5): Tensor<Reshape<S>, 'bool'> {
  if (!(probability >= 0 && probability <= 1)) throw new RangeError(`bernoulli: probability must lie in [0, 1], got ${probability}.`);
  return wrap(ops.less(uniformValue([...shape]), ops.constant(probability, [], 'float32')));
}

function affine(x: Value, scale: number, shift: number): Value {
  const scaled = scale === 1 ? x : ops.mul(x, ops.constant(scale, [], 'float32'));
  return shift === 0 ? scaled : ops.add(scaled, ops.constant(shift, [], 'float32'));
}

export type { ArrayOf };
