import { checkOptions } from '../errors.js';
import type { DType, Shape, Spatial, Takes, Tensor } from '../tensor/index.js';
import { relu, relu6, sigmoid } from './activations.js';
import { BatchNorm } from './batchNorm.js';
import { requireSize } from './checks.js';
import { Conv2d } from './conv2d.js';
import { initialize } from './initialize.js';
import { zeros } from './initializers.js';
import { Module } from './module.js';
import { globalAvgPool } from './poolingAdaptive.js';
import { runLayer } from './run.js';
import { Sequential } from './sequential.js';
import type { io, Layer } from './types.js';

export interface ConvBlockOptions {
  /** Step of the window. Default 1. */
  stride?: number;
  /** Of the convolution. Default 1. */
  groups?: number;
  /** Distance of neighbouring taps. Default 1. */
  dilation?: number;
  /** What follows; null: nothing. Default relu. */
  activation?: Layer | null;
  /** Makes the normalisation of so many channels; null: none, and the convolution has a bias. Default BatchNorm. */
  norm?: ((channels: number) => Layer) | null;
}

const batchNorm = (channels: number): Layer => new BatchNorm(channels);

/** A convolution that keeps the size (or divides it by the stride), a normalisation and an activation: [N, H, W, in] to [N, H', W', out]. */
export function convBlock(inChannels: number, outChannels: number, kernelSize: number, options: ConvBlockOptions = {}): Sequential {
  checkOptions('convBlock', options, ['stride', 'groups', 'dilation', 'activation', 'norm']);
  const { stride = 1, groups = 1, dilation = 1, activation = relu, norm = batchNorm } = options;
  const padding = (dilation * (kernelSize - 1)) >> 1;
  const conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, dilation, groups, bias: norm === null });
  return new Sequential<readonly Layer[]>(...[conv, norm?.(outChannels), activation].filter((layer) => !!layer));
}

/**
 * The channels weighed by what their means tell (Hu et al. 2018): x * gate(W2 activation(W1 mean(x))), with 1x1 convolutions `reduce` and
 * `expand`. Keeps the shape.
 */
export class SqueezeExcitation extends Module {
  declare readonly [io]?: 'same';
  readonly reduce: Conv2d;
  readonly expand: Conv2d;

  /** @param hidden channels between the two, by default a sixteenth. */
  constructor(
    readonly channels: number,
    hidden = Math.max(1, Math.round(channels / 16)),
    readonly activation: Layer = relu,
    readonly gate: Layer = sigmoid,
  ) {
    super();
    requireSize('SqueezeExcitation', 'channels', channels);
    this.reduce = new Conv2d(channels, hidden, 1);
    this.expand = new Conv2d(hidden, channels, 1);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D>;
  forward(x: Tensor): Tensor {
    const means = (globalAvgPool(x) as Tensor).reshape([x.shape[0]!, 1, 1, this.channels]);
    const hidden = runLayer(this.activation, this.reduce.forward(means), 'activation');
    return x.mul(runLayer(this.gate, this.expand.forward(hidden), 'gate'));
  }
}

export interface ResidualBlockOptions {
  /** Of the convolution that may halve the size. Default 1. */
  stride?: number;
  /** Makes the normalisation of so many channels. Default BatchNorm. */
  norm?: (channels: number) => Layer;
  /** Default relu. */
  activation?: Layer;
  /** The last normalisation begins with a weight of 0, so that the block begins as its shortcut (Goyal et al. 2017). Default false. */
  zeroLast?: boolean;
}

const blockOptions = ['stride', 'norm', 'activation', 'zeroLast'];

/** activation(shortcut(x) + body(x)); the shortcut is a 1x1 convolution where size or channels change. */
abstract class ResidualBlock<I extends number, O extends number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  abstract readonly body: Sequential;
  abstract readonly shortcut: Sequential | undefined;
  abstract readonly activation: Layer;

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    const around: Tensor = this.shortcut ? this.shortcut.forward(x) : x;
    return runLayer(this.activation, around.add(this.body.forward(x)), 'activation');
  }
}

const shortcutOf = (from: number, to: number, stride: number, norm?: (channels: number) => Layer): Sequential | undefined =>
  from === to && stride === 1 ? undefined : convBlock(from, to, 1, { stride, norm, activation: null });

/** Lets the last normalisation of a body give zero. */
function zeroLast(body: Sequential): void {
  const last = body.layers.at(-1);
  if (last instanceof Module && last.parameters().has('weight')) initialize(last, 'weight', zeros);
}

