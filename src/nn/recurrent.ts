import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { draw, type Parameter, type Shape, type Takes, type Tensor, type TensorBase, wrap } from '../tensor/index.js';
import { requireLast, requireSize, requireTensor } from './checks.js';
import { Module } from './module.js';
import type { LSTMState } from './recurrentCells.js';
import { createWeights, project, projectGru, type RecurrentWeights } from './recurrentWeights.js';
import type { io } from './types.js';

export interface RecurrentOptions<B extends boolean = boolean> {
  /** Layers on top of each other, each reading what the one below gives. Default 1. */
  layers?: number;
  /** Run each layer from the end too, and join both outputs. Default false. */
  bidirectional?: B;
  /** Rate at which the outputs of all layers but the last are dropped in training. Default 0. */
  dropout?: number;
  /** Add biases, one beside the input and one beside the state. Default true. */
  bias?: boolean;
}

export interface RNNOptions<B extends boolean = boolean> extends RecurrentOptions<B> {
  /** Default 'tanh'. */
  nonlinearity?: 'tanh' | 'relu';
}

/** What a sequence begins with, and where it ends. */
export interface RecurrentInput<State> {
  /** First state, [layers * directions, batch, hidden]: layer by layer, forward before reverse. Default zeros. */
  state?: State;
  /** Steps of each sequence that count, int32 or int64 [batch], within [0, steps]. Beyond them outputs are 0. Default all. */
  lengths?: Tensor<readonly [number], 'int32' | 'int64'>;
}

/** What a recurrent layer gives for sequences. */
export interface RecurrentResult<S extends Shape, W extends number, State> {
  /** h of the top layer at each step, [batch, steps, directions * hidden]. */
  readonly output: Tensor<readonly [S[0], S[1], W], 'float32'>;
  /** h of the top layer after the last step of each sequence, [batch, directions * hidden]: what a classifier reads. */
  readonly last: Tensor<readonly [S[0], W], 'float32'>;
  /** Last state of all layers, [layers * directions, batch, hidden]: to go on from. */
  readonly state: State;
}

/** Features of the output: H of one direction, twice as many of two. */
export type RecurrentWidth<H extends number, B extends boolean> = B extends true ? number : H;
type StateShape<S extends Shape, H extends number> = readonly [number, S[0], H];

/** One direction of one layer: the outputs, and the last states. */
type Swept = { readonly y: Value; readonly last: readonly Value[] };

abstract class Recurrent<I extends number, H extends number, B extends boolean> extends Module {
  declare readonly [io]?: [readonly [number, number, I], readonly [number, number, RecurrentWidth<H, B>]];
  readonly layers: readonly RecurrentWeights[];
  readonly reverseLayers: readonly RecurrentWeights[];
  readonly bidirectional: boolean;
  readonly dropout: number;

  constructor(
    protected readonly kind: string,
    gates: number,
    readonly inputSize: I,
    readonly hiddenSize: H,
    options: RecurrentOptions<B>,
  ) {
    super();
    const { layers = 1, bidirectional = false, dropout = 0, bias = true } = options;
    requireSize(kind, 'inputSize', inputSize);
    requireSize(kind, 'hiddenSize', hiddenSize);
    requireSize(kind, 'layers', layers);
    if (!(dropout >= 0 && dropout < 1)) throw new RangeError(`${kind}: dropout must lie in [0, 1), got ${dropout}.`);
    this.bidirectional = bidirectional;
    this.dropout = dropout;
    const width = bidirectional ? 2 * hiddenSize : hiddenSize;
    const stackOf = (): RecurrentWeights[] =>
      Array.from({ length: layers }, (_, layer) => createWeights(gates, layer ? width : inputSize, hiddenSize, bias));
    this.layers = stackOf();
    this.reverseLayers = bidirectional ? stackOf() : [];
  }

  /** Weights are named by their layer: `layers.0.inputWeight`, `reverseLayers.0.inputWeight`. */
  override *fields(): Iterable<[string, Parameter]> {
    for (const name of ['layers', 'reverseLayers'] as const) {
      for (const [i, weights] of this[name].entries())
        for (const [key, parameter] of Object.entries(weights)) if (parameter) yield [`${name}.${i}.${key}`, parameter as Parameter];
    }
  }

  protected abstract sweep(x: Value, weights: RecurrentWeights, first: readonly Value[], lengths?: Value, reverse?: boolean): Swept;

