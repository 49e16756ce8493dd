import type { Shape, Tensor } from '../tensor/index.js';
import { Module } from './module.js';
import type { io } from './types.js';

/** What both need of a recurrent layer: its result, and the shapes that it takes and gives. */
interface Recurrent<T extends Shape, O extends Shape> {
  readonly [io]?: [T, O];
  // biome-ignore lint/suspicious/noExplicitAny: the input is what `io` says
  forward(x: any): { readonly output: Tensor; readonly last: Tensor };
}

type LastOf<O extends Shape> = O extends readonly [infer N extends number, number, infer W extends number] ? readonly [N, W] : Shape;

/** A recurrent layer in a Sequential that hands on the outputs of all steps: `new nn.Outputs(new nn.LSTM(8, 32))`. */
export class Outputs<T extends Shape, O extends Shape> extends Module {
  declare readonly [io]?: [T, O];

  constructor(readonly layer: Recurrent<T, O>) {
    super();
  }

  /** @param x [batch, steps, input] @returns [batch, steps, directions * hidden] */
  forward(x: Tensor<T, 'float32'>): Tensor<O, 'float32'>;
  forward(x: Tensor): Tensor {
    return this.layer.forward(x).output;
  }
}

/** A recurrent layer in a Sequential that hands on what it gives at the end: `new nn.LastState(new nn.LSTM(8, 32))`. */
export class LastState<T extends Shape, O extends Shape> extends Module {
  declare readonly [io]?: [T, LastOf<O>];

  constructor(readonly layer: Recurrent<T, O>) {
    super();
  }

  /** @param x [batch, steps, input] @returns [batch, directions * hidden] */
  forward(x: Tensor<T, 'float32'>): Tensor<LastOf<O>, 'float32'>;
  forward(x: Tensor): Tensor {
    return this.layer.forward(x).last;
  }
}
