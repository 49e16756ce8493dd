import { checkOptions, PolluxError } from '../errors.js';
import { concat, stack, type DType, type Shape, type Tensor } from '../tensor/index.js';
import { type AttendOptions, MultiHeadAttention } from './attention.js';
import { LayerNorm } from './layerNorm.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

const requireCount = (layer: string, sizes: readonly number[], inputs: readonly Tensor[]): void => {
  if (inputs.length !== sizes.length)
    throw new PolluxError('SHAPE_MISMATCH', `${layer}: takes ${sizes.length} inputs, one a modality, got ${inputs.length}.`);
};

/** Vectors of several modalities, side by side through one Linear layer `output`: [..., size_i] to [..., outSize]. */
export class ConcatFusion extends Module {
  readonly output: Linear;

  constructor(
    readonly sizes: readonly number[],
    readonly outSize: number,
  ) {
    super();
    this.output = new Linear(
      sizes.reduce((a, b) => a + b, 0),
      outSize,
    );
  }

  forward(...inputs: Tensor[]): Tensor {
    requireCount('ConcatFusion', this.sizes, inputs);
    return this.output.forward(concat(inputs, -1));
  }
}

/**
 * Each modality's own tanh(W_i x_i), weighed element by element by gates that see all of them and add up to 1 (Arevalo et al. 2017, for any
 * number): [..., size_i] to [..., outSize].
 */
export class GatedFusion extends Module {
  readonly projections: readonly Linear[];
  readonly gates: Linear;

  constructor(
    readonly sizes: readonly number[],
    readonly outSize: number,
  ) {
    super();
    this.projections = sizes.map((size) => new Linear(size, outSize));
    this.gates = new Linear(
      sizes.reduce((a, b) => a + b, 0),
      outSize * sizes.length,
    );
  }

  forward(...inputs: Tensor[]): Tensor {
    requireCount('GatedFusion', this.sizes, inputs);
    const hidden = stack(
      inputs.map((x, i) => (this.projections[i]!.forward(x) as Tensor).tanh()),
      -1,
    );
    const scores: Tensor = this.gates.forward(concat(inputs, -1));
    const weights = scores.reshape([...scores.shape.slice(0, -1), this.outSize, this.sizes.length]).softmax();
    return hidden.mul(weights).sum(-1);
  }
}

export interface CrossAttentionFusionOptions {
  /** Numbers of a step of the context. Default: those of the sequence. */
  contextSize?: number;
  /** Of the attention's weights, in training. Default 0. */
  dropout?: number;
}

/**
 * A sequence that looks something up in another: norm(x + attention(x, context)). x [N, length, size] keeps its shape, the context is
 * [N, steps, contextSize]: image patches, frames of sound, tokens of text.
 */
export class CrossAttentionFusion extends Module {
  readonly attention: MultiHeadAttention;
  readonly norm: LayerNorm;

  constructor(
    readonly size: number,
    readonly heads: number,
    options: CrossAttentionFusionOptions = {},
  ) {
    super();
    checkOptions('CrossAttentionFusion', options, ['contextSize', 'dropout']);
    const { contextSize = size, dropout = 0 } = options;
    this.attention = new MultiHeadAttention(size, heads, { keySize: contextSize, valueSize: contextSize, dropout });
    this.norm = new LayerNorm(size);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, context: Tensor, options?: AttendOptions): Tensor<S, D>;
  forward(x: Tensor, context: Tensor, options?: AttendOptions): Tensor {
    return this.norm.forward(x.add(this.attention.forward(x, context, context, options)));
  }
}
