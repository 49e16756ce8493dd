/** Element types. The order is the wire code of each type; native/backend.h holds the same order, and a test compares them. */
export const dtypes = ['float32', 'bfloat16', 'float16', 'int8', 'uint8', 'int32', 'int64', 'bool'] as const;
/** Element types. float32, int32 and int64 compute, bool is logic, the others are storage: `cast` them. */
export type DType = (typeof dtypes)[number];

const bytes: Record<DType, number> = { float32: 4, bfloat16: 2, float16: 2, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 };

/** Bytes of one element. */
export const byteSize = (dtype: DType): number => bytes[dtype];

export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16';

/** Types that arithmetic is defined on. The others are storage: they are cast before they are computed with. */
export const isComputed = (dtype: DType): boolean => dtype === 'float32' || dtype === 'int32' || dtype === 'int64';
