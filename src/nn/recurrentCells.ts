import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Shape, type Takes, type Tensor, type TensorBase, wrap } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { Module } from './module.js';
import { createWeights, project, projectGru, type RecurrentWeights } from './recurrentWeights.js';

export interface RecurrentCellOptions {
  /** Add biases, one beside the input and one beside the state. Default true. */
  bias?: boolean;
}

export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default 'tanh'. */
  nonlinearity?: 'tanh' | 'relu';
}

/** The state of an LSTM: what it gives, and what it keeps. */
// biome-ignore lint/suspicious/noExplicitAny: `any` is how an open shape is written
export interface LSTMState<S extends Shape = any> {
  readonly h: Tensor<S, 'float32'>;
  readonly c: Tensor<S, 'float32'>;
}

/** Weights under their own names, and the checks that all cells share. */
abstract class RecurrentCell<I extends number, H extends number> extends Module implements RecurrentWeights<I, H> {
  readonly inputWeight: RecurrentWeights<I, H>['inputWeight'];
  readonly hiddenWeight: RecurrentWeights<I, H>['hiddenWeight'];
  readonly inputBias: RecurrentWeights['inputBias'];
  readonly hiddenBias: RecurrentWeights['hiddenBias'];

  constructor(
    name: string,
    gates: number,
    readonly inputSize: I,
    readonly hiddenSize: H,
    bias: boolean,
  ) {
    super();
    requireSize(name, 'inputSize', inputSize);
    requireSize(name, 'hiddenSize', hiddenSize);
    ({
      inputWeight: this.inputWeight,
      hiddenWeight: this.hiddenWeight,
      inputBias: this.inputBias,
      hiddenBias: this.hiddenBias,
    } = createWeights(gates, inputSize, hiddenSize, bias));
  }

  /** The value of a state [batch, hidden]; zeros if there is none. */
  protected stateFor(x: TensorBase, state: TensorBase | undefined): Value {
    const name = this.constructor.name;
    if (x.shape.length !== 2)
      throw new PolluxError('SHAPE_MISMATCH', `${name}: takes one step [batch, ${this.inputSize}], but got ${show(x)}.`);
    requireLast(name, x, this.inputSize, 'features');
    const shape = [x.shape[0]!, this.hiddenSize];
    if (!state) return ops.constant(0, shape);
    if (sameShape(state.shape, shape)) return state.value;
    throw new PolluxError('SHAPE_MISMATCH', `${name}: takes a state [${shape.join(', ')}], but got ${show(state)}.`);
  }
}

/**
 * One step of a plain recurrent layer (Elman 1990): h' = tanh(W x + b + V h + d), or relu. Feed it to a loop of your own.
 *
 * PyTorch's names: `inputWeight` is weight_ih, `hiddenWeight` weight_hh, `inputBias` bias_ih, `hiddenBias` bias_hh.
 */
export class RNNCell<I extends number = number, H extends number = number> extends RecurrentCell<I, H> {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: I, hiddenSize: H, options: RNNCellOptions = {}) {
    checkOptions('RNNCell', options, ['bias', 'nonlinearity']);
    super('RNNCell', 1, inputSize, hiddenSize, options.bias ?? true);
    this.nonlinearity = options.nonlinearity ?? 'tanh';
    if (this.nonlinearity !== 'tanh' && this.nonlinearity !== 'relu')
      throw new TypeError(`RNNCell: nonlinearity must be 'tanh' or 'relu', got '${this.nonlinearity as string}'.`);
  }

  /** @param x [batch, input] @param state [batch, hidden]; zeros if not given @returns the next state */
  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, I]>,
    state?: Tensor<readonly [S[0], H], 'float32'>,
  ): Tensor<readonly [S[0], H], 'float32'>;
  forward(x: Tensor, state?: Tensor): Tensor {
    const before = this.stateFor(x, state);
    return wrap(ops.rnnCell(project(x.value, this), this.hiddenWeight.value, before, this.nonlinearity));
  }
}

/**
 * One step of an LSTM (Hochreiter and Schmidhuber 1997), gates in the order input, forget, cell, output:
 * c' = f c + i g, h' = o tanh(c').
 *
 * PyTorch's names: `inputWeight` is weight_ih, `hiddenWeight` weight_hh, `inputBias` bias_ih, `hiddenBias` bias_hh.
 */
export class LSTMCell<I extends number = number, H extends number = number> extends RecurrentCell<I, H> {
  constructor(inputSize: I, hiddenSize: H, options: RecurrentCellOptions = {}) {
    checkOptions('LSTMCell', options, ['bias']);
    super('LSTMCell', 4, inputSize, hiddenSize, options.bias ?? true);
  }

  /** @param x [batch, input] @param state h and c [batch, hidden]; zeros if not given @returns the next state */
  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, I]>,
    state?: LSTMState<readonly [S[0], H]>,
  ): LSTMState<readonly [S[0], H]>;
  forward(x: Tensor, state?: LSTMState): { h: Tensor; c: Tensor } {
    const before = { h: this.stateFor(x, state?.h), c: this.stateFor(x, state?.c) };
    const { h, c } = ops.lstmCell(project(x.value, this), this.hiddenWeight.value, before);
    return { h: wrap(h), c: wrap(c) };
  }
}

/**
 * One step of a GRU (Cho et al. 2014), gates in the order reset, update, new; the reset gate weighs the product with the state:
 * n = tanh(W x + b + r (V h + d)), h' = (1 - z) n + z h.
 *
 * PyTorch's names: `inputWeight` is weight_ih, `hiddenWeight` weight_hh, `inputBias` bias_ih, `hiddenBias` bias_hh.
 */
export class GRUCell<I extends number = number, H extends number = number> extends RecurrentCell<I, H> {
  constructor(inputSize: I, hiddenSize: H, options: RecurrentCellOptions = {}) {
    checkOptions('GRUCell', options, ['bias']);
    super('GRUCell', 3, inputSize, hiddenSize, options.bias ?? true);
  }

  /** @param x [batch, input] @param state [batch, hidden]; zeros if not given @returns the next state */
  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, I]>,
    state?: Tensor<readonly [S[0], H], 'float32'>,
  ): Tensor<readonly [S[0], H], 'float32'>;
  forward(x: Tensor, state?: Tensor): Tensor {
    const before = this.stateFor(x, state);
    const { x: given, bias } = projectGru(x.value, this);
    return wrap(ops.gruCell(given, this.hiddenWeight.value, bias, before).h);
  }
}
