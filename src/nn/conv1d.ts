import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, Parameter, type Sequences, type Shape, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireGroups, requireSequenceOf, requireSize } from './checks.js';
import { type ConvLayerOptions, convOptions } from './conv2d.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import type { PaddingMode } from './padding.js';
import type { io } from './types.js';

export interface Conv1dOptions extends ConvLayerOptions {
  /** Step of the window. Default 1. */
  stride?: number;
  /** 'valid' (none), 'same', 'causal' (all before the first element), one number, or [before, after]. Default 'valid'. */
  padding?: ops.Padding1d;
  /** What stands in the padding: 'zeros' (default), 'reflect', 'replicate' or 'circular'. */
  paddingMode?: PaddingMode;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: number;
}

/**
 * Cross-correlation along sequences: [N, L, in] to [N, L', out]. `weight` is [out, k, in / groups], `bias` [out]; PyTorch's weight
 * [out, in / groups, k] is brought here by the permutation (0, 2, 1).
 */
export class Conv1d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Sequences<I>, Sequences<O>];
  declare readonly layerName?: 'Conv1d';
  readonly weight: Parameter<readonly [O, number, number], 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly stride: number;
  readonly padding: ops.Padding1d;
  readonly paddingMode: PaddingMode;
  readonly dilation: number;
  readonly groups: number;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    readonly kernelSize: number,
    options: Conv1dOptions = {},
  ) {
    super();
    requireSize('Conv1d', 'inChannels', inSize);
    requireSize('Conv1d', 'outChannels', outSize);
    requireSize('Conv1d', 'kernelSize', kernelSize);
    checkOptions('Conv1d', options, convOptions);
    const { stride = 1, padding = 'valid', paddingMode = 'zeros', dilation = 1, groups = 1, bias = true } = options;
    const each = requireGroups('Conv1d', groups, inSize, outSize);
    const { weightInit = fanInUniform, biasInit = uniform(1 / Math.sqrt(kernelSize * each)) } = options;
    this.stride = stride;
    this.padding = padding;
    this.paddingMode = paddingMode;
    this.dilation = dilation;
    this.groups = groups;
    this.weight = new Parameter([outSize, kernelSize, each] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward<N extends number, D extends DType>(x: Tensor<readonly [N, number, I], D>): Tensor<readonly [N, number, O], D>;
  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Sequences<I>>): Tensor<readonly [S[0], number, O], D>;
  forward(x: Tensor): Tensor {
    requireSequenceOf('Conv1d', x, this.inSize);
    const { stride, dilation, groups, padding, paddingMode } = this;
    const y =
      paddingMode === 'zeros'
        ? ops.conv1d(x.value, this.weight.value, { stride, padding, dilation, groups })
        : ops.conv1d(this.padded(x, paddingMode), this.weight.value, { stride, dilation, groups });
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }

  private padded(x: Tensor, mode: ops.PadMode) {
    const reach = (this.kernelSize - 1) * this.dilation + 1;
    const sides = ops.padding1d('Conv1d', this.padding, reach);
    const [, , before, after] = ops.paddingOf('Conv1d', sides, [1, x.shape[1]!], [1, reach], [1, this.stride]);
    return ops.pad(x.value, [0, before!, 0], [0, after!, 0], mode);
  }
}
