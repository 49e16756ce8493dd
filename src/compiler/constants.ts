import { byteSize } from '../graph/dtype.js';
import type { DType } from '../graph/dtype.js';
import { Buffer } from './step.js';

const ALIGNMENT = 8;

/** The numbers that steps read from memory: one element each, however large the value that repeats it. */
export class Constants {
  private readonly buffers = new Map<string, Buffer>();
  private readonly numbers: { readonly value: number; readonly dtype: DType }[] = [];

  buffer(value: number, dtype: DType): Buffer {
    const key = `${dtype}:${Object.is(value, -0) ? '-0' : value}`;
    let buffer = this.buffers.get(key);
    if (!buffer) {
      buffer = new Buffer(byteSize(dtype), undefined);
      buffer.location = { kind: 'constant', index: 0, offset: this.numbers.length * ALIGNMENT };
      this.buffers.set(key, buffer);
      this.numbers.push({ value, dtype });
    }
    return buffer;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.numbers.length * ALIGNMENT);
    const view = new DataView(bytes.buffer);
    this.numbers.forEach(({ value, dtype }, i) => writeNumber(view, i * ALIGNMENT, value, dtype));
    return bytes;
  }
}

function writeNumber(view: DataView, at: number, value: number, dtype: DType): void {
  switch (dtype) {
    case 'float32':
      return view.setFloat32(at, value, true);
    case 'bfloat16':
      return view.setUint16(at, roundToBfloat16(value), true);
    case 'float16':
      return view.setUint16(at, roundToFloat16(value), true);
    case 'int8':
      return view.setInt8(at, value);
    case 'uint8':
      return view.setUint8(at, value);
    case 'int32':
      return view.setInt32(at, value, true);
    case 'int64':
      return view.setBigInt64(at, BigInt(value), true);
    case 'bool':
      return view.setUint8(at, value ? 1 : 0);
  }
}

const scratch = new DataView(new ArrayBuffer(4));

/** To nearest, ties to even, through float32; NaN stays NaN. */
function roundToBfloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** To nearest, ties to even. */
function roundToFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const scaled = size / 2 ** (exponent - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
  // A mantissa of 11 bits carries into the exponent by itself.
  return sign | (size < 2 ** -14 ? rounded : ((exponent + 15) << 10) + (rounded - 1024));
}
