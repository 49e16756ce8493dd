import * as ops from '../ops/index.js';
import { type DType, draw, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { Module } from './module.js';
import type { io } from './types.js';

/**
 * In training mode sets each element to 0 with probability `rate` and scales the rest by 1 / (1 - rate) (Srivastava et al.
 * 2014). The mask is drawn again in the backward pass rather than stored.
 */
export class Dropout extends Module {
  declare readonly [io]?: 'same';

  constructor(readonly rate = 0.5) {
    super();
    if (!(rate >= 0 && rate < 1)) throw new RangeError(`Dropout: rate must lie in [0, 1), got ${rate}.`);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    if (!this.training || this.rate === 0) return x;
    const { state, stream } = draw();
    return wrap(ops.dropout(x.value, state, this.rate, stream));
  }
}
