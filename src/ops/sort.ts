import type { DType } from '../graph/dtype.js';
import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, mul, sub } from './arithmetic.js';
import { argmax } from './arg.js';
import { reshape, sum } from './broadcast.js';
import { cast } from './cast.js';
import { notEqual } from './comparison.js';
import { cumulativeMax } from './cumulative.js';
import { defineRecord } from './define.js';
import { scatterAlong, takeAlong } from './indexing.js';
import { constant, iota, zerosLike } from './leaf.js';
import { concat, expandDims, sliceAxis, stack, swapAxes } from './movement.js';
import { any } from './reduce.js';
import { arithmetic, fail, float, normaliseAxis, requireDtype, showShape } from './support.js';
import { isNan } from './unary.js';
import { where } from './where.js';

type SortAttributes = { readonly descending: boolean };
type TopAttributes = { readonly k: number; readonly largest: boolean };

/** The values and the places that they came from, over the last axis. */
function sorted(op: string, x: Type, length: number): Type[] {
  requireDtype(op, x, arithmetic);
  if (x.shape.length === 0) fail('SHAPE_MISMATCH', op, 'a scalar has no axis to sort');
  const shape = [...x.shape.slice(0, -1), length];
  return [
    { shape, dtype: x.dtype },
    { shape, dtype: 'int32' as DType },
  ];
}

/** Each value passes its cotangent back to where it came from. */
const putBack = (dy: Value | undefined, x: Value, places: Value): Value | undefined => dy && scatterAlong(zerosLike(x), places, dy, -1);

export const sortRecords = {
  sort: defineRecord<SortAttributes>({
    name: 'sort',
    cost: 'reduce',
    infer: ([x]) => sorted('sort', x, x.shape.at(-1)!),
    gradient: ({ dy, inputs: [x], outputs: [, places] }) => putBack(dy, x, places),
    flops: ([x]) => sizeOf(x.shape) * Math.ceil(Math.log2(1 + (x.shape.at(-1) ?? 0))),
  }),
  topK: defineRecord<TopAttributes>({
    name: 'topK',
    cost: 'reduce',
    infer([x], { k }) {
      const length = x.shape.at(-1) ?? 0;
      if (!Number.isInteger(k) || k < 0 || k > length) {
        fail('SHAPE_MISMATCH', 'topK', `k is ${k}, but the axis of shape ${showShape(x.shape)} has ${length} elements`);
      }
      return sorted('topK', x, k);
    },
    gradient: ({ dy, inputs: [x], outputs: [, places] }) => putBack(dy, x, places),
    decompose: ([x], { k, largest }): Value[] =>
      apply(sortRecords.sort, [x], { descending: largest }).map((part) => sliceAxis(part, -1, 0, k)),
    flops: ([x]) => 2 * sizeOf(x.shape),
  }),
};

/** Values and the int32 indices that they came from. */
export interface Ranked {
  readonly values: Value;
  readonly indices: Value;
}

/** Applies an op of the last axis to another. */
function along(op: string, x: Value, axis: number, fn: (x: Value) => readonly Value[]): Ranked {
  if (x.shape.length === 0) fail('SHAPE_MISMATCH', op, 'a scalar has no axis to sort');
  const at = normaliseAxis(op, axis, x.shape.length);
  const [values, indices] = fn(swapAxes(x, at, -1));
  return { values: swapAxes(values!, at, -1), indices: swapAxes(indices!, at, -1) };
}

/** Sorts along an axis; equal elements keep their order. NaN is greater than every number. */
export const sort = (x: Value, axis = -1, descending = false): Ranked =>
  along('sort', x, axis, (last) => apply(sortRecords.sort, [last], { descending }));

/** The indices (int32) that sort an axis. */
export const argsort = (x: Value, axis = -1, descending = false): Value => sort(x, axis, descending).indices;

/** The k largest (or smallest) elements along an axis, in order; of equals the first. NaN is greater than every number. */
export const topK = (x: Value, k: number, axis = -1, largest = true): Ranked =>
  along('topK', x, axis, (last) => apply(sortRecords.topK, [last], { k, largest }));

const oneOf = (x: Value, axis: number, at: number): Value => {
  const part = sliceAxis(x, axis, at, at + 1);
  return reshape(
    part,
    x.shape.filter((_, i) => i !== normaliseAxis('sort', axis, x.shape.length)),
  );
};

