import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { greaterEqual, less } from './comparison.js';
import { mul } from './arithmetic.js';
import { applyOne, defineRecord } from './define.js';
import { zerosLike } from './leaf.js';
import { fail, float, requireDtype, requireShape, showShape } from './support.js';
import { where } from './where.js';

type DrawAttributes = { readonly shape: readonly number[]; readonly stream: number };
type DropoutAttributes = { readonly rate: number; readonly stream: number };

/** A random state is data: [seed, step, first element] (docs/internals.md, section 3). */
export function requireState(op: string, state: Type): void {
  requireDtype(op, state, ['int64'], 'the random state');
  if (!sameShape(state.shape, [3]))
    fail('SHAPE_MISMATCH', op, `the random state has shape ${showShape(state.shape)}, but must be [seed, step, first element]`);
}

const drawRecord = (name: string) =>
  defineRecord<DrawAttributes>({
    name,
    cost: 'source',
    stops: true,
    infer([state], { shape }) {
      requireState(name, state);
      requireShape(name, shape);
      return { shape, dtype: 'float32' };
    },
  });

export const randomRecords = {
  uniform: drawRecord('uniform'),
  normal: drawRecord('normal'),
  dropout: defineRecord<DropoutAttributes>({
    name: 'dropout',
    cost: 'elementwise',
    inPlace: [[0, 0]],
    infer([x, state], { rate }) {
      requireDtype('dropout', x, float);
      requireState('dropout', state);
      if (!(rate >= 0 && rate < 1)) throw new RangeError(`dropout: rate ${rate} must be in [0, 1)`);
      return x;
    },
    // The mask is drawn again from the same state, so it need not be kept.
    gradient: ({ dy, inputs: [, state], attributes }) => masked(dy, state, attributes),
    decompose([x, state], { rate, stream }) {
      const keep = greaterEqual(uniform(state, x.shape, stream), rate);
      return where(keep, mul(x, 1 / (1 - rate)), zerosLike(x));
    },
    flops: ([x]) => sizeOf(x.shape),
  }),
};

/** Uniform numbers in [0, 1), float32. Equal state and stream give equal numbers. */
export const uniform = (state: Value, shape: readonly number[], stream: number): Value =>
  applyOne(randomRecords.uniform, [state], { shape, stream });

/** Normal numbers of mean 0 and variance 1, float32 (Box and Muller 1958). */
export const normal = (state: Value, shape: readonly number[], stream: number): Value =>
  applyOne(randomRecords.normal, [state], { shape, stream });

/** True with the given probability. */
export const bernoulli = (state: Value, shape: readonly number[], probability: number, stream: number): Value =>
  less(uniform(state, shape, stream), probability);

const masked = (x: Value, state: Value, attributes: DropoutAttributes): Value => applyOne(randomRecords.dropout, [x, state], attributes);

/** Sets each element to 0 with probability `rate`, and scales the others by 1 / (1 - rate) (Srivastava et al. 2014). */
export const dropout = (x: Value, state: Value, rate: number, stream: number): Value =>
  rate === 0 ? x : masked(x, state, { rate, stream });
