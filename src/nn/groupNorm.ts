import { checkOptions, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type DType, Parameter, type Shape, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { ones, zeros } from './initializers.js';
import { Module } from './module.js';
import { follow, normaliseBy, requireMomentum, type Running, runningBuffers, type RunningOptions } from './runningStatistics.js';
import type { io } from './types.js';

export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Learn a weight and a bias for each channel. Default true. */
  affine?: boolean;
}

/**
 * Normalises each group of channels of each sample, over all axes between too (Wu and He 2018): [N, ..., channels], the same in
 * training and eval mode. The variance is the biased one.
 */
export class GroupNorm<C extends number = number> extends Module {
  declare readonly [io]?: [readonly [...Shape, C], 'same'];
  declare readonly layerName?: 'GroupNorm';
  readonly weight: Parameter<readonly [C], 'float32'> | undefined;
  readonly bias: Parameter<readonly [C], 'float32'> | undefined;
  readonly epsilon: number;

  constructor(
    readonly groups: number,
    readonly channels: C,
    options: GroupNormOptions = {},
  ) {
    super();
    requireSize('GroupNorm', 'groups', groups);
    requireSize('GroupNorm', 'channels', channels);
    if (channels % groups !== 0) throw new RangeError(`GroupNorm: ${channels} channels do not divide into ${groups} groups.`);
    checkOptions('GroupNorm', options, ['epsilon', 'affine']);
    const { epsilon = 1e-5, affine = true } = options;
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter([channels] as const, ones) : undefined;
    this.bias = affine ? new Parameter([channels] as const, zeros) : undefined;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, readonly [...Shape, C]>): Tensor<S, D> {
    requireLast('GroupNorm', x, this.channels, 'channels');
    const { groups, epsilon, weight, bias } = this;
    return wrap(ops.groupNorm(x.value, groups, { scale: weight?.value, shift: bias?.value, epsilon }).y);
  }
}

export interface InstanceNormOptions extends RunningOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Learn a weight and a bias for each channel. Default false, as PyTorch. */
  affine?: boolean;
  /** Keep running statistics, and use them in eval mode. Default false, as PyTorch. */
  trackRunningStats?: boolean;
}

/**
 * Normalises each channel of each sample over the axes between (Ulyanov et al. 2016): [N, ..., channels] with at least one axis
 * between. With `trackRunningStats` it keeps averages of the samples' statistics, and uses them in eval mode.
 */
export class InstanceNorm<C extends number = number> extends Module implements Running<C> {
  declare readonly [io]?: [readonly [...Shape, C], 'same'];
  declare readonly layerName?: 'InstanceNorm';
  readonly weight: Parameter<readonly [C], 'float32'> | undefined;
  readonly bias: Parameter<readonly [C], 'float32'> | undefined;
  readonly runningMean: Running<C>['runningMean'];
  readonly runningVariance: Running<C>['runningVariance'];
  readonly batchesTracked: Running<C>['batchesTracked'];
  readonly epsilon: number;
  readonly momentum: number | null;

  constructor(
    readonly channels: C,
    options: InstanceNormOptions = {},
  ) {
    super();
    requireSize('InstanceNorm', 'channels', channels);
    checkOptions('InstanceNorm', options, ['epsilon', 'affine', 'momentum', 'trackRunningStats']);
    const { epsilon = 1e-5, affine = false, momentum = 0.1, trackRunningStats = false } = options;
    requireMomentum('InstanceNorm', momentum);
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = affine ? new Parameter([channels] as const, ones) : undefined;
    this.bias = affine ? new Parameter([channels] as const, zeros) : undefined;
    const running = runningBuffers(channels, trackRunningStats, momentum);
    this.runningMean = running.runningMean;
    this.runningVariance = running.runningVariance;
    this.batchesTracked = running.batchesTracked;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, readonly [...Shape, C]>): Tensor<S, D> {
    requireLast('InstanceNorm', x, this.channels, 'channels');
    const [weight, bias]: (Tensor | undefined)[] = [this.weight, this.bias];
    if (!this.training && this.runningMean) return normaliseBy(x, this, this.epsilon, weight, bias);
    const count = x.size / (x.shape[0]! * this.channels);
    if (x.shape.length < 3 || (this.training && count === 1)) {
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `InstanceNorm: takes [N, ..., ${this.channels}] with more than one place a sample to normalise over, but got ${show(x)}.`,
      );
    }
    const { y, mean, rstd } = ops.groupNorm(x.value, this.channels, { scale: weight?.value, shift: bias?.value, epsilon: this.epsilon });
    if (this.training && this.runningMean) {
      const variance = ops.sub(ops.reciprocal(ops.square(rstd)), this.epsilon);
      follow(this, ops.mean(mean, 0), ops.mean(variance, 0), count, this.momentum);
    }
    return wrap(y);
  }
}

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  alpha?: number;
  /** Default 0.75. */
  beta?: number;
  /** Default 1. */
  k?: number;
}

/**
 * x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta, channels last (Krizhevsky et al. 2012); beyond the
 * first and last channel the squares are 0.
 */
export class LocalResponseNorm extends Module {
  declare readonly [io]?: 'same';
  declare readonly layerName?: 'LocalResponseNorm';
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(
    readonly size: number,
    options: LocalResponseNormOptions = {},
  ) {
    super();
    requireSize('LocalResponseNorm', 'size', size);
    checkOptions('LocalResponseNorm', options, ['alpha', 'beta', 'k']);
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    const { size, alpha, beta, k } = this;
    const last = x.shape.length - 1;
    const channels = x.shape[last]!;
    const around = x.shape.map((_, axis) => (axis === last ? Math.floor(size / 2) : 0));
    const behind = x.shape.map((_, axis) => (axis === last ? Math.floor((size - 1) / 2) : 0));
    const squares = ops.pad(ops.square(x.value), around, behind, 0);
    const shifted = Array.from({ length: size }, (_, i) => ops.sliceAxis(squares, last, i, i + channels));
    const total = shifted.reduce((a, b) => ops.add(a, b));
    return wrap(ops.mul(x.value, ops.pow(ops.add(ops.mul(total, alpha / size), k), -beta)));
  }
}
