// Arrays as the bytes that a device holds. A codec of its own: what is under test must not encode its own test data.
import { byteSize } from '../../src/graph/dtype.js';
import type { DType } from '../../src/graph/dtype.js';
import { sizeOf } from '../../src/graph/op.js';
import type { Type } from '../../src/graph/op.js';
import type { NdArray64 } from '../references/array.js';

const scratch = new DataView(new ArrayBuffer(4));

function floatOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Bits of a number that float16 holds exactly. */
function halfOfFloat(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  if (size < 2 ** exponent) exponent--;
  return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
}

function floatOfBrain(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Bits of a number that bfloat16 holds exactly. */
function brainOfFloat(x: number): number {
  scratch.setFloat32(0, x);
  return scratch.getUint32(0) >>> 16;
}

type Access = { get(view: DataView, at: number): number; set(view: DataView, at: number, x: number): void };
const access: Record<DType, Access> = {
  float32: { get: (view, at) => view.getFloat32(at, true), set: (view, at, x) => view.setFloat32(at, x, true) },
  bfloat16: { get: (view, at) => floatOfBrain(view.getUint16(at, true)), set: (view, at, x) => view.setUint16(at, brainOfFloat(x), true) },
  float16: { get: (view, at) => floatOfHalf(view.getUint16(at, true)), set: (view, at, x) => view.setUint16(at, halfOfFloat(x), true) },
  int8: { get: (view, at) => view.getInt8(at), set: (view, at, x) => view.setInt8(at, x) },
  uint8: { get: (view, at) => view.getUint8(at), set: (view, at, x) => view.setUint8(at, x) },
  int32: { get: (view, at) => view.getInt32(at, true), set: (view, at, x) => view.setInt32(at, x, true) },
  int64: { get: (view, at) => Number(view.getBigInt64(at, true)), set: (view, at, x) => view.setBigInt64(at, BigInt(x), true) },
  bool: { get: (view, at) => view.getUint8(at), set: (view, at, x) => view.setUint8(at, x) },
};

/** Elements, each exact in its dtype, as bytes. */
export function bytesOf({ dtype, data }: NdArray64): Uint8Array {
  const bytes = new Uint8Array(data.length * byteSize(dtype));
  const view = new DataView(bytes.buffer);
  data.forEach((x, i) => access[dtype].set(view, i * byteSize(dtype), x));
  return bytes;
}

export function arrayOfBytes({ shape, dtype }: Type, bytes: Uint8Array): NdArray64 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = sizeOf(shape);
  if (bytes.byteLength !== size * byteSize(dtype)) throw new Error(`${bytes.byteLength} bytes do not hold ${dtype}[${shape.join(', ')}]`);
  return { shape, dtype, data: Float64Array.from({ length: size }, (_, i) => access[dtype].get(view, i * byteSize(dtype))) };
}
