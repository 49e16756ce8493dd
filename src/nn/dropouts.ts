import * as ops from '../ops/index.js';
import { type DType, draw, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { Module } from './module.js';
import type { io } from './types.js';

/** What in training drops with a probability. */
abstract class Dropping extends Module {
  declare readonly [io]?: 'same';

  constructor(
    layer: string,
    readonly rate: number,
  ) {
    super();
    if (!(rate >= 0 && rate < 1)) throw new RangeError(`${layer}: rate must lie in [0, 1), got ${rate}.`);
  }

  protected abstract drop(x: Tensor): Tensor;

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D>;
  forward(x: Tensor): Tensor {
    return this.training && this.rate > 0 ? this.drop(x) : x;
  }
}

/** Multiplies by one number for each place along some axes: 0, or what keeps the mean. */
function dropAlong(x: Tensor, rate: number, along: (axis: number) => boolean): Tensor {
  const { state, stream } = draw();
  const shape = (x.shape as readonly number[]).map((size, axis) => (along(axis) ? size : 1));
  return x.mul(wrap(ops.dropout(ops.constant(1, shape, 'float32'), state, rate, stream)));
}

/** Drops whole channels, the last axis of [N, ..., C], of each sample, and scales the others (Tompson et al. 2015): Dropout1d, Dropout2d. */
export class FeatureDropout extends Dropping {
  constructor(rate = 0.5) {
    super('FeatureDropout', rate);
  }

  protected drop(x: Tensor): Tensor {
    return dropAlong(x, this.rate, (axis) => axis === 0 || axis === x.rank - 1);
  }
}

/** Drops whole samples, and scales the others: before it is added, a branch of a residual network (stochastic depth, Huang et al. 2016). */
export class DropPath extends Dropping {
  constructor(rate = 0.1) {
    super('DropPath', rate);
  }

  protected drop(x: Tensor): Tensor {
    return dropAlong(x, this.rate, (axis) => axis === 0);
  }
}

/** The value of selu far below 0. */
const SATURATED = -1.7580993408473766;

/** Sets elements to selu's lowest value, and scales and shifts all so that mean and variance stay (Klambauer et al. 2017): dropout beside selu. */
export class AlphaDropout extends Dropping {
  constructor(rate = 0.5) {
    super('AlphaDropout', rate);
  }

  protected drop(x: Tensor): Tensor {
    const { state, stream } = draw();
    const keep = ops.bernoulli(state, x.shape, 1 - this.rate, stream);
    const scale = 1 / Math.sqrt((1 - this.rate) * (1 + this.rate * SATURATED ** 2));
    const y = wrap(ops.where(keep, x.value, ops.constant(SATURATED, x.shape, 'float32')));
    return y.mul(scale).add(-scale * SATURATED * this.rate);
  }
}
