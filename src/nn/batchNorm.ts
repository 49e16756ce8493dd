import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { noGrad, ones, Parameter, type DType, type Last, type Shape, type Takes, type Tensor, wrap, zeros } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { ones as initOnes, zeros as initZeros } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Weight of the new batch in the running statistics. Default 0.1, as PyTorch (Keras counts the other way round). */
  momentum?: number;
}

/**
 * Batch normalisation over all axes but the last (Ioffe and Szegedy 2015). In training mode it takes the batch's mean and
 * biased variance, and updates `runningMean` and `runningVariance` (unbiased, as PyTorch); in eval mode it uses those.
 */
export class BatchNorm<C extends number = number> extends Module {
  declare readonly [io]?: [readonly [...Shape, C], 'same'];
  declare readonly layerName?: 'BatchNorm';
  readonly weight: Parameter<readonly [C], 'float32'>;
  readonly bias: Parameter<readonly [C], 'float32'>;
  readonly runningMean: Tensor<readonly [C], 'float32'>;
  readonly runningVariance: Tensor<readonly [C], 'float32'>;
  readonly epsilon: number;
  readonly momentum: number;

  constructor(
    readonly channels: C,
    options: BatchNormOptions = {},
  ) {
    super();
    requireSize('BatchNorm', 'channels', channels);
    checkOptions('BatchNorm', options, ['epsilon', 'momentum']);
    this.epsilon = options.epsilon ?? 1e-5;
    this.momentum = options.momentum ?? 0.1;
    this.weight = new Parameter([channels] as const, initOnes);
    this.bias = new Parameter([channels] as const, initZeros);
    this.runningMean = zeros([channels]) as Tensor<readonly [C], 'float32'>;
    this.runningVariance = ones([channels]) as Tensor<readonly [C], 'float32'>;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, readonly [...Shape, C]>): Tensor<S, D> {
    requireLast('BatchNorm', x, this.channels, 'channels');
    return wrap(this.training ? this.#withBatch(x) : this.#withRunning(x));
  }

  #withBatch(x: Tensor) {
    const { y, mean, variance } = ops.batchNorm(x.value, this.weight.value, this.bias.value, this.epsilon);
    const count = x.size / this.channels;
    noGrad(() => {
      const { momentum } = this;
      const blend = (running: Tensor, batch: Tensor): void => running.assign(running.mul(1 - momentum).add(batch.mul(momentum)));
      blend(this.runningMean, wrap(ops.detach(mean)));
      blend(this.runningVariance, wrap(ops.detach(variance)).mul(count / Math.max(1, count - 1)));
    });
    return y;
  }

  #withRunning(x: Tensor) {
    // Bare tensors: the sizes are equal by construction, and C is still open here.
    const [weight, bias, mean, variance]: Tensor[] = [this.weight, this.bias, this.runningMean, this.runningVariance];
    const scale = weight!.mul(variance!.add(this.epsilon).rsqrt());
    const shift = bias!.sub(mean!.mul(scale));
    return ops.add(ops.mul(x.value, scale.value), shift.value);
  }
}

export type { Last };
