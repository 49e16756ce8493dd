import * as nn from '../nn/index.js';
import type { Shape, Tensor } from '../tensor/index.js';
import { type ConfigJson, ConfigReader } from './config.js';
import { type CausalLanguageModel, lastStates, type NextTokenOptions } from './languageModel.js';

export interface Gpt2Config {
  readonly vocabularySize: number;
  /** Most tokens of a text. */
  readonly maxLength: number;
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  /** Default 4 size. */
  readonly hiddenSize?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default 'geluTanh'. */
  readonly activation?: 'gelu' | 'geluTanh' | 'relu' | 'silu';
  /** Default 1e-5. */
  readonly epsilon?: number;
}

const activations = { gelu_new: 'geluTanh', gelu_pytorch_tanh: 'geluTanh', gelu: 'gelu', relu: 'relu', silu: 'silu' } as const;

/**
 * GPT-2 (Radford et al. 2019): learned positions, layers with the norms first, and an output that shares the weight of the
 * embedding.
 */
export class Gpt2 extends nn.Module implements CausalLanguageModel {
  readonly tokens: nn.Embedding;
  readonly positions: nn.LearnedPosition;
  readonly drop: nn.Dropout;
  readonly decoder: nn.TransformerEncoder;

  constructor(readonly config: Gpt2Config) {
    super();
    const { vocabularySize, maxLength, size, layers, heads, hiddenSize = 4 * size, dropout = 0.1 } = config;
    const { activation = 'geluTanh', epsilon = 1e-5 } = config;
    this.tokens = new nn.Embedding(vocabularySize, size, { weightInit: nn.init.normal(0.02) });
    this.positions = new nn.LearnedPosition(maxLength, size);
    this.drop = new nn.Dropout(dropout);
    this.decoder = new nn.TransformerEncoder(layers, size, heads, {
      causal: true,
      preNorm: true,
      activation,
      hiddenSize,
      dropout,
      epsilon,
    });
  }

  /** From the `config.json` of a published model. @throws INVALID_ARGUMENT, UNSUPPORTED */
  static fromConfig(json: ConfigJson): Gpt2 {
    const read = new ConfigReader('GPT-2', json);
    read.refuse('scale_attn_weights', true);
    read.refuse('scale_attn_by_inverse_layer_idx', false);
    read.refuse('add_cross_attention', false);
    const size = read.size('n_embd', 'hidden_size');
    return new Gpt2({
      vocabularySize: read.size('vocab_size'),
      maxLength: read.size('n_positions', 'max_position_embeddings'),
      size,
      layers: read.size('n_layer', 'num_hidden_layers'),
      heads: read.size('n_head', 'num_attention_heads'),
      hiddenSize: read.optionalSize('n_inner') ?? 4 * size,
      dropout: read.number('resid_pdrop', 0.1),
      activation: read.choice('activation_function', activations, 'gelu_new'),
      epsilon: read.number('layer_norm_epsilon', 1e-5),
    });
  }

  get vocabularySize(): number {
    return this.config.vocabularySize;
  }

  get maxLength(): number {
    return this.config.maxLength;
  }

  newCaches(batch: number, capacity: number): nn.KeyValueCache[] {
    return this.decoder.newCaches(batch, Math.min(capacity, this.maxLength));
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, options: NextTokenOptions = {}): Tensor<readonly [number, number, number], 'float32'> {
    const { caches, lengths, last } = options;
    const embedded = this.positions.forward(this.tokens.forward(ids) as Tensor, { offset: caches?.[0]?.position });
    const states = this.decoder.forward(this.drop.forward(embedded), { caches, lengths });
    return (last ? lastStates(states, lengths) : states).matmul((this.tokens.weight as Tensor).transpose()) as never;
  }
}
