import type { DType } from '../graph/dtype.js';
import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { add, mul, sub } from './arithmetic.js';
import { equal } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { scatterAlong } from './indexing.js';
import { constant, detach, zerosLike } from './leaf.js';
import { logicalAnd } from './logic.js';
import { pad, sliceAxis } from './movement.js';
import { arithmetic, fail, float, normaliseAxis, requireDtype, requireSameDtype, requireSameShape, showShape } from './support.js';
import { exp, isFinite, log } from './unary.js';
import { where } from './where.js';

export type CumulativeAttributes = { readonly axis: number; readonly reverse: boolean; readonly exclusive: boolean };
type DirectedAttributes = { readonly axis: number; readonly reverse: boolean };

/** Each element takes the place of the one before it in the direction of travel; `fill` comes in at the start. */
function delayed(x: Value, { axis, reverse }: DirectedAttributes, fill = 0): Value {
  const size = x.shape[axis]!;
  if (size === 0) return x;
  const kept = reverse ? sliceAxis(x, axis, 1, size) : sliceAxis(x, axis, 0, size - 1);
  const [before, after] = [x.shape.map((_, i) => Number(i === axis && !reverse)), x.shape.map((_, i) => Number(i === axis && reverse))];
  return pad(kept, before, after, fill);
}

const turned = ({ axis, reverse }: DirectedAttributes): DirectedAttributes => ({ axis, reverse: !reverse });

const extremeRecord = (name: 'cumulativeMax' | 'cumulativeMin') =>
  defineRecord<DirectedAttributes>({
    name,
    cost: 'reduce',
    infer([x]) {
      requireDtype(name, x, arithmetic);
      return [x, { shape: x.shape, dtype: 'int32' as DType }];
    },
    // Each result passes its cotangent to the element that it is.
    gradient: ({ dy, inputs: [x], outputs: [, places], attributes: { axis } }) => dy && scatterAlong(zerosLike(x), places, dy, axis),
    flops: ([x]) => sizeOf(x.shape),
  });

export const cumulativeRecords = {
  cumulativeSum: defineRecord<CumulativeAttributes>({
    name: 'cumulativeSum',
    cost: 'reduce',
    infer([x]) {
      requireDtype('cumulativeSum', x, arithmetic);
      return x;
    },
    gradient: ({ dy, attributes }): Value =>
      applyOne(cumulativeRecords.cumulativeSum, [dy], { ...attributes, reverse: !attributes.reverse }),
    flops: ([x]) => sizeOf(x.shape),
  }),
  cumulativeProduct: defineRecord<CumulativeAttributes>({
    name: 'cumulativeProduct',
    cost: 'reduce',
    infer([x]) {
      requireDtype('cumulativeProduct', x, arithmetic);
      return x;
    },
    // dx_i = (product before i) * (sum over later j of dy_j * product between i and j): a recurrence from the other end. Nothing is
    // divided, so zeros need no care, in any order of derivative.
    gradient({ dy, inputs: [x], attributes }): Value {
      const { axis, reverse, exclusive } = attributes;
      const before = applyOne(cumulativeRecords.cumulativeProduct, [x], { axis, reverse, exclusive: true });
      const back = turned(attributes);
      return mul(before, recur(delayed(x, back), exclusive ? delayed(dy, back) : dy, back));
    },
    flops: ([x]) => sizeOf(x.shape),
  }),
  cumulativeMax: extremeRecord('cumulativeMax'),
  cumulativeMin: extremeRecord('cumulativeMin'),
  linearRecurrence: defineRecord<DirectedAttributes>({
    name: 'linearRecurrence',
    cost: 'reduce',
    infer([a, b]) {
      requireDtype('linearRecurrence', a, float, 'a');
      requireSameDtype('linearRecurrence', a, b);
      requireSameShape('linearRecurrence', a, b);
      return a;
    },
    gradient({ dy, inputs: [a], y, attributes }) {
      const back = turned(attributes);
      const flow = recur(delayed(a, back), dy, back);
      return [() => mul(flow, delayed(y, attributes)), flow];
    },
    flops: ([a]) => 2 * sizeOf(a.shape),
  }),
  logCumulativeSumExp: defineRecord<DirectedAttributes>({
    name: 'logCumulativeSumExp',
    cost: 'normalisation',
    infer([x]) {
      requireDtype('logCumulativeSumExp', x, float);
      return x;
    },
    // dx_i = sum over later j of dy_j exp(x_i - y_j), carried back by the factors exp(y_i - y_(i+1)) <= 1.
    gradient({ dy, inputs: [x], y, attributes }): Value {
      const back = turned(attributes);
      const flow = recur(exp(decline(y, delayed(y, back, -Infinity))), dy, back);
      return where(isFinite(y), mul(exp(decline(x, y)), flow), zerosLike(x));
    },
    // The sum is kept relative to the running maximum, and rescaled where that rises.
    decompose([x], attributes): Value {
      const top = detach(apply(cumulativeRecords.cumulativeMax, [x], attributes)[0]!);
      const shift = where(isFinite(top), top, zerosLike(top));
      const last = delayed(top, attributes, -Infinity);
      const scale = where(
        logicalAnd(isFinite(last), isFinite(top)),
        exp(decline(last, top)),
        where(equal(last, -Infinity), 0, constant(1, x.shape)),
      );
      return add(log(recur(scale, exp(sub(x, shift)), attributes)), shift);
    },
    flops: ([x]) => 8 * sizeOf(x.shape),
  }),
};

