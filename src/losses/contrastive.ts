import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue } from '../tensor/index.js';
import { alike, checkLoss, type LossOptions, type Reduced, type Reduction, reduced, requirePositive } from './reduction.js';

export interface InfoNceOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** What the similarities are divided by: a number (default 0.07), or a scalar tensor that is trained too. */
  temperature?: number | Tensor;
  /** Also ask each key for its query, and take the mean of both: CLIP's loss (Radford et al. 2021). Default false. */
  symmetric?: boolean;
  /** Compare directions: bring the vectors to length 1 first. Default true. */
  normalize?: boolean;
}

/** Vectors along the last axis, brought to length 1. */
const directions = (x: Value): Value => ops.div(x, ops.maximum(ops.norm(x, -1, true), 1e-12));

/**
 * InfoNCE (van den Oord et al. 2018): queries and keys [samples, width]; the key of the same row is the right one, those of the
 * other rows are the negatives. The cross-entropy of the similarities over the temperature.
 */
export function infoNce<R extends Reduction = 'mean'>(queries: Tensor, keys: Tensor, options: InfoNceOptions<R> = {}): Reduced<R> {
  checkLoss('infoNce', options, ['temperature', 'symmetric', 'normalize']);
  const { temperature = 0.07, symmetric = false, normalize = true } = options;
  if (typeof temperature === 'number') requirePositive('infoNce', 'temperature', temperature);
  const x = tensorValue(queries, 'infoNce');
  const y = tensorValue(keys, 'infoNce');
  if (x.shape.length !== 2 || !sameShape(x.shape, y.shape))
    throw new PolluxError('SHAPE_MISMATCH', `infoNce: queries ${show(x)} and keys ${show(y)} must both be [samples, width].`);
  const [a, b] = normalize ? [directions(x), directions(y)] : [x, y];
  const scale = typeof temperature === 'number' ? temperature : tensorValue(temperature, 'infoNce');
  const logits = ops.div(ops.matmul(a, b, { transposeB: true }), scale);
  const own = ops.iota([x.shape[0]!]);
  const asked = ops.crossEntropy(logits, own);
  if (!symmetric) return reduced(asked, options);
  return reduced(ops.mul(ops.add(asked, ops.crossEntropy(ops.transpose(logits), own)), 0.5), options);
}

export interface DiceOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** Added above and below, so that two empty masks agree. Default 1. */
  smooth?: number;
}

/**
 * 1 - Dice coefficient of masks [samples, ...] of numbers in [0, 1], one loss a sample (Milletari et al. 2016):
 * 1 - (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth).
 */
export function dice<R extends Reduction = 'mean'>(probabilities: Tensor, target: Tensor, options: DiceOptions<R> = {}): Reduced<R> {
  checkLoss('dice', options, ['smooth']);
  const { smooth = 1 } = options;
  const { probabilities: p, target: y } = alike('dice', { probabilities, target });
  if (p.shape.length < 2) throw new PolluxError('SHAPE_MISMATCH', `dice: masks are [samples, ...], got ${show(p)}.`);
  const axes = p.shape.map((_, i) => i).slice(1);
  const both = ops.sum(ops.mul(p, y), axes);
  const either = ops.add(ops.sum(p, axes), ops.sum(y, axes));
  return reduced(ops.sub(1, ops.div(ops.add(ops.mul(both, 2), smooth), ops.add(either, smooth))), options);
}
