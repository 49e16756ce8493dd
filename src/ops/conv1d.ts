// Convolution along sequences: that of images one row high.
import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { reshape } from './broadcast.js';
import { conv2d, requireGroups } from './conv.js';
import { requireRank } from './support.js';
import { across, imageOf, pairOf, sequenceOf } from './window.js';

/** 'valid' (none), 'same' (output = ceil(input / stride)), 'causal' (all before the first element), one number, or [before, after]. */
export type Padding1d = 'valid' | 'same' | 'causal' | number | readonly [number, number];

export interface Conv1dOptions {
  /** Step of the window. Default 1. */
  readonly stride?: number;
  /** Default 'valid'. */
  readonly padding?: Padding1d;
  /** Distance of neighbouring taps. Default 1. */
  readonly dilation?: number;
  /** Into how many parts the channels fall, each with kernels of its own. Default 1. */
  readonly groups?: number;
}

/** Padding along a sequence as that of an image one row high. */
export function padding1d(op: string, padding: Padding1d, reach: number): 'valid' | 'same' | [number, number, number, number] {
  if (padding === 'valid' || padding === 'same') return padding;
  const [before, after] = padding === 'causal' ? [reach - 1, 0] : pairOf(op, 'padding', padding, 0);
  return [0, 0, before, after];
}

/**
 * One-dimensional cross-correlation of sequences [N, L, in] with kernels [out, k, in / groups] -> [N, L', out]. With 'causal' padding
 * an output sees no later element than its own.
 *
 * @param options stride, padding, dilation and groups
 */
export function conv1d(x: Value, w: Value, options: Conv1dOptions = {}): Value {
  checkOptions('conv1d', options, ['stride', 'padding', 'dilation', 'groups']);
  const { stride = 1, padding = 'valid', dilation = 1, groups = 1 } = options;
  requireRank('conv1d', w, 3, 'the weight', 'a kernel [out, k, in / groups]');
  pairOf('conv1d', 'stride', stride, 1);
  pairOf('conv1d', 'dilation', dilation, 1);
  const [out, taps, into] = w.shape as [number, number, number];
  const y = conv2d(imageOf('conv1d', x), reshape(w, [out, 1, taps, into]), {
    stride: across(stride),
    dilation: across(dilation),
    padding: padding1d('conv1d', padding, (taps - 1) * dilation + 1),
    groups: requireGroups('conv1d', groups),
  });
  return sequenceOf(y);
}