  /** All layers. `first` are the states that the layer has, each [layers * directions, batch, hidden] or undefined. */
  protected run(x: TensorBase, first: readonly (TensorBase | undefined)[], given: TensorBase | undefined) {
    const { kind } = this;
    if (x.shape.length !== 3) {
      const remedy = x.shape.length === 2 ? ' For one sequence: x.expandDims(0).' : '';
      throw new PolluxError('SHAPE_MISMATCH', `${kind}: takes [batch, steps, ${this.inputSize}], but got ${show(x)}.${remedy}`);
    }
    requireLast(kind, x, this.inputSize, 'features');
    const batch = x.shape[0]!;
    const directions = this.bidirectional ? 2 : 1;
    const stateShape = [this.layers.length * directions, batch, this.hiddenSize];
    for (const state of first) {
      if (!state || sameShape(state.shape, stateShape)) continue;
      throw new PolluxError('SHAPE_MISMATCH', `${kind}: takes a state [${stateShape.join(', ')}], but got ${show(state)}.`);
    }
    const lengths = given && this.lengthsOf(given, batch);
    const lasts: (readonly Value[])[] = [];
    let y = x.value;
    for (const [layer, weights] of this.layers.entries()) {
      const below = layer ? this.dropped(y) : y;
      const swept = [weights, ...this.reverseLayers.slice(layer, layer + 1)].map((own, direction) => {
        const at = layer * directions + direction;
        const states = first.map((state) =>
          state
            ? ops.reshape(ops.sliceAxis(state.value, 0, at, at + 1), [batch, this.hiddenSize])
            : ops.constant(0, [batch, this.hiddenSize]),
        );
        return this.sweep(below, own, states, lengths, direction === 1);
      });
      y = joined(swept.map((one) => one.y));
      lasts.push(...swept.map((one) => one.last));
    }
    return {
      output: wrap(y),
      last: wrap(joined(lasts.slice(-directions).map((last) => last[0]!))),
      states: first.map((_, i) => wrap(ops.stack(lasts.map((last) => last[i]!)))),
    };
  }

  private lengthsOf(lengths: TensorBase, batch: number): Value {
    requireTensor(this.kind, lengths, `lengths int32[${batch}]`);
    if (!sameShape(lengths.shape, [batch]) || (lengths.dtype !== 'int32' && lengths.dtype !== 'int64')) {
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `${this.kind}: takes lengths int32[${batch}], one for each sequence, but got ${show(lengths)}.`,
      );
    }
    return lengths.dtype === 'int32' ? lengths.value : ops.cast(lengths.value, 'int32');
  }

  private dropped(x: Value): Value {
    if (!this.training || this.dropout === 0) return x;
    const { state, stream } = draw();
    return ops.dropout(x, state, this.dropout, stream);
  }
}

const joined = (values: readonly Value[]): Value => (values.length > 1 ? ops.concat(values, -1) : values[0]!);

/**
 * A plain recurrent layer (Elman 1990) over sequences [batch, steps, input]: h = tanh(W x + b + V h + d), or relu.
 *
 * The weights of layer k are `layers.k.inputWeight`, `.hiddenWeight`, `.inputBias` and `.hiddenBias`: PyTorch's weight_ih_lk,
 * weight_hh_lk, bias_ih_lk and bias_hh_lk; those of the other direction are `reverseLayers.k...`, PyTorch's ..._lk_reverse.
 */
