// Losses that ask for a distance: between classes, or between embeddings.
import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue } from '../tensor/index.js';
import { alike, asFloat, checkLoss, type LossOptions, type Reduced, type Reduction, reduced, weightsOf } from './reduction.js';

export interface MarginOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  margin?: number;
}

/** max(0, -y (first - second) + margin): y = 1 asks for first > second, y = -1 for the reverse. `margin` is 0 unless said. */
export function marginRanking<R extends Reduction = 'mean'>(
  first: Tensor,
  second: Tensor,
  target: Tensor,
  options: MarginOptions<R> = {},
): Reduced<R> {
  checkLoss('marginRanking', options, ['margin']);
  const { margin = 0 } = options;
  const { first: a, second: b, target: y } = alike('marginRanking', { first, second, target });
  return reduced(ops.relu(ops.add(ops.mul(ops.neg(y), ops.sub(a, b)), margin)), options);
}

/** x where y = 1, max(0, margin - x) where y = -1: for distances x of pairs. `margin` is 1 unless said. */
export function hingeEmbedding<R extends Reduction = 'mean'>(x: Tensor, target: Tensor, options: MarginOptions<R> = {}): Reduced<R> {
  checkLoss('hingeEmbedding', options, ['margin']);
  const { margin = 1 } = options;
  const { x: distance, target: y } = alike('hingeEmbedding', { x, target });
  return reduced(ops.where(ops.equal(y, 1), distance, ops.relu(ops.sub(margin, distance))), options);
}

/** log(1 + e^(-y x)) for targets y of 1 and -1. */
export function softMargin<R extends Reduction = 'mean'>(x: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> {
  checkLoss('softMargin', options);
  const { x: score, target: y } = alike('softMargin', { x, target });
  return reduced(ops.softplus(ops.neg(ops.mul(y, score))), options);
}

/** Labels [...], one a row of [..., columns]. */
function requireLabels(where: string, x: Value, labels: Value, rest: number): void {
  const rows = x.shape.slice(0, x.shape.length - rest);
  if (sameShape(rows, labels.shape)) return;
  throw new PolluxError('SHAPE_MISMATCH', `${where}: ${show(x)} needs targets of shape [${rows.join(', ')}], got ${show(labels)}.`);
}

export interface MultiMarginOptions<R extends Reduction = Reduction> extends MarginOptions<R> {
  /** 1 (default) or 2: the power of each violation. */
  p?: 1 | 2;
  /** One a class. */
  classWeights?: readonly number[] | Tensor;
}

/**
 * Hinge loss of many classes: for scores [..., classes] and labels [...], the mean over the classes j other than the true one of
 * max(0, margin - x[label] + x[j])^p. `margin` is 1 unless said.
 */
export function multiMargin<R extends Reduction = 'mean'>(scores: Tensor, labels: Tensor, options: MultiMarginOptions<R> = {}): Reduced<R> {
  checkLoss('multiMargin', options, ['margin', 'p', 'classWeights']);
  const { margin = 1, p = 1, classWeights } = options;
  if (p !== 1 && p !== 2) throw new RangeError(`multiMargin: p is 1 or 2, got ${String(p)}.`);
  const x = tensorValue(scores, 'multiMargin');
  const index = ops.cast(tensorValue(labels, 'multiMargin'), 'int32');
  requireLabels('multiMargin', x, index, 1);
  const classes = x.shape.at(-1)!;
  const own = ops.takeAlong(x, ops.expandDims(index, -1), -1);
  const violation = ops.relu(ops.add(ops.sub(x, own), margin));
  const others = ops.sub(1, ops.oneHot(index, classes));
  const losses = ops.mul(ops.sum(ops.mul(p === 1 ? violation : ops.square(violation), others), -1), 1 / classes);
  if (!classWeights) return reduced(losses, options);
  return reduced(ops.mul(losses, ops.gather(weightsOf('multiMargin', 'classWeights', classWeights, [classes]), index)), options);
}

/** Cosine of the angle between the vectors of the last axis; 0 where one is 0. */
function cosine(a: Value, b: Value): Value {
  const dot = ops.sum(ops.mul(a, b), -1);
  const size = (x: Value): Value => ops.add(ops.sum(ops.square(x), -1), 1e-12);
  return ops.div(dot, ops.sqrt(ops.mul(size(a), size(b))));
}

/**
 * 1 - cosine of the pairs [..., width] whose target [...] is 1, max(0, cosine - margin) of those whose target is -1. `margin` is 0
 * unless said.
 */
export function cosineEmbedding<R extends Reduction = 'mean'>(
  first: Tensor,
  second: Tensor,
  target: Tensor,
  options: MarginOptions<R> = {},
): Reduced<R> {
  checkLoss('cosineEmbedding', options, ['margin']);
  const { margin = 0 } = options;
  const { first: a, second: b } = alike('cosineEmbedding', { first, second });
  const y = asFloat(tensorValue(target, 'cosineEmbedding'));
  requireLabels('cosineEmbedding', a, y, 1);
  const similarity = cosine(a, b);
  return reduced(ops.where(ops.equal(y, 1), ops.sub(1, similarity), ops.relu(ops.sub(similarity, margin))), options);
}

export interface TripletOptions<R extends Reduction = Reduction> extends MarginOptions<R> {
  /** Order of the norm. Default 2. */
  p?: number;
  /** Take the smaller of the distances from the negative to the anchor and to the positive (Balntas et al. 2016). Default false. */
  swap?: boolean;
}

/**
 * max(0, |anchor - positive| - |anchor - negative| + margin) of vectors [..., width] (Schroff et al. 2015). `margin` is 1 unless
 * said; the norms are of the differences + 1e-6, as PyTorch's.
 */
export function triplet<R extends Reduction = 'mean'>(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions<R> = {},
): Reduced<R> {
  checkLoss('triplet', options, ['margin', 'p', 'swap']);
  const { margin = 1, p = 2, swap = false } = options;
  if (!(p >= 1)) throw new RangeError(`triplet: p must be at least 1, got ${p}.`);
  const { anchor: a, positive: good, negative: bad } = alike('triplet', { anchor, positive, negative });
  const distance = (x: Value, y: Value): Value => ops.norm(ops.add(ops.sub(x, y), 1e-6), -1, false, p);
  const far = swap ? ops.minimum(distance(a, bad), distance(good, bad)) : distance(a, bad);
  return reduced(ops.relu(ops.add(ops.sub(distance(a, good), far), margin)), options);
}
