import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import type { Op } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { reducedShape, reshape, restoreAxes, sum } from './broadcast.js';
import type { ReduceAttributes } from './broadcast.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
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
  rule: Pick<Definition<ReduceAttributes>, 'gradient' | 'stops'>,
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

/** Square root of the variance. */
export const std = (x: Value, axes?: Axes, keepDims = false, correction = 1): Value => sqrt(variance(x, axes, keepDims, correction));

/** The vector norm over `axes` (default: all) of order 2 (default), 1, Infinity, or any p > 0. The gradient at 0 is 0. */
export function norm(x: Value, axes?: Axes, keepDims = false, order = 2): Value {
  requireDtype('norm', x, float);
  if (!(order > 0)) throw new RangeError(`norm: order ${order} must be > 0`);
  if (order === 1) return sum(abs(x), axes, keepDims);
  if (order === Infinity) return max(abs(x), axes, keepDims);
  const powers = sum(order === 2 ? square(x) : pow(abs(x), order), axes, keepDims);
  const zero = equal(powers, 0);
  const root = where(zero, 1, powers);
  return where(zero, 0, order === 2 ? sqrt(root) : pow(root, 1 / order));
}

/** ln of the sum of e^x over `axes` (default: all), without overflow. */
export function logSumExp(x: Value, axes?: Axes, keepDims = false): Value {
  requireDtype('logSumExp', x, float);
  const found = normaliseAxes('logSumExp', axes, x.shape.length);
  const top = detach(max(x, found, true));
  const shift = where(isFinite(top), top, zerosLike(top));
  const result = add(log(sum(exp(sub(x, shift)), found, true)), shift);
  return keepDims ? result : reshape(result, reducedShape(x.shape, { axes: found, keepDims }));
}
