// Results whose size depends on data, in room for the most that there may be: what is behind the count is padding.
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { minimum } from './binary.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { cast } from './cast.js';
import { equal, greaterEqual, less, lessEqual, notEqual } from './comparison.js';
import { cumulativeSum } from './cumulative.js';
import { scatterAlong } from './indexing.js';
import { constant, iota, onesLike } from './leaf.js';
import { logicalAnd } from './logic.js';
import { sliceAxis, stack } from './movement.js';
import { max, min } from './reduce.js';
import { scatter } from './scatter.js';
import { searchSorted } from './search.js';
import { firsts, sort } from './sort.js';
import { fail, float, indexTypes, requireDtype, requireRank, requireSameShape } from './support.js';
import { floor } from './unary.js';
import { where } from './where.js';

function requireCapacity(op: string, capacity: number): void {
  if (!Number.isInteger(capacity) || capacity < 0) throw new RangeError(`${op}: capacity ${capacity} must be an integer >= 0`);
}

/** Puts elements at places below `capacity`; those at `capacity` or beyond are dropped. */
function placed(elements: Value, places: Value, capacity: number, by: 'set' | 'sum', fill = 0): Value {
  const room = constant(fill, [capacity + 1], elements.dtype);
  const at = minimum(places, capacity);
  const filled = by === 'set' ? scatter(room, at, elements, 0) : scatterAlong(room, at, elements, 0);
  return sliceAxis(filled, 0, 0, capacity);
}

export interface UniqueValues {
  /** [capacity]: the different elements in ascending order, then zeros. */
  readonly values: Value;
  /** int32, as x: the place of each element among the values. */
  readonly inverse: Value;
  /** int32 [capacity]: how often each occurs. */
  readonly counts: Value;
  /** int32 []: how many there are; more than the capacity if some were dropped. */
  readonly count: Value;
}

/** The different elements of `x`. Each NaN is different from the others, as in PyTorch. */
export function unique(x: Value, capacity = sizeOf(x.shape)): UniqueValues {
  requireCapacity('unique', capacity);
  const size = sizeOf(x.shape);
  const { values, indices } = sort(reshape(x, [size]), 0);
  const first = cast(firsts(values, 0), 'int32');
  const group = sub(cumulativeSum(first, 0), 1);
  const inverse = scatter(constant(0, [size], 'int32'), indices, group, 0);
  return {
    values: placed(values, group, capacity, 'set'),
    inverse: reshape(inverse, x.shape),
    counts: placed(onesLike(group), group, capacity, 'sum'),
    count: sum(first),
  };
}

/** The indices [capacity, rank] (int32) of the elements that are not 0, in row-major order, then rows of `fill`; and their count []. */
export function nonzero(x: Value, capacity = sizeOf(x.shape), fill = -1): { indices: Value; count: Value } {
  requireCapacity('nonzero', capacity);
  const { shape } = x;
  const size = sizeOf(shape);
  const there = reshape(x.dtype === 'bool' ? x : notEqual(x, 0), [size]);
  const ones = cast(there, 'int32');
  const places = where(there, sub(cumulativeSum(ones, 0), 1), capacity);
  const columns = shape.map((_, axis) => placed(reshape(iota(shape, axis), [size]), places, capacity, 'set', fill));
  const indices = columns.length ? stack(columns, 1) : constant(fill, [capacity, 0], 'int32');
  return { indices, count: sum(ones) };
}

/**
 * How often each of 0, 1, ..., length - 1 occurs in `x` (int32), or the sums of the weights of each. A number outside fails the
 * run with INDEX_OUT_OF_RANGE.
 */
export function bincount(x: Value, length: number, weights?: Value): Value {
  requireCapacity('bincount', length);
  requireDtype('bincount', x, indexTypes);
  if (weights) requireSameShape('bincount', x, weights);
  const flat = [sizeOf(x.shape)];
  const places = reshape(where(less(x, 0), length, x), flat); // an index from the end would be taken for one
  const each = weights ? reshape(weights, flat) : constant(1, flat, 'int32');
  return scatterAlong(constant(0, [length], each.dtype), places, each, 0);
}

/**
 * Counts of the elements in bins between edges [bins + 1] that ascend; the last bin holds its upper edge too. Elements outside, and
 * NaN, count nowhere. With weights their sums.
 */
export function histogramBetween(x: Value, edges: Value, weights?: Value): Value {
  requireRank('histogram', edges, 1, 'the edges', '[bins + 1]');
  const bins = edges.shape[0]! - 1;
  if (bins < 1) fail('SHAPE_MISMATCH', 'histogram', `${bins + 1} edges make no bin`);
  if (weights) requireSameShape('histogram', x, weights);
  const flat = reshape(x, [sizeOf(x.shape)]);
  const last = sliceAxis(edges, 0, bins, bins + 1);
  const place = where(equal(flat, last), bins - 1, sub(searchSorted(edges, flat, true), 1));
  return counted(flat, place, sliceAxis(edges, 0, 0, 1), last, bins, weights);
}

/** The same for `bins` of equal width from `low` to `high` [1], which are the extremes of the data where both are missing. */
export function histogram(x: Value, bins: number, range?: readonly [number, number], weights?: Value): { counts: Value; edges: Value } {
  requireDtype('histogram', x, float);
  if (!Number.isInteger(bins) || bins < 1) throw new RangeError(`histogram: bins ${bins} must be an integer >= 1`);
  if (range && !(range[0] <= range[1])) throw new RangeError(`histogram: the range [${range.join(', ')}] must ascend`);
  if (weights) requireSameShape('histogram', x, weights);
  const flat = reshape(x, [sizeOf(x.shape)]);
  const [from, to] = range ? range.map((end) => constant(end, [1])) : [min(flat, 0, true), max(flat, 0, true)];
  // A range of one point is widened by half on each side.
  const point = cast(equal(from!, to!), 'float32');
  const [low, high] = [sub(from!, mul(point, 0.5)), add(to!, mul(point, 0.5))];
  const width = sub(high, low);
  const place = minimum(cast(floor(mul(div(sub(flat, low), width), bins)), 'int32'), bins - 1);
  const steps = div(iota([bins + 1], 0, 'float32'), bins);
  const edges = where(equal(iota([bins + 1]), bins), broadcast(high, [bins + 1]), add(low, mul(steps, width)));
  return { counts: counted(flat, place, low, high, bins, weights), edges };
}

function counted(flat: Value, place: Value, low: Value, high: Value, bins: number, weights?: Value): Value {
  const inside = logicalAnd(greaterEqual(flat, low), lessEqual(flat, high));
  const each = weights ? reshape(weights, flat.shape) : constant(1, flat.shape, 'float32');
  return placed(each, where(inside, place, bins), bins, 'sum');
}
