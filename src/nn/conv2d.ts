import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Initializer, Parameter, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireGroups, requireImage, requireSize } from './checks.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import { around, type PaddingMode } from './padding.js';
import type { io } from './types.js';

/** What all layers of convolution take. */
export interface ConvLayerOptions {
  /** Parts that the channels fall into; output part i sees input part i alone. As many as channels: depthwise. Default 1. */
  groups?: number;
  /** Add a bias. Default true. */
  bias?: boolean;
  /** First value of the weight. Default: uniform within 1 / sqrt(fan-in), as PyTorch. */
  weightInit?: Initializer;
  biasInit?: Initializer;
}

export interface Conv2dOptions extends ConvLayerOptions {
  /** Step of the window. Default 1. */
  stride?: ops.Pair;
  /** 'valid' (none), 'same' (output = ceil(input / stride)), one number, [vertical, horizontal] or [top, bottom, left, right]. Default 'valid'. */
  padding?: ops.Padding;
  /** What stands in the padding: 'zeros' (default), 'reflect', 'replicate' or 'circular'. */
  paddingMode?: PaddingMode;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: ops.Pair;
}

export const convOptions = ['stride', 'padding', 'paddingMode', 'dilation', 'groups', 'bias', 'weightInit', 'biasInit'];

/**
 * Cross-correlation over images: [N, H, W, in] to [N, H', W', out]. `weight` is [out, kH, kW, in / groups], `bias` [out]; PyTorch's
 * weight [out, in / groups, kH, kW] is brought here by the permutation (0, 2, 3, 1).
 */
export class Conv2d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  declare readonly layerName?: 'Conv2d';
  readonly weight: Parameter<readonly [O, number, number, number], 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly kernelSize: readonly [number, number];
  readonly stride: ops.Pair;
  readonly padding: ops.Padding;
  readonly paddingMode: PaddingMode;
  readonly dilation: ops.Pair;
  readonly groups: number;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    kernelSize: ops.Pair,
    options: Conv2dOptions = {},
  ) {
    super();
    requireSize('Conv2d', 'inChannels', inSize);
    requireSize('Conv2d', 'outChannels', outSize);
    checkOptions('Conv2d', options, convOptions);
    this.kernelSize = ops.pairOf('Conv2d', 'kernelSize', kernelSize, 1);
    const [kH, kW] = this.kernelSize;
    const { stride = 1, padding = 'valid', paddingMode = 'zeros', dilation = 1, groups = 1, bias = true } = options;
    const each = requireGroups('Conv2d', groups, inSize, outSize);
    const { weightInit = fanInUniform, biasInit = uniform(1 / Math.sqrt(kH * kW * each)) } = options;
    this.stride = stride;
    this.padding = padding;
    this.paddingMode = paddingMode;
    this.dilation = dilation;
    this.groups = groups;
    this.weight = new Parameter([outSize, kH, kW, each] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward<N extends number, D extends DType>(x: Tensor<readonly [N, number, number, I], D>): Tensor<readonly [N, number, number, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    requireImage('Conv2d', x, this.inSize);
    const { stride, dilation, groups } = this;
    const { value, padding } = around('Conv2d', x.value, this.kernelSize, this);
    const y = ops.conv2d(value, this.weight.value, { stride, padding, dilation, groups });
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }
}
