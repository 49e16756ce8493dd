import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Initializer, Parameter, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireImage, requireSize } from './checks.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

export interface Conv2dOptions {
  /** Step of the window. Default 1. */
  stride?: ops.Pair;
  /** 'valid' (none), 'same' (output = ceil(input / stride)), one number, [vertical, horizontal] or [top, bottom, left, right]. Default 'valid'. */
  padding?: ops.Padding;
  /** Add a bias. Default true. */
  bias?: boolean;
  /** First value of the weight. Default: uniform within 1 / sqrt(fan-in), as PyTorch. */
  weightInit?: Initializer;
  biasInit?: Initializer;
}

/** Cross-correlation over images: [N, H, W, in] to [N, H', W', out]. `weight` is [out, kH, kW, in], `bias` [out]. */
export class Conv2d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  declare readonly layerName?: 'Conv2d';
  readonly weight: Parameter<readonly [O, number, number, I], 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly kernelSize: readonly [number, number];
  readonly stride: ops.Pair;
  readonly padding: ops.Padding;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    kernelSize: ops.Pair,
    options: Conv2dOptions = {},
  ) {
    super();
    requireSize('Conv2d', 'inChannels', inSize);
    requireSize('Conv2d', 'outChannels', outSize);
    checkOptions('Conv2d', options, ['stride', 'padding', 'bias', 'weightInit', 'biasInit']);
    this.kernelSize = ops.pairOf('Conv2d', 'kernelSize', kernelSize, 1);
    const [kH, kW] = this.kernelSize;
    const { stride = 1, padding = 'valid', bias = true, weightInit = fanInUniform } = options;
    const { biasInit = uniform(1 / Math.sqrt(kH * kW * inSize)) } = options;
    this.stride = stride;
    this.padding = padding;
    this.weight = new Parameter([outSize, kH, kW, inSize] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward<N extends number, D extends DType>(x: Tensor<readonly [N, number, number, I], D>): Tensor<readonly [N, number, number, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    requireImage('Conv2d', x, this.inSize);
    const y = ops.conv2d(x.value, this.weight.value, { stride: this.stride, padding: this.padding });
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }
}
