// Negative log-likelihoods of distributions, and the divergence between two.
import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type Tensor, wrap } from '../tensor/index.js';
import { alike, checkLoss, type LossOptions, type Reduced, type Reduction, reduced, requirePositive } from './reduction.js';

export interface KlOptions {
  /** 'mean' over all elements (default, as PyTorch), 'batchMean': the sum over the first axis's size, the divergence proper, 'sum', 'none'. */
  reduction?: Reduction | 'batchMean';
  /** The target holds logarithms too. Default false. */
  logTarget?: boolean;
}

/**
 * Kullback-Leibler divergence, element by element: target (log target - input), where `logProbabilities` is the logarithm of the
 * model's distribution (logSoftmax) and `target` the distribution to come near to. Targets of 0 count 0.
 */
export function klDivergence<const O extends KlOptions = { reduction: 'mean' }>(
  logProbabilities: Tensor,
  target: Tensor,
  options: O = {} as O,
): Reduced<O['reduction'] extends 'none' ? 'none' : 'mean'> {
  checkOptions('klDivergence', options, ['reduction', 'logTarget']);
  const { reduction = 'mean', logTarget = false } = options;
  const plain = reduction === 'batchMean' ? 'sum' : reduction;
  checkLoss('klDivergence', { reduction: plain });
  const { logProbabilities: x, target: y } = alike('klDivergence', { logProbabilities, target });
  const losses = logTarget ? ops.mul(ops.exp(y), ops.sub(y, x)) : ops.sub(xLogX(y), ops.mul(y, x));
  const total = reduced(losses, { reduction: plain });
  return (reduction === 'batchMean' ? wrap(ops.mul(total.value, 1 / Math.max(1, x.shape[0] ?? 1))) : total) as Reduced<'mean'>;
}

/** x log x, 0 at 0. */
function xLogX(x: Value): Value {
  const positive = ops.greater(x, 0);
  return ops.where(positive, ops.mul(x, ops.log(ops.where(positive, x, 1))), 0);
}

export interface PoissonOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** The input is the logarithm of the rate. Default true. */
  logInput?: boolean;
  /** Add Stirling's approximation of log(target!) for targets above 1. Default false. */
  full?: boolean;
  /** Added to a rate before its logarithm. Default 1e-8. */
  epsilon?: number;
}

/** Negative log-likelihood of counts under Poisson distributions: e^input - target input, or input - target log(input + epsilon). */
export function poissonNll<R extends Reduction = 'mean'>(input: Tensor, target: Tensor, options: PoissonOptions<R> = {}): Reduced<R> {
  checkLoss('poissonNll', options, ['logInput', 'full', 'epsilon']);
  const { logInput = true, full = false, epsilon = 1e-8 } = options;
  const { input: x, target: y } = alike('poissonNll', { input, target });
  const losses = logInput ? ops.sub(ops.exp(x), ops.mul(y, x)) : ops.sub(x, ops.mul(y, ops.log(ops.add(x, epsilon))));
  if (!full) return reduced(losses, options);
  const large = ops.greater(y, 1);
  const safe = ops.where(large, y, 2);
  const stirling = ops.add(ops.sub(ops.mul(safe, ops.log(safe)), safe), ops.mul(ops.log(ops.mul(safe, 2 * Math.PI)), 0.5));
  return reduced(ops.add(losses, ops.where(large, stirling, 0)), options);
}

export interface GaussianOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** Add log(2 pi) / 2. Default false. */
  full?: boolean;
  /** Least variance. Default 1e-6. */
  epsilon?: number;
}

/**
 * Negative log-likelihood under normal distributions with the predicted mean and variance: (log variance + (mean - target)^2 /
 * variance) / 2. The variance has the shape of the mean, or broadcasts against it (a last axis of 1).
 */
export function gaussianNll<R extends Reduction = 'mean'>(
  mean: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianOptions<R> = {},
): Reduced<R> {
  checkLoss('gaussianNll', options, ['full', 'epsilon']);
  const { full = false, epsilon = 1e-6 } = options;
  requirePositive('gaussianNll', 'epsilon', epsilon);
  const { mean: x, target: y } = alike('gaussianNll', { mean, target });
  const spread = ops.broadcast(variance.value, x.shape);
  // The bound moves the value, not the gradient: a variance below it is still pulled up.
  const bounded = ops.add(spread, ops.detach(ops.sub(ops.maximum(spread, epsilon), spread)));
  const losses = ops.mul(ops.add(ops.log(bounded), ops.div(ops.square(ops.sub(x, y)), bounded)), 0.5);
  return reduced(full ? ops.add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, options);
}
