import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import type { Op } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { reducedShape, reshape, restoreAxes, sum } from './broadcast.js';
import type { ReduceAttributes } from './broadcast.js';
import { cast } from './cast.js';
import { equal, notEqual } from './comparison.js';
import { cumulativeProduct } from './cumulative.js';
import { applyOne, defineRecord } from './define.js';
import type { Definition, GradientCall } from './define.js';
import { detach, zerosLike } from './leaf.js';
import { transpose } from './movement.js';
import { arithmetic, fail, float, normaliseAxes, requireDtype, showShape } from './support.js';
import { abs, exp, isFinite, log, sqrt, square } from './unary.js';
import { pow } from './binary.js';
import { where } from './where.js';

type Axes = number | readonly number[];

function reduceRecord(
  name: string,
  allowed: readonly DType[],
  rule: Pick<Definition<ReduceAttributes>, 'gradient' | 'stops' | 'decompose' | 'flops'>,
): Op<ReduceAttributes> {
  return defineRecord<ReduceAttributes>({
    name,
    cost: 'reduce',
    infer([x], attributes) {
      requireDtype(name, x, allowed);
      if ((name === 'max' || name === 'min') && attributes.axes.some((axis) => x.shape[axis] === 0)) {
        fail('SHAPE_MISMATCH', name, `shape ${showShape(x.shape)} has no elements to choose from`);
      }
      return { shape: reducedShape(x.shape, attributes), dtype: x.dtype };
    },
    flops: ([x]) => sizeOf(x.shape),
    ...rule,
  });
}

/** The extreme elements share the gradient equally. */
function extremeGradient({ dy, inputs: [x], y, attributes: { axes } }: GradientCall<ReduceAttributes>): Value {
  const chosen = equal(x, restoreAxes(y, x.shape, axes));
  const count = sum(cast(chosen, x.dtype), axes, true);
  return where(chosen, restoreAxes(div(reshape(dy, count.shape), count), x.shape, axes), zerosLike(x));
}

/** Each element's derivative is the product of those before it times that of those after it: exact among zeros, in any order. */
function prodGradient({ dy, inputs: [x], attributes: { axes } }: GradientCall<ReduceAttributes>): Value {
  const kept = x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const order = [...kept, ...axes];
  const moved = transpose(x, order);
  const row = reshape(moved, [...kept.map((i) => x.shape[i]!), countOf(x, axes)]);
  const others = mul(cumulativeProduct(row, -1, { exclusive: true }), cumulativeProduct(row, -1, { exclusive: true, reverse: true }));
  const back = transpose(
    reshape(others, moved.shape),
    order.map((_, i) => order.indexOf(i)),
  );
  return mul(restoreAxes(dy, x.shape, axes), back);
}

export const reduceRecords = {
  sumSquares: reduceRecord('sumSquares', ['float32'], {
    gradient: ({ dy, inputs: [x], attributes: { axes } }) => mul(x, restoreAxes(mul(dy, 2), x.shape, axes)),
    decompose: ([x], { axes, keepDims }) => sum(square(x), axes, keepDims),
    flops: ([x]) => 2 * sizeOf(x.shape),
  }),
  prod: reduceRecord('prod', arithmetic, { gradient: prodGradient }),
  max: reduceRecord('max', arithmetic, { gradient: extremeGradient }),
  min: reduceRecord('min', arithmetic, { gradient: extremeGradient }),
  any: reduceRecord('any', ['bool'], { stops: true }),
  all: reduceRecord('all', ['bool'], { stops: true }),
};

const builder =
  (record: Op<ReduceAttributes>) =>
  (x: Value, axes?: Axes, keepDims = false): Value => {
    const found = normaliseAxes(record.name, axes, x.shape.length);
    return found.length === 0 ? x : applyOne(record, [x], { axes: found, keepDims });
  };

