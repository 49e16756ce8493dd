import * as ops from '../ops/index.js';
import { type DType, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireImage, requireSequenceOf, requireSize } from './checks.js';
import type { Pool, Pool1d } from './types.js';

/**
 * A function that brings images [N, H, W, C] to another size: `upsample({ scale: 2 })`, `upsample({ size: [64, 64], mode: 'bilinear' })`;
 * torch.nn.Upsample and torch.nn.functional.interpolate, downwards too.
 */
export const upsample = (options: ops.InterpolateOptions): Pool =>
  ((x: Tensor) => {
    requireImage('upsample', x);
    return wrap(ops.interpolate(x.value, options));
  }) as Pool;

/** The same for sequences [N, L, C]; the linear mode is called 'linear'. */
export const upsample1d = (options: ops.InterpolateOptions): Pool1d =>
  ((x: Tensor) => {
    requireSequenceOf('upsample1d', x);
    return wrap(ops.interpolate(x.value, options));
  }) as Pool1d;

/** A function of images whose output has other sizes and channels. */
export type Rearranged = <S extends Shape, D extends DType>(
  x: Tensor<S, D> & Takes<S, Spatial<number>>,
) => Tensor<readonly [S[0], number, number, number], D>;

/** A function that makes pixels of channels: [N, H, W, C * factor^2] to [N, H * factor, W * factor, C] (Shi et al. 2016). */
export function pixelShuffle(factor: number): Rearranged {
  requireSize('pixelShuffle', 'factor', factor);
  return ((x: Tensor) => {
    requireImage('pixelShuffle', x);
    return wrap(ops.pixelShuffle(x.value, factor));
  }) as Rearranged;
}

/** The inverse of pixelShuffle. */
export function pixelUnshuffle(factor: number): Rearranged {
  requireSize('pixelUnshuffle', 'factor', factor);
  return ((x: Tensor) => {
    requireImage('pixelUnshuffle', x);
    return wrap(ops.pixelUnshuffle(x.value, factor));
  }) as Rearranged;
}
