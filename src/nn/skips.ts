import { checkOptions, PolluxError } from '../errors.js';
import { sameShape, show } from '../graph/op.js';
import { concat, type DType, type Shape, type Takes, type Tensor } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { constant } from './initializers.js';
import * as joins from './joins.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { requireLayer, runLayer } from './run.js';
import type { In, io, Layer, Run } from './types.js';

function requireEqual(layer: string, x: Tensor, y: Tensor, remedy: string): void {
  if (sameShape(x.shape, y.shape)) return;
  throw new PolluxError('SHAPE_MISMATCH', `${layer}: the body gives ${show(y)}, what goes around it is ${show(x)}. ${remedy}`);
}

export interface ResidualOptions {
  /** What the input goes through on its way around the body. Default: nothing. */
  shortcut?: Layer;
  /** The body's output counts this much. Default 1. */
  scale?: number;
}

/** shortcut(x) + scale body(x) (He et al. 2016). */
export class Residual<L extends Layer = Layer> extends Module {
  declare readonly [io]?: [In<readonly [L]>, Run<readonly [L], In<readonly [L]>>];
  readonly body: L;
  readonly shortcut: Layer | undefined;
  readonly scale: number;

  constructor(body: L, options: ResidualOptions = {}) {
    super();
    checkOptions('Residual', options, ['shortcut', 'scale']);
    requireLayer('Residual: the body', body);
    this.body = body;
    this.shortcut = options.shortcut;
    this.scale = options.scale ?? 1;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, In<readonly [L]>>): Tensor<Run<readonly [L], S>, D>;
  forward(x: Tensor): Tensor {
    const y = runLayer(this.body, x, 'body');
    const around = this.shortcut ? runLayer(this.shortcut, x, 'shortcut') : x;
    requireEqual('Residual', around, y, 'Give a shortcut that makes them equal.');
    return around.add(this.scale === 1 ? y : y.mul(this.scale));
  }
}

export interface GatedSkipOptions {
  /** First value of the gate's bias: below 0 most of the input passes by the body at first. Default -1. */
  gateBias?: number;
}

/**
 * g body(x) + (1 - g) x, with g = sigmoid(W x + b) for each element of the last axis: a highway layer (Srivastava et al. 2015). Its
 * gate is the layer `gate`.
 */
export class GatedSkip extends Module {
  declare readonly [io]?: 'same';
  readonly gate: Linear;

  constructor(
    readonly size: number,
    readonly body: Layer,
    options: GatedSkipOptions = {},
  ) {
    super();
    checkOptions('GatedSkip', options, ['gateBias']);
    requireSize('GatedSkip', 'size', size);
    requireLayer('GatedSkip: the body', body);
    this.gate = new Linear(size, size, { biasInit: constant(options.gateBias ?? -1) });
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D>;
  forward(x: Tensor): Tensor {
    const gate: Tensor = (this.gate.forward(x) as Tensor).sigmoid();
    const y = runLayer(this.body, x, 'body');
    requireEqual('GatedSkip', x, y, 'The body must keep the shape.');
    return x.add(gate.mul(y.sub(x)));
  }
}

/** Layers of which each reads the input and the outputs of all before, side by side in the last axis; so is what it gives (Huang et al. 2017). */
export class DenseBlock extends Module {
  readonly layers: readonly Layer[];

  constructor(...layers: Layer[]) {
    super();
    layers.forEach((layer, i) => requireLayer(`DenseBlock: layer ${i}`, layer));
    this.layers = layers;
  }

  override fields(): Iterable<[string, unknown]> {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  override setField(name: string, value: unknown): void {
    (this.layers as Layer[])[Number(name)] = value as Layer;
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce<Tensor>((all, layer, i) => concat([all, runLayer(layer, all, String(i))], -1), x);
  }
}

const merges = { concat: joins.concat, sum: joins.add, mean: joins.average, product: joins.multiply };

export interface ParallelOptions {
  /** What is made of the outputs: side by side in the last axis ('concat', the default), 'sum', 'mean', 'product', or a function of them. */
  merge?: keyof typeof merges | ((...parts: Tensor[]) => Tensor);
}

/** Branches that read one input. */
export class Parallel extends Module {
  readonly merge: (...parts: Tensor[]) => Tensor;

  constructor(
    readonly branches: readonly Layer[],
    options: ParallelOptions = {},
  ) {
    super();
    checkOptions('Parallel', options, ['merge']);
    if (!branches.length) throw new RangeError('Parallel: needs one branch at least.');
    branches.forEach((branch, i) => requireLayer(`Parallel: branch ${i}`, branch));
    const { merge = 'concat' } = options;
    if (typeof merge !== 'function' && !Object.hasOwn(merges, merge))
      throw new RangeError(`Parallel: merge must be one of ${Object.keys(merges).join(', ')} or a function, got '${merge}'.`);
    this.merge = typeof merge === 'function' ? merge : merges[merge];
  }

  override fields(): Iterable<[string, unknown]> {
    return this.branches.map((branch, i) => [String(i), branch]);
  }

  override setField(name: string, value: unknown): void {
    (this.branches as Layer[])[Number(name)] = value as Layer;
  }

  forward(x: Tensor): Tensor {
    return this.merge(...this.branches.map((branch, i) => runLayer(branch, x, String(i))));
  }
}
