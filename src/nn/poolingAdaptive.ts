import * as ops from '../ops/index.js';
import { type Tensor, wrap } from '../tensor/index.js';
import { requireImage, requireSequenceOf, requireSize } from './checks.js';
import type { GlobalPool, Pool, Pool1d } from './types.js';

/** A function that takes the mean of windows that cover [N, H, W, C] evenly: the output has the given size. */
export function adaptiveAvgPool2d(size: ops.Pair): Pool {
  ops.pairOf('adaptiveAvgPool2d', 'the size', size, 1);
  return ((x: Tensor) => {
    requireImage('adaptiveAvgPool2d', x);
    return wrap(ops.adaptiveAvgPool2d(x.value, size));
  }) as Pool;
}

/** A function that takes the maximum of windows that cover [N, H, W, C] evenly. */
export function adaptiveMaxPool2d(size: ops.Pair): Pool {
  ops.pairOf('adaptiveMaxPool2d', 'the size', size, 1);
  return ((x: Tensor) => {
    requireImage('adaptiveMaxPool2d', x);
    return wrap(ops.adaptiveMaxPool2d(x.value, size));
  }) as Pool;
}

/** adaptiveAvgPool2d along [N, L, C]. */
export function adaptiveAvgPool1d(size: number): Pool1d {
  requireSize('adaptiveAvgPool1d', 'size', size);
  return ((x: Tensor) => {
    requireSequenceOf('adaptiveAvgPool1d', x);
    return wrap(ops.adaptiveAvgPool1d(x.value, size));
  }) as Pool1d;
}

/** adaptiveMaxPool2d along [N, L, C]. */
export function adaptiveMaxPool1d(size: number): Pool1d {
  requireSize('adaptiveMaxPool1d', 'size', size);
  return ((x: Tensor) => {
    requireSequenceOf('adaptiveMaxPool1d', x);
    return wrap(ops.adaptiveMaxPool1d(x.value, size));
  }) as Pool1d;
}

/** The mean over all places of images or sequences: [N, ..., C] to [N, C]. */
export const globalAvgPool: GlobalPool = ((x: Tensor) => wrap(ops.globalAvgPool(x.value))) as GlobalPool;

/** The maximum over all places of images or sequences: [N, ..., C] to [N, C]. */
export const globalMaxPool: GlobalPool = ((x: Tensor) => wrap(ops.globalMaxPool(x.value))) as GlobalPool;
