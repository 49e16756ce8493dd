// Broadcast and sum are each other's gradient, so they live together; so does reshape, which both need.
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { applyOne, defineRecord } from './define.js';
import { arithmetic, broadcastShapes, fail, normaliseAxes, requireDtype, requireSameDtype, requireShape, showShape } from './support.js';
import { constant } from './leaf.js';

type ShapeAttributes = { readonly shape: readonly number[] };
export type ReduceAttributes = { readonly axes: readonly number[]; readonly keepDims: boolean };

/** The shape that a reduction leaves. */
export const reducedShape = (shape: readonly number[], { axes, keepDims }: ReduceAttributes): number[] =>
  keepDims ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : shape.filter((_, i) => !axes.includes(i));

export const broadcastRecords = {
  reshape: defineRecord<ShapeAttributes>({
    name: 'reshape',
    cost: 'view',
    infer([x], { shape }) {
      requireShape('reshape', shape);
      if (sizeOf(shape) !== sizeOf(x.shape)) {
        fail(
          'SHAPE_MISMATCH',
          'reshape',
          `shape ${showShape(x.shape)} has ${sizeOf(x.shape)} elements and ${showShape(shape)} ${sizeOf(shape)}`,
        );
      }
      return { shape, dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x] }) => reshape(dy, x.shape),
  }),
  broadcast: defineRecord<ShapeAttributes>({
    name: 'broadcast',
    cost: 'view',
    infer([x], { shape }) {
      requireShape('broadcast', shape);
      const offset = shape.length - x.shape.length;
      if (offset < 0 || x.shape.some((size, i) => size !== 1 && size !== shape[offset + i])) {
        fail('SHAPE_MISMATCH', 'broadcast', `shape ${showShape(x.shape)} does not broadcast to ${showShape(shape)}`);
      }
      return { shape, dtype: x.dtype };
    },
    gradient({ dy, inputs: [x], attributes: { shape } }) {
      const offset = shape.length - x.shape.length;
      const repeated = shape.flatMap((size, i) => (i < offset || (x.shape[i - offset] === 1 && size !== 1) ? [i] : []));
      return reshape(sum(dy, repeated), x.shape);
    },
  }),
  sum: defineRecord<ReduceAttributes>({
    name: 'sum',
    cost: 'reduce',
    infer([x], attributes) {
      requireDtype('sum', x, arithmetic);
      return { shape: reducedShape(x.shape, attributes), dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x], attributes: { axes } }) => restoreAxes(dy, x.shape, axes),
    flops: ([x]) => sizeOf(x.shape),
  }),
};

/** The same elements in row-major order under another shape; one size may be -1 and is then worked out. */
export function reshape(x: Value, shape: readonly number[]): Value {
  const open = shape.indexOf(-1);
  if (open >= 0) {
    if (shape.indexOf(-1, open + 1) >= 0) throw new RangeError(`reshape: ${showShape(shape)} leaves more than one size open`);
    const known = shape.reduce((product, size, i) => (i === open ? product : product * size), 1);
    const size = known === 0 ? 0 : sizeOf(x.shape) / known;
    if (!Number.isInteger(size))
      fail('SHAPE_MISMATCH', 'reshape', `the ${sizeOf(x.shape)} elements of ${showShape(x.shape)} do not fill ${showShape(shape)}`);
    return reshape(x, shape.with(open, size));
  }
  return sameShape(x.shape, shape) ? x : applyOne(broadcastRecords.reshape, [x], { shape });
}

/** Repeats `x` along new leading axes and axes of size 1, as NumPy does. */
export const broadcast = (x: Value, shape: readonly number[]): Value =>
  sameShape(x.shape, shape) ? x : applyOne(broadcastRecords.broadcast, [x], { shape });

/** Sum over `axes` (default: all). */
export function sum(x: Value, axes?: number | readonly number[], keepDims = false): Value {
  requireDtype('sum', x, arithmetic);
  const found = normaliseAxes('sum', axes, x.shape.length);
  return found.length === 0 ? x : applyOne(broadcastRecords.sum, [x], { axes: found, keepDims });
}

/** Repeats a reduced value (its axes kept as 1, or dropped) over the axes that the reduction took from `shape`. */
export const restoreAxes = (reduced: Value, shape: readonly number[], axes: readonly number[]): Value =>
  broadcast(
    reshape(
      reduced,
      shape.map((size, i) => (axes.includes(i) ? 1 : size)),
    ),
    shape,
  );

/** An operand of an elementwise builder: a value, or a number, which takes the dtype of the other operand. */
export type Operand = Value | number;

/** A number as a constant like `other`. */
export function operandLike(op: string, operand: Operand, other: Operand): Value {
  if (typeof operand !== 'number') return operand;
  if (typeof other === 'number') throw new TypeError(`${op}: one operand at least must be a value`);
  if (other.dtype.includes('int') && !Number.isInteger(operand)) {
    fail('DTYPE_MISMATCH', op, `${operand} does not go with ${other.dtype}; cast the other operand to float32`);
  }
  return constant(operand, other.shape, other.dtype);
}

/** Two operands brought to one shape; their dtypes must agree. */
export function broadcastPair(op: string, a: Operand, b: Operand): [Value, Value] {
  const left = operandLike(op, a, b);
  const right = operandLike(op, b, a);
  requireSameDtype(op, left, right);
  if (sameShape(left.shape, right.shape)) return [left, right];
  const shape = broadcastShapes(op, left.shape, right.shape);
  return [broadcast(left, shape), broadcast(right, shape)];
}
