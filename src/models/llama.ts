import * as nn from '../nn/index.js';
import type { Shape, Tensor } from '../tensor/index.js';
import { type ConfigJson, ConfigReader } from './config.js';
import { type CausalLanguageModel, lastStates, type NextTokenOptions } from './languageModel.js';

export interface LlamaConfig {
  readonly vocabularySize: number;
  /** Most tokens of a text. */
  readonly maxLength: number;
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values. Default: as many as heads. */
  readonly kvHeads?: number;
  /** Default size / heads. */
  readonly headSize?: number;
  readonly hiddenSize: number;
  /** Of the rotary positions. Default 10000. */
  readonly base?: number;
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Biases of all projections. Default false. */
  readonly bias?: boolean;
  /** Sliding window of attention (Mistral). Default: none. */
  readonly window?: number;
  /** The output shares the weight of the embedding. Default false. */
  readonly tied?: boolean;
}

/**
 * Llama (Touvron et al. 2023) and its kin, such as Mistral: rotary positions, grouped-query heads, gated feed-forward networks and
 * norms by the root mean square.
 */
export class Llama extends nn.Module implements CausalLanguageModel {
  readonly tokens: nn.Embedding;
  readonly decoder: nn.TransformerEncoder;
  readonly head: nn.Linear | undefined;

  constructor(readonly config: LlamaConfig) {
    super();
    const { vocabularySize, size, layers, heads, kvHeads, headSize, hiddenSize, base = 10_000, epsilon = 1e-5, tied = false } = config;
    const { bias = false, window } = config;
    this.tokens = new nn.Embedding(vocabularySize, size, { weightInit: nn.init.normal(0.02) });
    this.decoder = new nn.TransformerEncoder(layers, size, heads, {
      causal: true,
      preNorm: true,
      norm: 'rmsNorm',
      activation: 'swiglu',
      rotary: { base },
      dropout: 0,
      hiddenSize,
      epsilon,
      bias,
      kvHeads,
      headSize,
      window,
    });
    this.head = tied ? undefined : new nn.Linear(size, vocabularySize, { bias: false });
  }

  /** From the `config.json` of a published model. @throws INVALID_ARGUMENT, UNSUPPORTED (scaled rotary positions, other activations) */
  static fromConfig(json: ConfigJson): Llama {
    const read = new ConfigReader('Llama', json);
    read.choice('hidden_act', { silu: true }, 'silu');
    read.refuse('rope_scaling');
    read.refuse('partial_rotary_factor', 1);
    const heads = read.size('num_attention_heads');
    const bias = read.flag('attention_bias', false);
    if (bias !== read.flag('mlp_bias', false)) read.refuse('attention_bias', false);
    const layout = {
      vocabularySize: read.size('vocab_size'),
      maxLength: read.size('max_position_embeddings'),
      size: read.size('hidden_size'),
      layers: read.size('num_hidden_layers'),
      heads,
      kvHeads: read.optionalSize('num_key_value_heads') ?? heads,
      hiddenSize: read.size('intermediate_size'),
      base: read.number('rope_theta', 10_000),
      epsilon: read.number('rms_norm_eps', 1e-6),
      tied: read.flag('tie_word_embeddings', false),
      bias,
    };
    const [headSize, window] = [read.optionalSize('head_dim'), read.optionalSize('sliding_window')];
    return new Llama({ ...layout, ...(headSize && { headSize }), ...(window && { window }) });
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
    const states = this.decoder.forward(this.tokens.forward(ids) as Tensor, { caches, lengths });
    const wanted = last ? lastStates(states, lengths) : states;
    return (this.head ? this.head.forward(wanted) : wanted.matmul((this.tokens.weight as Tensor).transpose())) as never;
  }
}
