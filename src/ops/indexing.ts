import type { Value } from '../graph/node.js';
import { sameShape } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { concat } from './movement.js';
import { broadcast, reshape } from './broadcast.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import type { DType } from '../graph/dtype.js';
import { applyOne, defineRecord } from './define.js';
import { constant, iota, zerosLike } from './leaf.js';
import { arithmetic, fail, indexTypes, normaliseAxis, requireDtype, requireSameDtype, showShape } from './support.js';

type AxisAttributes = { readonly axis: number };
type SizeAttributes = { readonly size: readonly number[] };

const requireIndices = (op: string, indices: Type): void => requireDtype(op, indices, indexTypes, 'the index');

const gatheredShape = (x: Type, indices: Type, axis: number): number[] => x.shape.toSpliced(axis, 1, ...indices.shape);

function requireUpdates(op: string, x: Type, updates: Type, shape: readonly number[]): void {
  requireDtype(op, x, arithmetic);
  requireSameDtype(op, x, updates);
  if (!sameShape(updates.shape, shape)) {
    fail(
      'SHAPE_MISMATCH',
      op,
      `the updates have shape ${showShape(updates.shape)}, but these indices of ${showShape(x.shape)} take ${showShape(shape)}`,
    );
  }
}

/** takeAlong pairs the axes of its operands, but for the one that it takes along. */
export function requirePaired(op: string, x: Type, indices: Type, axis: number): void {
  requireIndices(op, indices);
  if (x.shape.length !== indices.shape.length || x.shape.some((size, i) => i !== axis && size !== indices.shape[i])) {
    fail(
      'SHAPE_MISMATCH',
      op,
      `shapes ${showShape(x.shape)} and ${showShape(indices.shape)} of x and the index differ outside axis ${axis}`,
    );
  }
}

/** A window of `size` into a value of `x`'s shape, placed by `start`, which has one entry an axis. */
function requireWindow(op: string, x: Type, size: readonly number[], start: Type): void {
  requireIndices(op, start);
  if (size.length !== x.shape.length || size.some((n, i) => n > x.shape[i]!)) {
    fail('SHAPE_MISMATCH', op, `a window of ${showShape(size)} does not fit shape ${showShape(x.shape)}`);
  }
  if (!sameShape(start.shape, [x.shape.length])) {
    fail(
      'SHAPE_MISMATCH',
      op,
      `start has shape ${showShape(start.shape)}, but x has ${x.shape.length} axes: it must have [${x.shape.length}]`,
    );
  }
}

export const indexingRecords = {
  gather: defineRecord<AxisAttributes>({
    name: 'gather',
    cost: 'move',
    reports: true,
    infer([x, indices], { axis }) {
      requireIndices('gather', indices);
      return { shape: gatheredShape(x, indices, axis), dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x, indices], attributes: { axis } }) => scatterAdd(zerosLike(x), indices, dy, axis),
  }),
  scatterAdd: defineRecord<AxisAttributes>({
    name: 'scatterAdd',
    cost: 'move',
    reports: true,
    inPlace: [[0, 0]],
    infer([x, indices, updates], { axis }) {
      requireIndices('scatterAdd', indices);
      requireUpdates('scatterAdd', x, updates, gatheredShape(x, indices, axis));
      return x;
    },
    gradient: ({ dy, inputs: [, indices], attributes: { axis } }) => [dy, undefined, () => gather(dy, indices, axis)],
  }),
  takeAlong: defineRecord<AxisAttributes>({
    name: 'takeAlong',
    cost: 'move',
    reports: true,
    infer([x, indices], { axis }) {
      requirePaired('takeAlong', x, indices, axis);
      return { shape: indices.shape, dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x, indices], attributes: { axis } }) => scatterAlong(zerosLike(x), indices, dy, axis),
  }),
  scatterAlong: defineRecord<AxisAttributes>({
    name: 'scatterAlong',
    cost: 'move',
    reports: true,
    inPlace: [[0, 0]],
    infer([x, indices, updates], { axis }) {
      requirePaired('scatterAlong', x, indices, axis);
      requireUpdates('scatterAlong', x, updates, indices.shape);
      return x;
    },
    gradient: ({ dy, inputs: [, indices], attributes: { axis } }) => [dy, undefined, () => takeAlong(dy, indices, axis)],
  }),
  dynamicSlice: defineRecord<SizeAttributes>({
    name: 'dynamicSlice',
    cost: 'move',
    infer([x, start], { size }) {
      requireWindow('dynamicSlice', x, size, start);
      return { shape: size, dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x, start] }) => dynamicUpdateSlice(zerosLike(x), dy, start),
  }),
  dynamicUpdateSlice: defineRecord({
    name: 'dynamicUpdateSlice',
    cost: 'move',
    inPlace: [[0, 0]],
    infer([x, update, start]) {
      requireSameDtype('dynamicUpdateSlice', x, update);
      requireWindow('dynamicUpdateSlice', x, update.shape, start);
      return x;
    },
    gradient: ({ dy, inputs: [, update, start] }) => [
      () => dynamicUpdateSlice(dy, zerosLike(update), start),
      () => dynamicSlice(dy, start, update.shape),
    ],
  }),
};

