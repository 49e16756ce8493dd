import { PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type DType, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { Module } from './module.js';
import { requireLayer, runLayer } from './run.js';
import type { Elementwise, Layer } from './types.js';

/** A function that makes one axis of those from `first` to `last`, both included; `nn.flatten` keeps the batch alone. */
export const flattenAxes =
  (first = 1, last = -1) =>
  (x: Tensor): Tensor =>
    wrap(ops.flatten(x.value, first, last));

/** A function that makes several axes of one; one size may be -1. */
export const unflatten =
  (axis: number, sizes: readonly number[]) =>
  (x: Tensor): Tensor => {
    const at = axis < 0 ? axis + x.rank : axis;
    if (!Number.isInteger(at) || at < 0 || at >= x.rank) throw new RangeError(`unflatten: ${show(x)} has no axis ${axis}.`);
    const known = sizes.reduce((a, b) => (b === -1 ? a : a * b), 1);
    const filled = sizes.map((size) => (size === -1 ? x.shape[at]! / known : size));
    return x.reshape([...x.shape.slice(0, at), ...filled, ...x.shape.slice(at + 1)]);
  };

/** A function that mixes the channels, the last axis, of so many groups, so that the next grouped convolution sees them all (Zhang et al. 2018). */
export function channelShuffle(groups: number): Elementwise {
  requireSize('channelShuffle', 'groups', groups);
  return ((x: Tensor) => {
    const channels = x.shape.at(-1) ?? 0;
    if (channels % groups)
      throw new PolluxError('SHAPE_MISMATCH', `channelShuffle: the ${channels} channels of ${show(x)} do not fall into ${groups} groups.`);
    return x
      .reshape([...x.shape.slice(0, -1), groups, channels / groups])
      .transpose()
      .reshape(x.shape);
  }) as Elementwise;
}

/** A layer over each step of a sequence, all as one batch: [N, T, ...] to [N, T, ...] (Keras's TimeDistributed). */
export class TimeDistributed extends Module {
  constructor(readonly layer: Layer) {
    super();
    requireLayer('TimeDistributed: the layer', layer);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<Shape, D>;
  forward(x: Tensor): Tensor {
    if (x.rank < 3) throw new PolluxError('SHAPE_MISMATCH', `TimeDistributed: takes [batch, steps, ...], but got ${show(x)}.`);
    const [batch, steps, ...rest] = x.shape as number[];
    const y = runLayer(this.layer, x.reshape([batch! * steps!, ...rest]), 'layer');
    return y.reshape([batch!, steps!, ...y.shape.slice(1)]);
  }
}
