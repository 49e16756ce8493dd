import * as ops from '../ops/index.js';
import { type DType, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireImage } from './checks.js';

type Windows = <S extends Shape, D extends DType>(
  x: Tensor<S, D> & Takes<S, Spatial<number>>,
) => Tensor<readonly [S[0], number, number], D>;
type Images = <S extends Shape, D extends DType>(
  x: Tensor<S, D> & Takes<S, readonly [number, number, number]>,
) => Tensor<readonly [S[0], number, number, number], D>;

/**
 * A function that lays the windows of images side by side (im2col): [N, H, W, C] to [N, oH * oW, kH * kW * C], places in row-major
 * order, the channels of each pixel together. PyTorch's Unfold gives [N, C * kH * kW, oH * oW].
 */
export const unfold = (window: ops.Pair, options: ops.UnfoldOptions = {}): Windows =>
  ((x: Tensor) => {
    requireImage('unfold', x);
    return wrap(ops.unfold(x.value, window, options));
  }) as Windows;

/** A function that adds windows up at their places (col2im): [N, oH * oW, kH * kW * C] to [N, ...size, C]. */
export const fold = (size: ops.Pair, window: ops.Pair, options: ops.UnfoldOptions = {}): Images =>
  ((x: Tensor) => wrap(ops.fold(x.value, size, window, options))) as Images;
