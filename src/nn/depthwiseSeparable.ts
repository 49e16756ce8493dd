import { checkOptions } from '../errors.js';
import type { DType, Shape, Spatial, Takes, Tensor } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { Conv2d, type Conv2dOptions } from './conv2d.js';
import { Module } from './module.js';
import type * as ops from '../ops/index.js';
import type { io, Layer } from './types.js';

export interface DepthwiseSeparableConv2dOptions extends Omit<Conv2dOptions, 'groups' | 'biasInit'> {
  /** Kernels for each input channel. Default 1. */
  depthMultiplier?: number;
  /** What stands between the two convolutions, such as a normalisation and an activation. Default: nothing. */
  between?: Layer;
}

/**
 * A kernel for each channel, then a mixture of the channels at each pixel (Chollet 2017): [N, H, W, in] to [N, H', W', out] with
 * kH kW in + in out weights in place of kH kW in out. stride, padding and dilation are those of the first; only the second has a bias.
 */
export class DepthwiseSeparableConv2d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  declare readonly layerName?: 'DepthwiseSeparableConv2d';
  readonly depthwise: Conv2d<I, number>;
  readonly between: Layer | undefined;
  readonly pointwise: Conv2d<number, O>;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    kernelSize: ops.Pair,
    options: DepthwiseSeparableConv2dOptions = {},
  ) {
    super();
    const own = ['depthMultiplier', 'between', 'stride', 'padding', 'paddingMode', 'dilation', 'bias', 'weightInit'];
    checkOptions('DepthwiseSeparableConv2d', options, own);
    const { depthMultiplier = 1, between, bias = true, ...rest } = options;
    requireSize('DepthwiseSeparableConv2d', 'inChannels', inSize);
    requireSize('DepthwiseSeparableConv2d', 'depthMultiplier', depthMultiplier);
    this.depthwise = new Conv2d(inSize, inSize * depthMultiplier, kernelSize, { ...rest, groups: inSize, bias: false });
    this.between = between;
    const init = options.weightInit && { weightInit: options.weightInit };
    this.pointwise = new Conv2d(inSize * depthMultiplier, outSize, 1, { bias, ...init });
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    const { between } = this;
    const y: Tensor = this.depthwise.forward(x);
    const z = between === undefined ? y : typeof between === 'function' ? between(y) : between.forward(y);
    return this.pointwise.forward(z);
  }
}
