import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Pooled, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireImage, requireSequenceOf } from './checks.js';
import { Module } from './module.js';
import type { io, Pool, Pool1d } from './types.js';

export interface PoolOptions {
  /** Step of the window. Default: its size. */
  stride?: ops.Pair;
  /** As for Conv2d; padding counts as minus infinity for the maximum. Default 'valid'. */
  padding?: ops.Padding;
  /** Whether the last window may reach beyond the padding, so that no pixel is left out (PyTorch's rule). Default false. */
  ceilMode?: boolean;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Count padding in the mean. Default true, as PyTorch. */
  countPadding?: boolean;
}

/** A function that takes the maximum of each window of [N, H, W, C]. */
export function maxPool2d(window: ops.Pair, options: PoolOptions = {}): Pool {
  checkOptions('maxPool2d', options, ['stride', 'padding', 'ceilMode']);
  return ((x: Tensor) => {
    requireImage('maxPool2d', x);
    return wrap(ops.maxPool2d(x.value, window, options));
  }) as Pool;
}

/** A function that takes the mean of each window of [N, H, W, C]. */
export function avgPool2d(window: ops.Pair, options: AvgPoolOptions = {}): Pool {
  checkOptions('avgPool2d', options, ['stride', 'padding', 'ceilMode', 'countPadding']);
  return ((x: Tensor) => {
    requireImage('avgPool2d', x);
    return wrap(ops.avgPool2d(x.value, window, options));
  }) as Pool;
}

/** A function that takes the maximum of each window of [N, L, C]. */
export function maxPool1d(window: number, options: ops.Pool1dOptions = {}): Pool1d {
  checkOptions('maxPool1d', options, ['stride', 'padding', 'ceilMode']);
  return ((x: Tensor) => {
    requireSequenceOf('maxPool1d', x);
    return wrap(ops.maxPool1d(x.value, window, options));
  }) as Pool1d;
}

/** A function that takes the mean of each window of [N, L, C]. */
export function avgPool1d(window: number, options: ops.Pool1dOptions & { countPadding?: boolean } = {}): Pool1d {
  checkOptions('avgPool1d', options, ['stride', 'padding', 'ceilMode', 'countPadding']);
  return ((x: Tensor) => {
    requireSequenceOf('avgPool1d', x);
    return wrap(ops.avgPool1d(x.value, window, options));
  }) as Pool1d;
}

/** A function that takes (sum of x^power)^(1/power) over each window of [N, H, W, C]. */
export const lpPool2d = (power: number, window: ops.Pair, options: Pick<PoolOptions, 'stride' | 'ceilMode'> = {}): Pool =>
  ((x: Tensor) => {
    requireImage('lpPool2d', x);
    return wrap(ops.lpPool2d(x.value, power, window, options));
  }) as Pool;

/** maxPool2d that tells where it found each maximum, for maxUnpool2d: the place in its window, uint8. */
export const maxPool2dWithIndex =
  (window: ops.Pair, options: PoolOptions = {}) =>
  (x: Tensor): { y: Tensor; index: Tensor<Shape, 'uint8'> } => {
    requireImage('maxPool2dWithIndex', x);
    const { y, index } = ops.maxPool2dWithIndex(x.value, window, options);
    return { y: wrap(y), index: wrap(index) as Tensor<Shape, 'uint8'> };
  };

/** A function that puts what maxPool2dWithIndex took back to its places in images of `size`; zeros elsewhere. */
export const maxUnpool2d =
  (window: ops.Pair, size: ops.Pair, options: PoolOptions = {}) =>
  (x: Tensor, index: Tensor<Shape, 'uint8'>): Tensor => {
    requireImage('maxUnpool2d', x);
    return wrap(ops.maxUnpool2d(x.value, index.value, window, size, options));
  };

abstract class PoolModule extends Module {
  declare readonly [io]?: 'pool';
  private readonly pool: Pool;

  constructor(apply: Pool) {
    super();
    this.pool = apply;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<number>>): Tensor<Pooled<S>, D> {
    return this.pool(x);
  }
}

/** `maxPool2d` as a module. */
export class MaxPool2d extends PoolModule {
  constructor(window: ops.Pair, options: PoolOptions = {}) {
    super(maxPool2d(window, options));
  }
}

/** `avgPool2d` as a module. */
export class AvgPool2d extends PoolModule {
  constructor(window: ops.Pair, options: AvgPoolOptions = {}) {
    super(avgPool2d(window, options));
  }
}
