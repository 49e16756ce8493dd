import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, Parameter, type Sequences, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireGroups, requireImage, requireSequenceOf, requireSize } from './checks.js';
import type { ConvLayerOptions } from './conv2d.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

export interface ConvTranspose2dOptions extends ConvLayerOptions {
  /** Output pixels for each input pixel. Default 1. */
  stride?: ops.Pair;
  /** Taken away from the border of the output: the padding of the convolution that this one is the transpose of. Default 0. */
  padding?: ops.Pair;
  /** Added to the size of the output at its end; less than the stride or the dilation. Default 0. */
  outputPadding?: ops.Pair;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: ops.Pair;
}
export interface ConvTranspose1dOptions extends ConvLayerOptions {
  /** Output elements for each input element. Default 1. */
  stride?: number;
  /** Taken away from both ends of the output. Default 0. */
  padding?: number;
  /** Added to the length of the output at its end; less than the stride or the dilation. Default 0. */
  outputPadding?: number;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: number;
}

const names = ['stride', 'padding', 'outputPadding', 'dilation', 'groups', 'bias', 'weightInit', 'biasInit'];

/** The weight [in, ...kernelSize, out / groups] and the bias of a transposed convolution. */
function parameters<O extends number>(layer: string, inSize: number, outSize: O, kernel: readonly number[], options: ConvLayerOptions) {
  requireSize(layer, 'inChannels', inSize);
  requireSize(layer, 'outChannels', outSize);
  requireGroups(layer, options.groups ?? 1, inSize, outSize);
  const shape = [inSize, ...kernel, outSize / (options.groups ?? 1)];
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1); // as PyTorch counts it
  const { bias = true, weightInit = fanInUniform, biasInit = uniform(1 / Math.sqrt(fanIn)) } = options;
  return { weight: new Parameter(shape, weightInit), bias: bias ? new Parameter([outSize] as const, biasInit) : undefined };
}

/**
 * Transposed convolution: [N, H, W, in] to [N, H', W', out] with H' = (H - 1) stride - 2 padding + dilation (kH - 1) + outputPadding
 * + 1. `weight` is [in, kH, kW, out / groups]; PyTorch's [in, out / groups, kH, kW] is brought here by the permutation (0, 2, 3, 1).
 */
export class ConvTranspose2d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  declare readonly layerName?: 'ConvTranspose2d';
  readonly weight: Parameter<Shape, 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly kernelSize: readonly [number, number];
  readonly options: Readonly<ops.ConvTransposeOptions>;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    kernelSize: ops.Pair,
    options: ConvTranspose2dOptions = {},
  ) {
    super();
    checkOptions('ConvTranspose2d', options, names);
    this.kernelSize = ops.pairOf('ConvTranspose2d', 'kernelSize', kernelSize, 1);
    const { weight, bias } = parameters('ConvTranspose2d', inSize, outSize, this.kernelSize, options);
    this.weight = weight;
    this.bias = bias;
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
    this.options = { stride, padding, outputPadding, dilation, groups };
  }

  forward<N extends number, D extends DType>(x: Tensor<readonly [N, number, number, I], D>): Tensor<readonly [N, number, number, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    requireImage('ConvTranspose2d', x, this.inSize);
    const y = ops.convTranspose2d(x.value, this.weight.value, this.options);
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }
}

/**
 * Transposed convolution along sequences: [N, L, in] to [N, L', out]. `weight` is [in, k, out / groups]; PyTorch's [in, out / groups,
 * k] is brought here by the permutation (0, 2, 1).
 */
export class ConvTranspose1d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Sequences<I>, Sequences<O>];
  declare readonly layerName?: 'ConvTranspose1d';
  readonly weight: Parameter<Shape, 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly options: Readonly<ops.ConvTranspose1dOptions>;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    readonly kernelSize: number,
    options: ConvTranspose1dOptions = {},
  ) {
    super();
    checkOptions('ConvTranspose1d', options, names);
    requireSize('ConvTranspose1d', 'kernelSize', kernelSize);
    const { weight, bias } = parameters('ConvTranspose1d', inSize, outSize, [kernelSize], options);
    this.weight = weight;
    this.bias = bias;
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
    this.options = { stride, padding, outputPadding, dilation, groups };
  }

  forward<N extends number, D extends DType>(x: Tensor<readonly [N, number, I], D>): Tensor<readonly [N, number, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Sequences<I>>): Tensor<readonly [S[0], number, O], D>;
  forward(x: Tensor): Tensor {
    requireSequenceOf('ConvTranspose1d', x, this.inSize);
    const y = ops.convTranspose1d(x.value, this.weight.value, this.options);
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }
}
