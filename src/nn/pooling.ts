import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, type Pooled, type Shape, type Spatial, type Takes, type Tensor, wrap } from '../tensor/index.js';
import { requireImage } from './checks.js';
import { Module } from './module.js';
import type { io, Pool } from './types.js';

export interface PoolOptions {
  /** Step of the window. Default: its size. */
  stride?: ops.Pair;
  /** As for Conv2d; padding counts as minus infinity for the maximum. Default 'valid'. */
  padding?: ops.Padding;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Count padding in the mean. Default true, as PyTorch. */
  countPadding?: boolean;
}

/** A function that takes the maximum of each window of [N, H, W, C]. */
export function maxPool2d(window: ops.Pair, options: PoolOptions = {}): Pool {
  checkOptions('maxPool2d', options, ['stride', 'padding']);
  return ((x: Tensor) => {
    requireImage('maxPool2d', x);
    return wrap(ops.maxPool2d(x.value, window, options));
  }) as Pool;
}

/** A function that takes the mean of each window of [N, H, W, C]. */
export function avgPool2d(window: ops.Pair, options: AvgPoolOptions = {}): Pool {
  checkOptions('avgPool2d', options, ['stride', 'padding', 'countPadding']);
  return ((x: Tensor) => {
    requireImage('avgPool2d', x);
    return wrap(ops.avgPool2d(x.value, window, options));
  }) as Pool;
}

abstract class PoolModule extends Module {
  declare readonly [io]?: 'pool';
  readonly #apply: Pool;

  constructor(apply: Pool) {
    super();
    this.#apply = apply;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<number>>): Tensor<Pooled<S>, D> {
    return this.#apply(x);
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
