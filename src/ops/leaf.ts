import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import type { Type } from '../graph/op.js';
import { applyOne, defineRecord } from './define.js';
import { normaliseAxis, requireDtype, requireShape, arithmetic } from './support.js';

type TypeAttributes = { readonly shape: readonly number[]; readonly dtype: string };
type ConstantAttributes = TypeAttributes & { readonly value: number };
type IotaAttributes = TypeAttributes & { readonly axis: number };

/** Attributes hold texts; those of dtypes are written by the builders alone. */
const typeOf = ({ shape, dtype }: TypeAttributes): Type => ({ shape, dtype: dtype as DType });

export const leafRecords = {
  leaf: defineRecord<TypeAttributes>({ name: 'leaf', cost: 'source', infer: (_, type) => typeOf(type) }),
  constant: defineRecord<ConstantAttributes>({ name: 'constant', cost: 'source', infer: (_, type) => typeOf(type) }),
  iota: defineRecord<IotaAttributes>({
    name: 'iota',
    cost: 'source',
    infer(_, attributes) {
      const type = typeOf(attributes);
      requireDtype('iota', type, arithmetic, 'the result');
      return type;
    },
  }),
  identity: defineRecord({ name: 'identity', cost: 'view', infer: ([x]) => x, gradient: ({ dy }) => dy }),
  detach: defineRecord({ name: 'detach', cost: 'view', stops: true, infer: ([x]) => x }),
  copy: defineRecord({ name: 'copy', cost: 'move', infer: ([x]) => x, gradient: ({ dy }) => dy }),
};

/** A value whose data is bound from outside. Each call makes another one. */
export function leaf(shape: readonly number[], dtype: DType): Value {
  requireShape('leaf', shape);
  return applyOne(leafRecords.leaf, [], { shape, dtype });
}

/** Every element the same number, which the dtype must be able to hold. */
export function constant(value: number, shape: readonly number[] = [], dtype: DType = 'float32'): Value {
  requireShape('constant', shape);
  const whole = dtype === 'int8' || dtype === 'uint8' || dtype === 'int32' || dtype === 'int64';
  if (typeof value !== 'number') throw new TypeError(`constant: ${String(value)} is not a number`);
  if (whole && !Number.isInteger(value)) throw new TypeError(`constant: ${value} is not an integer, but the dtype is ${dtype}`);
  return applyOne(leafRecords.constant, [], { shape, dtype, value });
}

export const zerosLike = (type: Type): Value => constant(0, type.shape, type.dtype);
export const onesLike = (type: Type): Value => constant(1, type.shape, type.dtype);

/** The index of each element along `axis`: 0, 1, 2, ... */
export function iota(shape: readonly number[], axis = 0, dtype: DType = 'int32'): Value {
  requireShape('iota', shape);
  return applyOne(leafRecords.iota, [], { shape, dtype, axis: normaliseAxis('iota', axis, shape.length) });
}

/** The same value by another name. */
export const identity = (x: Value): Value => applyOne(leafRecords.identity, [x], {});

/** The same value, through which no gradient flows. */
export const detach = (x: Value): Value => applyOne(leafRecords.detach, [x], {});

/** The value written out in memory of its own. */
export const copy = (x: Value): Value => applyOne(leafRecords.copy, [x], {});
