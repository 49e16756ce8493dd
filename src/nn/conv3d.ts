import { checkOptions, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { Parameter, type Tensor, wrap } from '../tensor/index.js';
import { requireGroups, requireSize, requireTensor } from './checks.js';
import type { ConvLayerOptions } from './conv2d.js';
import { fanInUniform, uniform } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

type Volume<C extends number> = readonly [number, number, number, number, C];

export interface Conv3dOptions extends ConvLayerOptions {
  /** Step of the window: a number or [depth, height, width]. Default 1. */
  stride?: ops.Triple;
  /** 'valid' (none), 'same' (output = ceil(input / stride)), one number or [depth, height, width]. Default 'valid'. */
  padding?: ops.Padding3d;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: ops.Triple;
}

function requireVolume(layer: string, x: Tensor, channels?: number): void {
  requireTensor(layer, x);
  if (x.shape.length === 5 && (channels === undefined || x.shape[4] === channels)) return;
  throw new PolluxError('SHAPE_MISMATCH', `${layer}: takes volumes [N, D, H, W, ${channels ?? 'C'}], but got ${show(x)}.`);
}

/**
 * Cross-correlation over volumes or film: [N, D, H, W, in] to [N, D', H', W', out]. `weight` is [out, kD, kH, kW, in / groups], `bias` [out];
 * PyTorch's weight [out, in / groups, kD, kH, kW] is brought here by the permutation (0, 2, 3, 4, 1).
 */
export class Conv3d<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Volume<I>, Volume<O>];
  declare readonly layerName?: 'Conv3d';
  readonly weight: Parameter<readonly [O, number, number, number, number], 'float32'>;
  readonly bias: Parameter<readonly [O], 'float32'> | undefined;
  readonly kernelSize: readonly [number, number, number];
  readonly stride: ops.Triple;
  readonly padding: ops.Padding3d;
  readonly dilation: ops.Triple;
  readonly groups: number;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    kernelSize: ops.Triple,
    options: Conv3dOptions = {},
  ) {
    super();
    requireSize('Conv3d', 'inChannels', inSize);
    requireSize('Conv3d', 'outChannels', outSize);
    checkOptions('Conv3d', options, ['stride', 'padding', 'dilation', 'groups', 'bias', 'weightInit', 'biasInit']);
    this.kernelSize = ops.tripleOf('Conv3d', 'kernelSize', kernelSize, 1);
    const { stride = 1, padding = 'valid', dilation = 1, groups = 1, bias = true } = options;
    const each = requireGroups('Conv3d', groups, inSize, outSize);
    const fanIn = this.kernelSize.reduce((a, b) => a * b) * each;
    const { weightInit = fanInUniform, biasInit = uniform(1 / Math.sqrt(fanIn)) } = options;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    this.weight = new Parameter([outSize, ...this.kernelSize, each] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward(x: Tensor): Tensor {
    requireVolume('Conv3d', x, this.inSize);
    const { stride, padding, dilation, groups } = this;
    const y = ops.conv3d(x.value, this.weight.value, { stride, padding, dilation, groups });
    return wrap(this.bias ? ops.add(y, this.bias.value) : y);
  }
}

/** A function that takes the maximum of each window of [N, D, H, W, C]. */
export function maxPool3d(window: ops.Triple, options: ops.Pool3dOptions = {}): (x: Tensor) => Tensor {
  checkOptions('maxPool3d', options, ['stride', 'padding']);
  return (x) => {
    requireVolume('maxPool3d', x);
    return wrap(ops.maxPool3d(x.value, window, options));
  };
}

/** A function that takes the mean of each window of [N, D, H, W, C]. */
export function avgPool3d(window: ops.Triple, options: ops.Pool3dOptions & { countPadding?: boolean } = {}): (x: Tensor) => Tensor {
  checkOptions('avgPool3d', options, ['stride', 'padding', 'countPadding']);
  return (x) => {
    requireVolume('avgPool3d', x);
    return wrap(ops.avgPool3d(x.value, window, options));
  };
}