/** a - b where both are finite, else 0. */
function decline(a: Value, b: Value): Value {
  const both = logicalAnd(isFinite(a), isFinite(b));
  return where(both, sub(where(both, a, zerosLike(a)), where(both, b, zerosLike(b))), zerosLike(a));
}

const recur = (a: Value, b: Value, { axis, reverse }: DirectedAttributes): Value =>
  applyOne(cumulativeRecords.linearRecurrence, [a, b], { axis, reverse });

export interface CumulativeOptions {
  /** From the last element to the first. Default false. */
  reverse?: boolean;
  /** Each result leaves out the element at its own place: the first is 0 (of a product 1). Default false. */
  exclusive?: boolean;
}

/** The axis of an op that goes along one: a scalar has none. */
function axisOf(op: string, x: Value, axis: number): number {
  if (x.shape.length === 0) fail('SHAPE_MISMATCH', op, `shape ${showShape(x.shape)} has no axis to go along`);
  return normaliseAxis(op, axis, x.shape.length);
}

/** The sum of the elements up to each one along an axis. */
export const cumulativeSum = (x: Value, axis = -1, { reverse = false, exclusive = false }: CumulativeOptions = {}): Value =>
  applyOne(cumulativeRecords.cumulativeSum, [x], { axis: axisOf('cumulativeSum', x, axis), reverse, exclusive });

/** The product of the elements up to each one along an axis. */
export const cumulativeProduct = (x: Value, axis = -1, { reverse = false, exclusive = false }: CumulativeOptions = {}): Value =>
  applyOne(cumulativeRecords.cumulativeProduct, [x], { axis: axisOf('cumulativeProduct', x, axis), reverse, exclusive });

/** The greatest element up to each one along an axis, and its index (int32): of equals the last; NaN wins. */
export const cumulativeMax = (x: Value, axis = -1, reverse = false): readonly Value[] =>
  apply(cumulativeRecords.cumulativeMax, [x], { axis: axisOf('cumulativeMax', x, axis), reverse });

/** The smallest element up to each one along an axis, and its index (int32): of equals the last; NaN wins. */
export const cumulativeMin = (x: Value, axis = -1, reverse = false): readonly Value[] =>
  apply(cumulativeRecords.cumulativeMin, [x], { axis: axisOf('cumulativeMin', x, axis), reverse });

/** y_i = a_i * y_(i-1) + b_i along an axis, from y = 0 on; reversed, y_i = a_i * y_(i+1) + b_i. */
export const linearRecurrence = (a: Value, b: Value, axis = -1, reverse = false): Value =>
  applyOne(cumulativeRecords.linearRecurrence, [a, b], { axis: axisOf('linearRecurrence', a, axis), reverse });

/** ln of the sum of e^x up to each element along an axis, without overflow. */
export const logCumulativeSumExp = (x: Value, axis = -1, reverse = false): Value =>
  applyOne(cumulativeRecords.logCumulativeSumExp, [x], { axis: axisOf('logCumulativeSumExp', x, axis), reverse });

/** Differences of neighbours along an axis, `order` times; it gets shorter by one each time. */
export function diff(x: Value, axis = -1, order = 1): Value {
  const at = axisOf('diff', x, axis);
  if (!Number.isInteger(order) || order < 0) throw new RangeError(`diff: order ${order} must be an integer >= 0`);
  let y = x;
  for (let i = 0; i < order && y.shape[at]! > 0; i++) y = sub(sliceAxis(y, at, 1, y.shape[at]!), sliceAxis(y, at, 0, y.shape[at]! - 1));
  return y;
}
