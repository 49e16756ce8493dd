import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Last, Parameter, type Shape, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { ones as initOnes, zeros as initZeros } from './initializers.js';
import { Module } from './module.js';
import { follow, normaliseBy, requireMomentum, type Running, runningBuffers, type RunningOptions } from './runningStatistics.js';
import type { io } from './types.js';

export interface BatchNormOptions extends RunningOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Weight of the new batch in the running statistics. Default 0.1, as PyTorch (Keras counts the other way round); null averages all. */
  momentum?: number | null;
  /** Learn a weight and a bias for each channel. Default true. */
  affine?: boolean;
  /** Keep running statistics for eval mode; without them it takes the batch's there too. Default true. */
  trackRunningStats?: boolean;
}

/**
 * Batch normalisation over all axes but the last (Ioffe and Szegedy 2015). In training mode it takes the batch's mean and
 * biased variance, and updates `runningMean` and `runningVariance` (unbiased, as PyTorch); in eval mode it uses those.
 */
export class BatchNorm<C extends number = number> extends Module implements Running<C> {
  declare readonly [io]?: [readonly [...Shape, C], 'same'];
  declare readonly layerName?: 'BatchNorm';
  readonly weight: Parameter<readonly [C], 'float32'> | undefined;
  readonly bias: Parameter<readonly [C], 'float32'> | undefined;
  readonly runningMean: Running<C>['runningMean'];
  readonly runningVariance: Running<C>['runningVariance'];
  readonly batchesTracked: Running<C>['batchesTracked'];
  readonly epsilon: number;
  readonly momentum: number | null;

  constructor(
    readonly channels: C,
    options: BatchNormOptions = {},
  ) {
    super();
    requireSize('BatchNorm', 'channels', channels);
    checkOptions('BatchNorm', options, ['epsilon', 'momentum', 'affine', 'trackRunningStats']);
    const { epsilon = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    requireMomentum('BatchNorm', momentum);
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = affine ? new Parameter([channels] as const, initOnes) : undefined;
    this.bias = affine ? new Parameter([channels] as const, initZeros) : undefined;
    const running = runningBuffers(channels, trackRunningStats, momentum);
    this.runningMean = running.runningMean;
    this.runningVariance = running.runningVariance;
    this.batchesTracked = running.batchesTracked;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, readonly [...Shape, C]>): Tensor<S, D> {
    requireLast('BatchNorm', x, this.channels, 'channels');
    // Bare tensors: the sizes are equal by construction, and C is still open here.
    const [weight, bias]: (Tensor | undefined)[] = [this.weight, this.bias];
    if (!this.training && this.runningMean) return normaliseBy(x, this, this.epsilon, weight, bias);
    const channels = [this.channels];
    const scale = weight?.value ?? ops.constant(1, channels);
    const shift = bias?.value ?? ops.constant(0, channels);
    const { y, mean, variance } = ops.batchNorm(x.value, scale, shift, this.epsilon);
    if (this.training) follow(this, mean, variance, x.size / this.channels, this.momentum);
    return wrap(y);
  }
}

export type { Last };
