import type { DType } from '../graph/dtype.js';
import { typedArray } from './host.js';
import type { ArrayOf as ArrayTypes } from './host.js';

/** The typed array that holds elements of a dtype: 16-bit floats travel as their bits, bool as 0 and 1. */
export type ArrayOf<D extends DType> = ArrayTypes[D];
/** The typed arrays in which data of the dtypes are kept. */
export type TypedArray = ArrayOf<DType>;

/** Values in host memory: `data` holds `shape` in row-major order. Steps and models take these as they take tensors. */
export interface HostArray<D extends DType = DType, S extends readonly number[] = readonly number[]> {
  data: ArrayOf<D>;
  shape: S;
  dtype: D;
}

/** A zeroed typed array for `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  return typedArray(dtype, length) as ArrayOf<D>;
}

/** True if `data` is the kind of typed array that holds `dtype`. */
export const holds = (data: unknown, dtype: DType): boolean => data instanceof allocate(dtype, 0).constructor;

/** The dtype of a typed array; Uint16Array has two readings and Float64Array none, so they give undefined. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  return undefined;
}

/** The number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** `data[start, stop)` as a view on the same memory. */
export function view<D extends DType>(data: ArrayOf<D>, start: number, stop: number): ArrayOf<D> {
  return data.subarray(start, stop) as ArrayOf<D>;
}