/** Two 3x3 convolutions beside a shortcut: the block of ResNet-18 and -34 (He et al. 2016). [N, H, W, in] to [N, H', W', out]. */
export class ResNetBasicBlock<I extends number = number, O extends number = number> extends ResidualBlock<I, O> {
  readonly body: Sequential;
  readonly shortcut: Sequential | undefined;
  readonly activation: Layer;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    options: ResidualBlockOptions = {},
  ) {
    super();
    checkOptions('ResNetBasicBlock', options, blockOptions);
    const { stride = 1, norm, activation = relu } = options;
    this.activation = activation;
    const [first, second] = [
      convBlock(inSize, outSize, 3, { stride, norm, activation }),
      convBlock(outSize, outSize, 3, { norm, activation: null }),
    ];
    this.body = new Sequential<readonly Layer[]>(...first.layers, ...second.layers);
    this.shortcut = shortcutOf(inSize, outSize, stride, norm);
    if (options.zeroLast) zeroLast(this.body);
  }
}

export interface BottleneckOptions extends ResidualBlockOptions {
  /** Channels of the 3x3 convolution. Default a quarter of the output's. */
  width?: number;
  /** Of the 3x3 convolution: ResNeXt has 32. Default 1. */
  groups?: number;
}

/** 1x1, 3x3 and 1x1 convolutions beside a shortcut, the stride on the 3x3 one: the block of ResNet-50 and up (He et al. 2016), as torchvision. */
export class ResNetBottleneckBlock<I extends number = number, O extends number = number> extends ResidualBlock<I, O> {
  readonly body: Sequential;
  readonly shortcut: Sequential | undefined;
  readonly activation: Layer;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    options: BottleneckOptions = {},
  ) {
    super();
    checkOptions('ResNetBottleneckBlock', options, [...blockOptions, 'width', 'groups']);
    const { stride = 1, norm, activation = relu, groups = 1, width = Math.max(1, outSize >> 2) } = options;
    this.activation = activation;
    this.body = new Sequential<readonly Layer[]>(
      ...convBlock(inSize, width, 1, { norm, activation }).layers,
      ...convBlock(width, width, 3, { stride, groups, norm, activation }).layers,
      ...convBlock(width, outSize, 1, { norm, activation: null }).layers,
    );
    this.shortcut = shortcutOf(inSize, outSize, stride, norm);
    if (options.zeroLast) zeroLast(this.body);
  }
}

export interface InvertedResidualOptions {
  stride?: number;
  /** How many times wider the middle is. Default 6. */
  expansion?: number;
  /** Of the depthwise convolution, odd. Default 3. */
  kernelSize?: number;
  /** Channels inside a squeeze-and-excitation behind it. Default: none. */
  squeeze?: number;
  /** Default relu6. */
  activation?: Layer;
  norm?: (channels: number) => Layer;
}

/**
 * Widen by 1x1, convolve each channel, narrow by 1x1 without an activation; the input is added where size and channels stay: the block of
 * MobileNetV2 (Sandler et al. 2018) and, with `squeeze`, of V3. [N, H, W, in] to [N, H', W', out].
 */
export class InvertedResidual<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [Spatial<I>, Spatial<O>];
  readonly body: Sequential;
  readonly skips: boolean;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    options: InvertedResidualOptions = {},
  ) {
    super();
    checkOptions('InvertedResidual', options, ['stride', 'expansion', 'kernelSize', 'squeeze', 'activation', 'norm']);
    const { stride = 1, expansion = 6, kernelSize = 3, squeeze, activation = relu6, norm } = options;
    const width = Math.round(inSize * expansion);
    this.skips = stride === 1 && (inSize as number) === outSize;
    this.body = new Sequential<readonly Layer[]>(
      ...(width === inSize ? [] : [convBlock(inSize, width, 1, { activation, norm })]),
      convBlock(width, width, kernelSize, { stride, groups: width, activation, norm }),
      ...(squeeze ? [new SqueezeExcitation(width, squeeze)] : []),
      convBlock(width, outSize, 1, { activation: null, norm }),
    );
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<I>>): Tensor<readonly [S[0], number, number, O], D>;
  forward(x: Tensor): Tensor {
    const y: Tensor = this.body.forward(x);
    return this.skips ? x.add(y) : y;
  }
}