/** Sum of the squares of floats over `axes` (default: all), in one pass: the squares are never written. */
export function sumSquares(x: Value, axes?: Axes, keepDims = false): Value {
  const found = normaliseAxes('sumSquares', axes, x.shape.length);
  return found.length === 0 ? square(x) : applyOne(reduceRecords.sumSquares, [x], { axes: found, keepDims });
}
/** Product over `axes` (default: all). */
export const prod = builder(reduceRecords.prod);
/** Greatest element over `axes` (default: all); NaN wins. Equal ones share the gradient, as in PyTorch's amax. */
export const max = builder(reduceRecords.max);
/** Smallest element over `axes` (default: all); NaN wins. Equal ones share the gradient, as in PyTorch's amin. */
export const min = builder(reduceRecords.min);
/** Whether any element over `axes` (default: all) is true. */
export const any = builder(reduceRecords.any);
/** Whether all elements over `axes` (default: all) are true. */
export const all = builder(reduceRecords.all);

/** How many elements a reduction puts into one. */
const countOf = (x: Value, axes: readonly number[]): number => axes.reduce((count, axis) => count * x.shape[axis]!, 1);

/** Arithmetic mean over `axes` (default: all) of floats. */
export function mean(x: Value, axes?: Axes, keepDims = false): Value {
  requireDtype('mean', x, float);
  const found = normaliseAxes('mean', axes, x.shape.length);
  return div(sum(x, found, keepDims), countOf(x, found));
}

/** Mean square distance from the mean, over n - `correction` elements: 1, the default, makes the estimate unbiased. */
export function variance(x: Value, axes?: Axes, keepDims = false, correction = 1): Value {
  requireDtype('variance', x, float);
  const found = normaliseAxes('variance', axes, x.shape.length);
  const squares = sum(square(sub(x, mean(x, found, true))), found, keepDims);
  return div(squares, Math.max(0, countOf(x, found) - correction));
}

/** `of(x)` for x >= 0, and 0 with a gradient of 0 at x = 0, where that of a root is infinite. */
function zeroAtZero(x: Value, of: (x: Value) => Value): Value {
  const zero = equal(x, 0);
  return where(zero, 0, of(where(zero, 1, x)));
}

/** Square root of the variance. Its gradient where all elements are equal is 0, as in PyTorch. */
export const std = (x: Value, axes?: Axes, keepDims = false, correction = 1): Value =>
  zeroAtZero(variance(x, axes, keepDims, correction), sqrt);

/**
 * The vector norm over `axes` (default: all) of order 2 (default), Infinity or -Infinity (the greatest and the smallest magnitude),
 * 0 (how many are not 0), or any p. The gradient at 0 is 0.
 */
export function norm(x: Value, axes?: Axes, keepDims = false, order = 2): Value {
  requireDtype('norm', x, float);
  if (Number.isNaN(order)) throw new RangeError('norm: order NaN must be a number, or plus or minus Infinity');
  if (order === 0) return sum(cast(notEqual(x, 0), 'float32'), axes, keepDims);
  if (order === 1) return sum(abs(x), axes, keepDims);
  if (order === Infinity) return max(abs(x), axes, keepDims);
  if (order === -Infinity) return min(abs(x), axes, keepDims);
  if (order === 2) return zeroAtZero(sumSquares(x, axes, keepDims), sqrt);
  const power = (magnitude: Value): Value => pow(magnitude, order);
  const powers = sum(order > 0 && order < 1 ? zeroAtZero(abs(x), power) : power(abs(x)), axes, keepDims);
  const root = (total: Value): Value => pow(total, 1 / order);
  return order > 0 ? zeroAtZero(powers, root) : root(powers);
}

/** ln of the sum of e^x over `axes` (default: all), without overflow. */
export function logSumExp(x: Value, axes?: Axes, keepDims = false): Value {
  requireDtype('logSumExp', x, float);
  const found = normaliseAxes('logSumExp', axes, x.shape.length);
  if (sizeOf(x.shape) === 0) return log(sum(exp(x), found, keepDims));
  const top = detach(max(x, found, true));
  const shift = where(isFinite(top), top, zerosLike(top));
  const result = add(log(sum(exp(sub(x, shift)), found, true)), shift);
  return keepDims ? result : reshape(result, reducedShape(x.shape, { axes: found, keepDims }));
}
