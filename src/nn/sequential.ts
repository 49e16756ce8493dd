import type { DType, Shape, Takes, Tensor } from '../tensor/index.js';
import { Module } from './module.js';
import { requireLayer, runLayer } from './run.js';
import type { Fitted, In, io, Layer, Run } from './types.js';

/** Layers in a row; a layer is a module or a function of one tensor. Sizes that do not fit do not compile. */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  declare readonly [io]?: [In<L>, Run<L, In<L>>];
  readonly layers: L;

  constructor(...layers: Fitted<L>) {
    super();
    this.layers = layers as unknown as L;
    layers.forEach((layer, i) => requireLayer(`Sequential: layer ${i}`, layer));
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
      y = runLayer(layer, y, String(i));
    });
    return y;
  }
}
