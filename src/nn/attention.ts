import { checkOptions, PolluxError } from '../errors.js';
import type { DType, Shape, Tensor } from '../tensor/index.js';
import { type AttentionBias, attention, splitHeads, withPadding } from './attentionFunction.js';
import { requireSequence, requireSize } from './checks.js';
import { uniform, zeros } from './initializers.js';
import { KeyValueCache } from './keyValueCache.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { alibiSlopes, RotaryPosition, type RotaryOptions } from './positions.js';

export interface MultiHeadAttentionOptions {
  /** Heads of keys and values, each shared by heads / kvHeads query heads (Ainslie et al. 2023). Default: as many as heads. */
  kvHeads?: number;
  /** Numbers of a head. Default embedSize / heads. */
  headSize?: number;
  /** Sizes of what keys and values are made of. Default embedSize. */
  keySize?: number;
  valueSize?: number;
  /** Biases of the four projections. Default true. */
  bias?: boolean;
  /** Probability with which a weight is dropped in training. Default 0. */
  dropout?: number;
  /** A query sees no later key. A call may say otherwise. Default false. */
  causal?: boolean;
  /** Sliding window: a query sees only keys less than this far away. */
  window?: number;
  /** Rotary positions of queries and keys. Default false. */
  rotary?: boolean | RotaryOptions;
  /** Lower the scores with the distance (Press et al. 2022). Default false. */
  alibi?: boolean;
}

export interface AttendOptions extends AttentionBias {
  /** bool [batch, keys]: true for keys that are ignored, as PyTorch's key_padding_mask. */
  keyPaddingMask?: Tensor<Shape, 'bool'>;
  /** Keys and values of earlier calls: those of this call are appended, and all are attended to. */
  cache?: KeyValueCache;
  /** With a cache: attend to what it holds, and append nothing; `key` and `value` are not read. Default true. */
  append?: boolean;
}

const options = ['kvHeads', 'headSize', 'keySize', 'valueSize', 'bias', 'dropout', 'causal', 'window', 'rotary', 'alibi'] as const;
const callOptions = ['mask', 'causal', 'lengths', 'queryLengths', 'keyPaddingMask', 'cache', 'append'];
/** @internal Options of the layer that a transformer passes on. */
export const attentionOptions: readonly string[] = options;

/**
 * Multi-head attention (Vaswani et al. 2017): queries [batch, from, embedSize], keys [batch, to, keySize] and values
 * [batch, to, valueSize] to [batch, from, embedSize]. Its projections are the layers `query`, `key`, `value` and `output`. What is not
 * given is the one before it: `forward(x)` is self-attention, `forward(x, memory)` attends to another sequence.
 */
export class MultiHeadAttention<E extends number = number> extends Module {
  declare readonly layerName?: 'MultiHeadAttention';
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly rotary: RotaryPosition | undefined;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly dropout: number;
  readonly causal: boolean;
  readonly window: number;
  readonly alibi: boolean;

  constructor(
    readonly embedSize: E,
    readonly heads: number,
    settings: MultiHeadAttentionOptions = {},
  ) {
    super();
    checkOptions('MultiHeadAttention', settings, options);
    requireSize('MultiHeadAttention', 'embedSize', embedSize);
    requireSize('MultiHeadAttention', 'heads', heads);
    const { kvHeads = heads, headSize = embedSize / heads, keySize = embedSize, valueSize = embedSize, bias = true } = settings;
    requireSize('MultiHeadAttention', 'kvHeads', kvHeads);
    if (!Number.isInteger(headSize) || headSize < 1)
      throw new RangeError(`MultiHeadAttention: ${heads} heads do not divide embedSize ${embedSize}; give headSize.`);
    if (heads % kvHeads) throw new RangeError(`MultiHeadAttention: kvHeads ${kvHeads} does not divide the ${heads} heads.`);
    const { dropout = 0, window = 0, rotary } = settings;
    if (!(dropout >= 0 && dropout < 1)) throw new RangeError(`MultiHeadAttention: dropout must lie in [0, 1), got ${dropout}.`);
    this.kvHeads = kvHeads;
    this.headSize = headSize;
    this.dropout = dropout;
    this.window = window;
    this.causal = settings.causal ?? false;
    this.alibi = settings.alibi ?? false;
    this.rotary = rotary ? new RotaryPosition(headSize, rotary === true ? {} : rotary) : undefined;
    // Glorot over the three input projections as one matrix, as PyTorch draws them.
    const all = (heads + 2 * kvHeads) * headSize;
    const into = (from: number, count: number): Linear =>
      new Linear(from, count * headSize, { bias, weightInit: uniform(Math.sqrt(6 / (from + all))), biasInit: zeros });
    this.query = into(embedSize, heads);
    this.key = into(keySize, kvHeads);
    this.value = into(valueSize, kvHeads);
    this.output = new Linear(heads * headSize, embedSize, { bias, biasInit: zeros });
  }

  /** An empty cache for this layer. */
  newCache(batch: number, capacity: number): KeyValueCache {
    return new KeyValueCache(batch, capacity, this.kvHeads, this.headSize);
  }

  forward<S extends Shape, D extends DType>(query: Tensor<S, D>, key?: Tensor, value?: Tensor, settings?: AttendOptions): Tensor<S, D>;
  forward(query: Tensor, key?: Tensor, value?: Tensor, settings: AttendOptions = {}): Tensor {
    checkOptions('MultiHeadAttention', settings, callOptions);
    const { mask, keyPaddingMask, cache, causal = this.causal } = settings;
    requireSequence('MultiHeadAttention', query, this.embedSize, 'queries');
    let queries = splitHeads(this.query.forward(query), this.heads);
    if (this.rotary) queries = this.rotary.forward(queries, { offset: cache?.position });
    const { keys, values, lengths, queryLengths } = this.#rows(query, key ?? query, value ?? key ?? query, settings);
    if (keyPaddingMask && (keyPaddingMask.shape.length !== 2 || keyPaddingMask.shape[1] !== keys.shape[1]))
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `MultiHeadAttention: keyPaddingMask [${keyPaddingMask.shape.join(', ')}] must be [batch, keys] = [${keys.shape[0]}, ${keys.shape[1]}].`,
      );
    const y = attention(queries, keys, values, {
      mask: keyPaddingMask ? withPadding(mask, keyPaddingMask) : mask,
      causal,
      lengths,
      queryLengths,
      window: this.window,
      slopes: this.alibi ? alibiSlopes(this.heads) : undefined,
      dropout: this.training ? this.dropout : 0,
    });
    return this.output.forward(y.reshape([y.shape[0]!, y.shape[1]!, this.heads * this.headSize]));
  }

  /** Keys and values of this call, behind those of the cache if there is one. */
  #rows(query: Tensor, key: Tensor, value: Tensor, { cache, append = true, lengths, queryLengths }: AttendOptions) {
    if (cache && !append) return { ...cache.rows(), queryLengths };
    requireSequence('MultiHeadAttention', key, this.key.inSize, 'keys');
    requireSequence('MultiHeadAttention', value, this.value.inSize, 'values');
    let keys = splitHeads(this.key.forward(key), this.kvHeads);
    if (this.rotary) keys = this.rotary.forward(keys, { offset: cache?.position });
    const values = splitHeads(this.value.forward(value), this.kvHeads);
    if (!cache) return { keys, values, lengths, queryLengths };
    // Padded queries of which only some count are those of the rows appended.
    return { ...cache.forward(keys, values, { lengths }), queryLengths: queryLengths ?? (key === query ? lengths : undefined) };
  }
}
