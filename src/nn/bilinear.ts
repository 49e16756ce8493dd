import { checkOptions } from '../errors.js';
import { einsum, Parameter, type Shape, type Tensor } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { uniform } from './initializers.js';
import { Linear, type LinearOptions } from './linear.js';
import { Module } from './module.js';
import type { io } from './types.js';

/** y_o = a W_o b + bias_o: [..., first] and [..., second] to [..., out]. `weight` is [out, first, second], `bias` [out]. */
export class Bilinear extends Module {
  readonly weight: Parameter<readonly [number, number, number], 'float32'>;
  readonly bias: Parameter<readonly [number], 'float32'> | undefined;

  constructor(
    readonly firstSize: number,
    readonly secondSize: number,
    readonly outSize: number,
    options: LinearOptions = {},
  ) {
    super();
    for (const [name, size] of Object.entries({ firstSize, secondSize, outSize })) requireSize('Bilinear', name, size);
    checkOptions('Bilinear', options, ['bias', 'weightInit', 'biasInit']);
    const { bias = true, weightInit = uniform(1 / Math.sqrt(firstSize)), biasInit = uniform(1 / Math.sqrt(firstSize)) } = options;
    this.weight = new Parameter([outSize, firstSize, secondSize] as const, weightInit);
    this.bias = bias ? new Parameter([outSize] as const, biasInit) : undefined;
  }

  forward(a: Tensor, b: Tensor): Tensor {
    requireLast('Bilinear', a, this.firstSize, 'first features');
    requireLast('Bilinear', b, this.secondSize, 'second features');
    const y = einsum('...i,oij,...j->...o', a, this.weight as Tensor, b) as Tensor;
    return this.bias ? y.add(this.bias as Tensor) : y;
  }
}

/** The largest of several linear functions for each output (Goodfellow et al. 2013): [..., in] to [..., out]. Its layer is `linear`. */
export class Maxout<I extends number = number, O extends number = number> extends Module {
  declare readonly [io]?: [readonly [...Shape, I], readonly [...Shape, O]];
  declare readonly layerName?: 'Maxout';
  readonly linear: Linear;

  constructor(
    readonly inSize: I,
    readonly outSize: O,
    readonly pieces = 2,
    options: LinearOptions = {},
  ) {
    super();
    requireSize('Maxout', 'pieces', pieces);
    this.linear = new Linear(inSize, outSize * pieces, options);
  }

  forward<B extends Shape>(x: Tensor<readonly [...B, I], 'float32'>): Tensor<readonly [...B, O], 'float32'>;
  forward(x: Tensor): Tensor {
    const y: Tensor = this.linear.forward(x);
    return y.reshape([...y.shape.slice(0, -1), this.outSize, this.pieces]).max(-1);
  }
}
