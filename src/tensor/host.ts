/** Values as JavaScript holds them: typed arrays and nested arrays, for every dtype. */
import { inspect } from 'node:util';
import { PolluxError } from '../errors.js';
import { type DType, dtypes } from '../graph/dtype.js';
import { sizeOf } from '../graph/op.js';
import type { Nested } from './shapes.js';

export type TypedArray = Float32Array | Uint16Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;
/** The typed array that holds a dtype. bfloat16 and float16 travel as their bits. */
export interface ArrayOf {
  float32: Float32Array;
  bfloat16: Uint16Array;
  float16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
}
const constructors = {
  float32: Float32Array,
  bfloat16: Uint16Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** A typed array over `buffer` (or a new one of `length` zeros) for the dtype. */
export function typedArray(dtype: DType, source: number | ArrayBufferLike, byteOffset = 0, length?: number): TypedArray {
  const Constructor = constructors[dtype];
  if (!Constructor) throw new TypeError(`${inspect(dtype)} is no dtype. Dtypes are ${dtypes.join(', ')}.`);
  return typeof source === 'number' ? new Constructor(source) : new Constructor(source as ArrayBuffer, byteOffset, length);
}

/** The dtype that a typed array holds when none is said. */
export function dtypeOfArray(data: ArrayBufferView): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  throw new TypeError(
    `${data.constructor.name} has no dtype of its own. Pass a Float32Array, Int32Array, BigInt64Array, Uint8Array or Int8Array, ` +
      `or say the dtype: { data, shape, dtype: 'bfloat16' }.`,
  );
}

const scratch = new DataView(new ArrayBuffer(4));

/** float32 to bfloat16 bits, to nearest even; NaN stays NaN. */
export function toBfloat16(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(x)) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** float32 to IEEE half bits, to nearest even. */
export function toFloat16(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  // Below the normal range the spacing is fixed; above it follows the exponent.
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.max(size, 2 ** -24))));
  const adjusted = size < 2 ** exponent ? Math.max(-14, exponent - 1) : exponent;
  const scaled = size / 2 ** (adjusted - 10);
  let mantissa = Math.floor(scaled);
  const rest = scaled - mantissa;
  if (rest > 0.5 || (rest === 0.5 && mantissa % 2 === 1)) mantissa++;
  return sign | (mantissa < 1024 ? mantissa : (adjusted + 14) * 1024 + mantissa);
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Writes one JavaScript number as an element. */
export function setElement(array: TypedArray, dtype: DType, i: number, x: number): void {
  if (dtype === 'int64') (array as BigInt64Array)[i] = BigInt(Math.trunc(x));
  else if (dtype === 'bfloat16') array[i] = toBfloat16(x);
  else if (dtype === 'float16') array[i] = toFloat16(x);
  else if (dtype === 'bool') array[i] = x !== 0 ? 1 : 0;
  else array[i] = x;
}

/** One element as a JavaScript number; int64 beyond 2^53 loses low digits (data() keeps them). */
export function getElement(array: TypedArray, dtype: DType, i: number): number {
  const x = array[i]!;
  if (dtype === 'bfloat16') return fromBfloat16(x as number);
  if (dtype === 'float16') return fromFloat16(x as number);
  return Number(x);
}

/** Shape of nested arrays; throws where a row has another length than its first sibling. */
function shapeOfNested(data: Nested): number[] {
  const shape: number[] = [];
  let level: Nested = data;
  while (Array.isArray(level)) {
    shape.push(level.length);
    if (level.length === 0) break;
    level = level[0]! as Nested;
  }
  return shape;
}

/** What was found where a number belongs; for typed arrays, what to write instead. */
const kindOf = (item: unknown): string =>
  ArrayBuffer.isView(item)
    ? `a ${item.constructor.name}; give it with its shape: tensor({ data, shape: [${(item as Uint8Array).length}] })`
    : item === null
      ? 'null'
      : typeof item;

/** Nested arrays to a typed array. */
export function flattenNested(data: Nested, dtype: DType): { array: TypedArray; shape: number[] } {
  const shape = shapeOfNested(data);
  const array = typedArray(dtype, sizeOf(shape));
  let next = 0;
  const visit = (item: Nested, axis: number): void => {
    if (Array.isArray(item) !== axis < shape.length || (Array.isArray(item) && item.length !== shape[axis])) {
      const found = Array.isArray(item) ? `length ${item.length}` : `the element ${String(item)}`;
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `tensor: ragged arrays. Axis ${axis} should have ${axis < shape.length ? `length ${shape[axis]}` : 'single numbers'} but holds ${found}.`,
      );
    }
    if (Array.isArray(item)) for (const child of item) visit(child as Nested, axis + 1);
    else {
      if (typeof item !== 'number' && typeof item !== 'boolean')
        throw new TypeError(`tensor: expected numbers or booleans, found ${kindOf(item)}.`);
      setElement(array, dtype, next++, Number(item));
    }
  };
  visit(data, 0);
  return { array, shape };
}

/** The nested arrays that toArray() returns: numbers, or booleans for bool. */
export type NestedArray = number | boolean | NestedArray[];

export function toNested(array: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  let next = 0;
  const build = (axis: number): NestedArray => {
    if (axis === shape.length) {
      const x = getElement(array, dtype, next++);
      return dtype === 'bool' ? x !== 0 : x;
    }
    return Array.from({ length: shape[axis]! }, () => build(axis + 1));
  };
  return build(0);
}
