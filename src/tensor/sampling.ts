// Draws of integers: orders, indices, classes. All follow from `seed()`, on any device and number of threads.
import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import * as ops from '../ops/index.js';
import { uniformValue } from './random.js';
import type { OpenShape, Reshape, Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { operand, tensorValue, wrap } from './wrap.js';

/** 0, 1, ..., n - 1 (int32) in random order. */
export const permutation = (n: number): Tensor<readonly [number], 'int32'> => wrap(ops.permutation(uniformValue([n]), uniformValue([n])));

/** The slices of an axis (default 0) in random order. */
export const shuffle = <S extends Shape, D extends DType>(x: Tensor<S, D>, axis = 0): Tensor<S, D> => {
  const value = tensorValue(x, 'shuffle');
  return wrap(ops.gather(value, permutation(value.shape.at(axis)!).value, axis));
};

/** Integers in [low, high), int32 unless said. */
export function randint<const S extends Shape, D extends 'int32' | 'int64' = 'int32'>(
  shape: S,
  low: number,
  high: number,
  dtype?: D,
): Tensor<Reshape<S>, D> {
  return wrap(ops.cast(ops.integers(uniformValue([...shape]), uniformValue([...shape]), low, high), dtype ?? 'int32'));
}

/**
 * `count` indices (int32 [..., count]) drawn with probabilities in proportion to weights >= 0 [..., n]. Without replacement, the
 * default as in PyTorch, no index comes twice: there must be as many weights > 0.
 */
export function multinomial(
  weights: Tensor<OpenShape, 'float32'>,
  count: number,
  options: { replacement?: boolean } = {},
): Tensor<OpenShape, 'int32'> {
  checkOptions('multinomial', options, ['replacement']);
  if (!Number.isInteger(count) || count < 0) throw new RangeError(`multinomial: count ${count} must be an integer >= 0`);
  const { replacement = false } = options;
  const value = tensorValue(weights, 'multinomial');
  const draw = uniformValue(replacement ? [...value.shape.slice(0, -1), count] : value.shape);
  return wrap(ops.multinomial(value, draw, count, replacement));
}

/**
 * An index along the last axis (int32) for each row of logits [..., n], drawn with probability softmax(logits / temperature). The
 * temperature may be a tensor, which makes no new plan when it changes; 0 takes the greatest.
 */
export function categorical(
  logits: Tensor<OpenShape, 'float32'>,
  options: { temperature?: number | Tensor<OpenShape, 'float32'> } = {},
): Tensor<OpenShape, 'int32'> {
  checkOptions('categorical', options, ['temperature']);
  const { temperature } = options;
  const value = tensorValue(logits, 'categorical');
  const heat = temperature === undefined ? undefined : operand(temperature, 'float32', 'categorical');
  return wrap(ops.categorical(value, uniformValue(value.shape), heat));
}
