import { checkOptions } from '../errors.js';
import type { DType, Shape, Tensor } from '../tensor/index.js';
import { gelu, geluTanh, relu, sigmoid, silu } from './activations.js';
import { requireSize } from './checks.js';
import { Dropout } from './dropout.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import type { io } from './types.js';

const plain = { relu, gelu, geluTanh, silu };
/** Gated forms (Shazeer 2020): activation(gate x) * up x. */
const gated = { glu: sigmoid, swiglu: silu, geglu: gelu, geglutanh: geluTanh, reglu: relu };
/** What stands between the two linear layers; the gated ones multiply two halves. */
export type FeedForwardActivation = keyof typeof plain | keyof typeof gated;

export interface FeedForwardOptions {
  /** Default 'relu'; 'swiglu' and the other gated forms have a third matrix. */
  activation?: FeedForwardActivation;
  /** Default true. */
  bias?: boolean;
  /** Of the hidden numbers, in training. Default 0. */
  dropout?: number;
}

/**
 * The position-wise network of a transformer: down(activation(up x)), or down(activation(gate x) * up x) for a gated form, over the
 * last axis: [..., size] to [..., size]. Its layers are `up`, `down` and, where gated, `gate`.
 */
export class FeedForward extends Module {
  declare readonly [io]?: 'same';
  readonly up: Linear;
  readonly gate: Linear | undefined;
  readonly down: Linear;
  readonly drop: Dropout;
  readonly activation: FeedForwardActivation;

  constructor(
    readonly size: number,
    readonly hiddenSize: number,
    options: FeedForwardOptions = {},
  ) {
    super();
    checkOptions('FeedForward', options, ['activation', 'bias', 'dropout']);
    requireSize('FeedForward', 'size', size);
    requireSize('FeedForward', 'hiddenSize', hiddenSize);
    const { activation = 'relu', bias = true, dropout = 0 } = options;
    if (!(activation in plain) && !(activation in gated))
      throw new RangeError(
        `FeedForward: unknown activation '${activation}'. Known: ${[...Object.keys(plain), ...Object.keys(gated)].join(', ')}.`,
      );
    this.activation = activation;
    this.up = new Linear(size, hiddenSize, { bias });
    this.gate = activation in gated ? new Linear(size, hiddenSize, { bias }) : undefined;
    this.down = new Linear(hiddenSize, size, { bias });
    this.drop = new Dropout(dropout);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D>;
  forward(x: Tensor): Tensor {
    const up = this.up.forward(x);
    const hidden = this.gate
      ? gated[this.activation as keyof typeof gated](this.gate.forward(x)).mul(up)
      : plain[this.activation as keyof typeof plain](up);
    return this.down.forward(this.drop.forward(hidden));
  }
}
