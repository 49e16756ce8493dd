import * as ops from '../ops/index.js';
import type { Tensor } from '../tensor/index.js';
import { alike, checkLoss, type LossOptions, type Reduced, type Reduction, reduced, requirePositive } from './reduction.js';

/** Mean squared error between tensors of one shape: (prediction - target)^2. */
export function mse<R extends Reduction = 'mean'>(prediction: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> {
  checkLoss('mse', options);
  const { prediction: x, target: y } = alike('mse', { prediction, target });
  return reduced(ops.square(ops.sub(x, y)), options);
}

/** Mean absolute error between tensors of one shape (PyTorch's L1Loss): |prediction - target|. */
export function mae<R extends Reduction = 'mean'>(prediction: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> {
  checkLoss('mae', options);
  const { prediction: x, target: y } = alike('mae', { prediction, target });
  return reduced(ops.abs(ops.sub(x, y)), options);
}

export interface HuberOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** Where the parabola becomes a line. Default 1. */
  delta?: number;
}

/** Huber's loss (1964): d^2 / 2 where |d| < delta, else delta (|d| - delta / 2), with d = prediction - target. */
export function huber<R extends Reduction = 'mean'>(prediction: Tensor, target: Tensor, options: HuberOptions<R> = {}): Reduced<R> {
  checkLoss('huber', options, ['delta']);
  const { delta = 1 } = options;
  requirePositive('huber', 'delta', delta);
  const { prediction: x, target: y } = alike('huber', { prediction, target });
  const d = ops.sub(x, y);
  const size = ops.abs(d);
  const line = ops.mul(ops.sub(size, delta / 2), delta);
  return reduced(ops.where(ops.less(size, delta), ops.mul(ops.square(d), 0.5), line), options);
}

export interface SmoothL1Options<R extends Reduction = Reduction> extends LossOptions<R> {
  /** Where the parabola becomes a line; 0 is `mae`. Default 1. */
  beta?: number;
}

/** Huber's loss divided by its threshold: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 (Girshick 2015). */
export function smoothL1<R extends Reduction = 'mean'>(prediction: Tensor, target: Tensor, options: SmoothL1Options<R> = {}): Reduced<R> {
  checkLoss('smoothL1', options, ['beta']);
  const { beta = 1 } = options;
  if (!(beta >= 0)) throw new RangeError(`smoothL1: beta must not be negative, got ${beta}.`);
  const { prediction: x, target: y } = alike('smoothL1', { prediction, target });
  const d = ops.sub(x, y);
  const size = ops.abs(d);
  if (beta === 0) return reduced(size, options);
  return reduced(ops.where(ops.less(size, beta), ops.mul(ops.square(d), 0.5 / beta), ops.sub(size, beta / 2)), options);
}
