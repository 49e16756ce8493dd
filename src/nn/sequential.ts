import type { DType, Shape, Takes, Tensor } from '../tensor/index.js';
import { withContext, context } from '../graph/node.js';
import { Module } from './module.js';
import type { Fitted, In, io, Layer, Run } from './types.js';

/** Layers in a row; a layer is a module or a function of one tensor. Sizes that do not fit do not compile. */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  declare readonly [io]?: [In<L>, Run<L, In<L>>];
  readonly layers: L;

  constructor(...layers: Fitted<L>) {
    super();
    this.layers = layers as unknown as L;
    layers.forEach((layer, i) => {
      if (typeof layer === 'function' || typeof (layer as Module | undefined)?.forward === 'function') return;
      throw new TypeError(
        `Sequential: layer ${i} is ${layer === undefined ? 'undefined' : typeof layer}; expected a module or a function of one tensor.`,
      );
    });
  }

  /** Children are named by their place: `0.weight`. */
  override fields(): Iterable<[string, unknown]> {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  override setField(name: string, value: unknown): void {
    (this.layers as unknown as unknown[])[Number(name)] = value;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, In<L>>): Tensor<Run<L, S>, D>;
  forward(x: Tensor): Tensor {
    let y: Tensor = x;
    this.layers.forEach((layer, i) => {
      // Functions have no path of their own; their place serves.
      y =
        typeof layer === 'function'
          ? withContext({ scope: context.scope ? `${context.scope}.${i}` : String(i) }, () => layer(y))
          : layer.forward(y);
    });
    return y;
  }
}
