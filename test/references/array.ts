import type { DType } from '../../src/graph/dtype.js';
import { sizeOf } from '../../src/graph/op.js';
import type { Attributes, Op, Type } from '../../src/graph/op.js';
import type { OpName, records } from '../../src/ops/index.js';

/**
 * An array whose elements are all float64, whatever its dtype: float types hold more than they could on a device, integers are
 * exact (int64 up to 2^53), bool is 0 or 1.
 */
export interface NdArray64 extends Type {
  readonly data: Float64Array;
}

export type AttributesOf<N extends OpName> = (typeof records)[N] extends Op<infer A extends Attributes> ? A : never;

/** What an op computes, written plainly. `types` are those of the outputs. */
export type Reference<A> = (inputs: readonly NdArray64[], attributes: A, types: readonly Type[]) => NdArray64[];

/** References of some ops, each with the attributes of its record. */
export type References<N extends OpName> = { readonly [K in N]: Reference<AttributesOf<K>> };

export const arrayOf = ({ shape, dtype }: Type, data: ArrayLike<number>): NdArray64 => {
  if (data.length !== sizeOf(shape)) throw new Error(`${data.length} elements do not fill [${shape.join(', ')}]`);
  return { shape, dtype, data: Float64Array.from(data) };
};

/** Row-major steps from one element to the next along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Calls `fn` with each index of a shape in row-major order; the list is the same object each time. */
export function forEachIndex(shape: readonly number[], fn: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const size = sizeOf(shape);
  for (let flat = 0; flat < size; flat++) {
    fn(index, flat);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

/** The row-major place of an index. */
export const placeOf = (shape: readonly number[], index: readonly number[]): number =>
  index.reduce((place, at, axis) => place * shape[axis]! + at, 0);

export const elementAt = (x: NdArray64, index: readonly number[]): number => x.data[placeOf(x.shape, index)]!;

/** An array computed element by element. */
export function build({ shape, dtype }: Type, fn: (index: readonly number[], flat: number) => number): NdArray64 {
  const data = new Float64Array(sizeOf(shape));
  forEachIndex(shape, (index, flat) => {
    data[flat] = fn(index, flat);
  });
  return { shape, dtype, data };
}

/** `shape` with the entries at `axes` replaced. */
export const indexWith = (index: readonly number[], axis: number, at: number): number[] => index.map((n, i) => (i === axis ? at : n));

const bits = new DataView(new ArrayBuffer(8));

/** To the nearest float with `mantissa` bits of fraction and exponents from `least` on; halves go to the even one. */
function roundFloat(x: number, mantissa: number, least: number, greatest: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  bits.setFloat64(0, x);
  const exponent = Math.max(((bits.getUint16(0) >> 4) & 0x7ff) - 1023, least);
  const unit = 2 ** (exponent - mantissa);
  const rounded = roundHalfEven(x / unit) * unit;
  return Math.abs(rounded) > greatest ? Math.sign(x) * Infinity : rounded;
}

/** To the nearest integer; halves go to the even one. */
export function roundHalfEven(x: number): number {
  if (!Number.isFinite(x)) return x;
  const below = Math.floor(x);
  const rest = x - below;
  const result = rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
  return result === 0 && (x < 0 || Object.is(x, -0)) ? -0 : result;
}

const ranges: Partial<Record<DType, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
};

/** An integer brought into the range of its type as two's complement does. */
export function wrap(x: number, dtype: DType): number {
  if (dtype === 'int8') return (x << 24) >> 24;
  if (dtype === 'uint8') return Number(BigInt.asUintN(8, BigInt(x)));
  if (dtype === 'int32') return Number(BigInt.asIntN(32, BigInt(x)));
  return x + 0;
}

/** One element converted from a dtype to another. float32 stays as it is: the reference is more exact than the device. */
export function convert(x: number, from: DType, to: DType): number {
  if (to === 'bool') return x !== 0 ? 1 : 0;
  if (to === 'float32') return x;
  if (to === 'bfloat16') return roundFloat(x, 7, -126, 2 ** 127 * (2 - 2 ** -7));
  if (to === 'float16') return roundFloat(x, 10, -14, 65504);
  const fromFloat = from === 'float32' || from === 'bfloat16' || from === 'float16';
  if (!fromFloat) return wrap(x, to);
  const [low, high] = ranges[to]!;
  return Number.isNaN(x) ? 0 : Math.trunc(Math.min(high, Math.max(low, x))) + 0;
}
