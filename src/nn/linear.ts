import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Init, type Initializer, Parameter, type Shape, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

export interface LinearOptions {
  /** Add a bias. Default true. */
  bias?: boolean;
  /** First value of the weight. Default: uniform within 1 / sqrt(inFeatures), as PyTorch. */
  weightInit?: Initializer;
  /** First value of the bias. Default: the same. */
  biasInit?: Initializer;
}

/** y = x W^T + b over the last axis: [..., in] to [..., out]. `weight` is [out, in], `bias` [out]. */
export class Linear<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [readonly [...Shape, I], readonly [...Shape, O]];
  declare readonly layerName?: 'Linear';
  readonly weight: Parameter<readonly [O, I], 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    options: LinearOptions = {},
  ) {
    super();
    requireSize('Linear', 'inFeatures', inSize);
    requireSize('Linear', 'outFeatures', outSize);
    checkOptions('Linear', options, ['bias', 'weightInit', 'biasInit']);
    const { bias = true, weightInit = fanInUniform, biasInit = uniform(1 / Math.sqrt(inSize)) } = options;
    this.weight = new Parameter([outSize, inSize] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward<B extends Shape, D extends DType>(x: Tensor<readonly [...B, I], D>): Tensor<readonly [...B, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, readonly [...Shape, I]>): Tensor<readonly [...Init<S>, O], D>;
  forward(x: Tensor): Tensor {
    requireLast('Linear', x, this.inSize, 'features');
    const product = ops.matmul(x.value, this.weight.value, { transposeB: true });
    return wrap(this.bias ? ops.add(product, this.bias.value) : product);
  }
}