export class RNN<I extends number = number, H extends number = number, B extends boolean = false> extends Recurrent<I, H, B> {
  declare readonly layerName?: 'RNN';
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: I, hiddenSize: H, options: RNNOptions<B> = {}) {
    checkOptions('RNN', options, ['layers', 'bidirectional', 'dropout', 'bias', 'nonlinearity']);
    super('RNN', 1, inputSize, hiddenSize, options);
    this.nonlinearity = options.nonlinearity ?? 'tanh';
    if (this.nonlinearity !== 'tanh' && this.nonlinearity !== 'relu')
      throw new TypeError(`RNN: nonlinearity must be 'tanh' or 'relu', got '${this.nonlinearity as string}'.`);
  }

  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, number, I]>,
    input?: RecurrentInput<Tensor<StateShape<S, H>, 'float32'>>,
  ): RecurrentResult<S, RecurrentWidth<H, B>, Tensor<StateShape<S, H>, 'float32'>>;
  forward(x: Tensor, input: RecurrentInput<Tensor> = {}) {
    checkOptions('RNN.forward', input, ['state', 'lengths']);
    const { output, last, states } = this.run(x, [input.state], input.lengths);
    return { output, last, state: states[0]! };
  }

  protected sweep(x: Value, weights: RecurrentWeights, [h]: readonly Value[], lengths?: Value, reverse?: boolean): Swept {
    const swept = ops.rnn(project(x, weights), weights.hiddenWeight.value, h!, this.nonlinearity, lengths, reverse);
    return { y: swept.y, last: [swept.h] };
  }
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997) over sequences [batch, steps, input]; see LSTMCell for the formula.
 *
 * The weights of layer k are `layers.k.inputWeight`, `.hiddenWeight`, `.inputBias` and `.hiddenBias`: PyTorch's weight_ih_lk,
 * weight_hh_lk, bias_ih_lk and bias_hh_lk; those of the other direction are `reverseLayers.k...`, PyTorch's ..._lk_reverse. Rows
 * are those of the gates input, forget, cell, output.
 */
export class LSTM<I extends number = number, H extends number = number, B extends boolean = false> extends Recurrent<I, H, B> {
  declare readonly layerName?: 'LSTM';

  constructor(inputSize: I, hiddenSize: H, options: RecurrentOptions<B> = {}) {
    checkOptions('LSTM', options, ['layers', 'bidirectional', 'dropout', 'bias']);
    super('LSTM', 4, inputSize, hiddenSize, options);
  }

  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, number, I]>,
    input?: RecurrentInput<LSTMState<StateShape<S, H>>>,
  ): RecurrentResult<S, RecurrentWidth<H, B>, LSTMState<StateShape<S, H>>>;
  forward(x: Tensor, input: RecurrentInput<LSTMState> = {}) {
    checkOptions('LSTM.forward', input, ['state', 'lengths']);
    const { output, last, states } = this.run(x, [input.state?.h, input.state?.c], input.lengths);
    return { output, last, state: { h: states[0]!, c: states[1]! } };
  }

  protected sweep(x: Value, weights: RecurrentWeights, [h, c]: readonly Value[], lengths?: Value, reverse?: boolean): Swept {
    const swept = ops.lstm(project(x, weights), weights.hiddenWeight.value, { h: h!, c: c! }, lengths, reverse);
    return { y: swept.y, last: [swept.h, swept.c] };
  }
}

/**
 * Gated recurrent units (Cho et al. 2014) over sequences [batch, steps, input]; see GRUCell for the formula.
 *
 * The weights of layer k are `layers.k.inputWeight`, `.hiddenWeight`, `.inputBias` and `.hiddenBias`: PyTorch's weight_ih_lk,
 * weight_hh_lk, bias_ih_lk and bias_hh_lk; those of the other direction are `reverseLayers.k...`, PyTorch's ..._lk_reverse. Rows
 * are those of the gates reset, update, new.
 */
export class GRU<I extends number = number, H extends number = number, B extends boolean = false> extends Recurrent<I, H, B> {
  declare readonly layerName?: 'GRU';

  constructor(inputSize: I, hiddenSize: H, options: RecurrentOptions<B> = {}) {
    checkOptions('GRU', options, ['layers', 'bidirectional', 'dropout', 'bias']);
    super('GRU', 3, inputSize, hiddenSize, options);
  }

  forward<S extends Shape>(
    x: Tensor<S, 'float32'> & Takes<S, readonly [number, number, I]>,
    input?: RecurrentInput<Tensor<StateShape<S, H>, 'float32'>>,
  ): RecurrentResult<S, RecurrentWidth<H, B>, Tensor<StateShape<S, H>, 'float32'>>;
  forward(x: Tensor, input: RecurrentInput<Tensor> = {}) {
    checkOptions('GRU.forward', input, ['state', 'lengths']);
    const { output, last, states } = this.run(x, [input.state], input.lengths);
    return { output, last, state: states[0]! };
  }

  protected sweep(x: Value, weights: RecurrentWeights, [h]: readonly Value[], lengths?: Value, reverse?: boolean): Swept {
    const { x: given, bias } = projectGru(x, weights);
    const swept = ops.gru(given, weights.hiddenWeight.value, bias, h!, lengths, reverse);
    return { y: swept.y, last: [swept.h] };
  }
}