/**
 * The slices of `x` that the indices (int32 or int64, any shape) name along an axis: the axis gives way to the axes of the indices.
 * Negative indices count from the end; one out of range fails the run with INDEX_OUT_OF_RANGE.
 */
export const gather = (x: Value, indices: Value, axis = 0): Value =>
  applyOne(indexingRecords.gather, [x, indices], { axis: normaliseAxis('gather', axis, x.shape.length) });

/** `x` with updates added at the places that `gather` would read; repeated indices add up, in their order. */
export const scatterAdd = (x: Value, indices: Value, updates: Value, axis = 0): Value =>
  applyOne(indexingRecords.scatterAdd, [x, indices, updates], { axis: normaliseAxis('scatterAdd', axis, x.shape.length) });

/** For each index the element of `x` there along an axis, at the index's own place on the others (NumPy's take_along_axis). */
export const takeAlong = (x: Value, indices: Value, axis = -1): Value =>
  applyOne(indexingRecords.takeAlong, [x, indices], { axis: normaliseAxis('takeAlong', axis, x.shape.length) });

/** `x` with updates added at the places that `takeAlong` would read. */
export const scatterAlong = (x: Value, indices: Value, updates: Value, axis = -1): Value =>
  applyOne(indexingRecords.scatterAlong, [x, indices, updates], { axis: normaliseAxis('scatterAlong', axis, x.shape.length) });

/** A start as a value: a list of numbers or of scalar values becomes one of shape [rank]. */
export type Start = Value | readonly (number | Value)[];

const startOf = (start: Start): Value =>
  Array.isArray(start)
    ? concat(
        (start as readonly (number | Value)[]).map((at) =>
          typeof at === 'number' ? constant(at, [1], 'int32') : reshape(cast(at, 'int32'), [1]),
        ),
      )
    : (start as Value);

/** A window of a fixed size whose place is data; it is moved so that it fits. */
export const dynamicSlice = (x: Value, start: Start, size: readonly number[]): Value =>
  x.shape.length === 0 ? x : applyOne(indexingRecords.dynamicSlice, [x, startOf(start)], { size });

/** `x` with the window at `start` replaced by `update`; it is moved so that it fits. */
export const dynamicUpdateSlice = (x: Value, update: Value, start: Start): Value =>
  x.shape.length === 0 ? update : applyOne(indexingRecords.dynamicUpdateSlice, [x, update, startOf(start)], {});

/** 1 at each index of a new last axis of `depth`, else 0; an index outside it gives zeros. */
export function oneHot(indices: Value, depth: number, dtype: DType = 'float32'): Value {
  if (!Number.isInteger(depth) || depth < 0) throw new RangeError(`oneHot: depth must be an integer >= 0, not ${depth}`);
  const labels = indices.dtype === 'uint8' ? cast(indices, 'int32') : indices;
  requireIndices('oneHot', labels);
  const shape = [...indices.shape, depth];
  return cast(equal(broadcast(reshape(labels, [...indices.shape, 1]), shape), iota(shape, shape.length - 1, labels.dtype)), dtype);
}