/** The k-th smallest element along an axis, k from 1, and its index. */
export function kthValue(x: Value, k: number, axis = -1): Ranked {
  const size = x.shape[normaliseAxis('kthValue', axis, x.shape.length)]!;
  if (!Number.isInteger(k) || k < 1 || k > size) throw new RangeError(`kthValue: k ${k} must be an integer from 1 to ${size}`);
  const { values, indices } = 2 * k <= size ? topK(x, k, axis, false) : sort(x, axis);
  return { values: oneOf(values, axis, k - 1), indices: oneOf(indices, axis, k - 1) };
}

export type Interpolation = 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint';

/**
 * The quantile q (0 to 1) along an axis; a list of them makes a first axis. Between two elements it is interpolated as NumPy does.
 * NaN where the axis holds a NaN.
 */
export function quantile(x: Value, q: number | readonly number[], axis = -1, interpolation: Interpolation = 'linear'): Value {
  requireDtype('quantile', x, float);
  const at = normaliseAxis('quantile', axis, x.shape.length);
  const size = x.shape[at]!;
  if (size === 0) fail('SHAPE_MISMATCH', 'quantile', `shape ${showShape(x.shape)} has no elements along axis ${at}`);
  if (typeof q !== 'number')
    return stack(
      q.map((each) => quantile(x, each, axis, interpolation)),
      0,
    );
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile: ${q} must lie in [0, 1]`);
  const place = q * (size - 1);
  const [low, high] = [Math.floor(place), Math.ceil(place)];
  const half = Math.round(place) - place === 0.5 ? 2 * Math.round(place / 2) : Math.round(place); // halves go to the even place
  const weights = { linear: place - low, lower: 0, higher: Number(high > low), nearest: half - low, midpoint: high > low ? 0.5 : 0 };
  const weight = weights[interpolation];
  if (weight === undefined)
    throw new RangeError(`quantile: interpolation "${String(interpolation)}" is none of ${Object.keys(weights).join(', ')}`);
  const { values } = sort(x, at);
  const [below, above] = [oneOf(values, at, low), oneOf(values, at, high)];
  const between = weight === 0 ? below : weight === 1 ? above : add(mul(below, 1 - weight), mul(above, weight));
  return where(any(isNan(x), at), Number.NaN, between);
}

/** The lower of the middle elements along an axis (default: of all elements); NaN where there is one. */
export function median(x: Value, axis?: number): Value {
  if (axis === undefined) return median(reshape(x, [sizeOf(x.shape)]), 0);
  const at = normaliseAxis('median', axis, x.shape.length);
  const size = x.shape[at]!;
  if (size === 0) fail('SHAPE_MISMATCH', 'median', `shape ${showShape(x.shape)} has no elements along axis ${at}`);
  const { values } = sort(x, at);
  const middle = oneOf(values, at, (size - 1) >> 1);
  return x.dtype === 'float32' ? where(any(isNan(x), at), Number.NaN, middle) : middle;
}

/** The element that is most frequent along an axis, the smallest of several, and the index of its last occurrence. */
export function mode(x: Value, axis = -1): Ranked {
  const at = normaliseAxis('mode', axis, x.shape.length);
  const size = x.shape[at]!;
  if (size === 0) fail('SHAPE_MISMATCH', 'mode', `shape ${showShape(x.shape)} has no elements along axis ${at}`);
  const { values, indices } = sort(x, at);
  // The length of the run of equals that ends at each place of the sorted axis.
  const places = iota(x.shape, at);
  const [starts] = cumulativeMax(where(firsts(values, at), places, zerosLike(places)), at);
  const longest = expandDims(argmax(sub(places, starts!), at), at);
  return { values: oneOf(takeAlong(values, longest, at), at, 0), indices: oneOf(takeAlong(indices, longest, at), at, 0) };
}

/** True at the first of each run of equals along a sorted axis. Each NaN is a run of its own. */
export function firsts(values: Value, axis: number): Value {
  const size = values.shape[axis]!;
  const start = constant(1, values.shape.with(axis, Math.min(1, size)), 'bool');
  if (size < 2) return start;
  return concat([start, notEqual(sliceAxis(values, axis, 1, size), sliceAxis(values, axis, 0, size - 1))], axis);
}

/** How many elements are not 0 (or true), over an axis, several or (default) all: int32. */
export function countNonzero(x: Value, axes?: number | readonly number[]): Value {
  const zero = x.dtype === 'bool' ? x : notEqual(x, 0);
  return sum(cast(zero, 'int32'), axes);
}
