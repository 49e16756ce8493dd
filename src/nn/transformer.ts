import { checkOptions } from '../errors.js';
import type { DType, Shape, Tensor } from '../tensor/index.js';
import { type AttendOptions, attentionOptions, MultiHeadAttention, type MultiHeadAttentionOptions } from './attention.js';
import { requireSequence } from './checks.js';
import { Dropout } from './dropout.js';
import { FeedForward, type FeedForwardActivation } from './feedForward.js';
import type { KeyValueCache } from './keyValueCache.js';
import { LayerNorm, RmsNorm } from './layerNorm.js';
import { Module } from './module.js';
import type { io } from './types.js';

/** Options of a layer; those of its self-attention too. */
export interface TransformerLayerOptions extends Omit<MultiHeadAttentionOptions, 'keySize' | 'valueSize'> {
  /** Hidden numbers of the feed-forward network. Default 2048, as PyTorch. */
  hiddenSize?: number;
  /** Of the feed-forward network. Default 'relu'. */
  activation?: FeedForwardActivation;
  /** Of attention, the hidden numbers and each branch, in training. Default 0.1, as PyTorch. */
  dropout?: number;
  /** Normalise the input of each branch (Xiong et al. 2020) instead of each sum. Default false, as PyTorch. */
  preNorm?: boolean;
  /** Default 'layerNorm'. */
  norm?: 'layerNorm' | 'rmsNorm';
  /** Of the norms. Default 1e-5. */
  epsilon?: number;
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** A norm behind the last layer. Default: the value of preNorm. */
  finalNorm?: boolean;
}

const layerOptions = ['hiddenSize', 'activation', 'preNorm', 'norm', 'epsilon'];
const refused = new Set(['keySize', 'valueSize']);
const known = [...layerOptions, ...attentionOptions.filter((name) => !refused.has(name))];

const normOf = (size: number, { norm = 'layerNorm', epsilon = 1e-5 }: TransformerLayerOptions): LayerNorm | RmsNorm => {
  if (norm !== 'layerNorm' && norm !== 'rmsNorm') throw new RangeError(`norm must be 'layerNorm' or 'rmsNorm', got '${norm}'.`);
  return norm === 'rmsNorm' ? new RmsNorm(size, { epsilon }) : new LayerNorm(size, { epsilon });
};

/** The options of attention among those of a layer. */
function forAttention(options: TransformerLayerOptions): MultiHeadAttentionOptions {
  const { dropout = 0.1 } = options;
  const own = Object.entries(options).filter(([name]) => attentionOptions.includes(name));
  return { ...Object.fromEntries(own), dropout };
}

const forFeedForward = ({ activation, bias = true, dropout = 0.1 }: TransformerLayerOptions) => ({ activation, bias, dropout });

/** What both layers share: branches beside the sequence, each with its norm. */
abstract class TransformerLayer extends Module {
  readonly selfAttention: MultiHeadAttention;
  readonly feedForward: FeedForward;
  readonly attentionNorm: LayerNorm | RmsNorm;
  readonly feedForwardNorm: LayerNorm | RmsNorm;
  readonly drop: Dropout;
  readonly preNorm: boolean;

  constructor(layer: string, size: number, heads: number, options: TransformerLayerOptions) {
    super();
    checkOptions(layer, options, known);
    const { hiddenSize = 2048, dropout = 0.1, preNorm = false } = options;
    this.selfAttention = new MultiHeadAttention(size, heads, forAttention(options));
    this.feedForward = new FeedForward(size, hiddenSize, forFeedForward(options));
    this.attentionNorm = normOf(size, options);
    this.feedForwardNorm = normOf(size, options);
    this.drop = new Dropout(dropout);
    this.preNorm = preNorm;
  }

  /** An empty cache for the self-attention. */
  newCache(batch: number, capacity: number): KeyValueCache {
    return this.selfAttention.newCache(batch, capacity);
  }

  /** x + branch(norm(x)), or norm(x + branch(x)). */
  protected beside(x: Tensor, norm: LayerNorm | RmsNorm, branch: (x: Tensor) => Tensor): Tensor {
    if (this.preNorm) return x.add(this.drop.forward(branch(norm.forward(x))));
    return norm.forward(x.add(this.drop.forward(branch(x))));
  }
}

/** Self-attention and a feed-forward network, each beside the sequence: [batch, length, size] to the same (Vaswani et al. 2017). */
export class TransformerEncoderLayer extends TransformerLayer {
  declare readonly [io]?: 'same';

  constructor(
    readonly size: number,
    readonly heads: number,
    options: TransformerLayerOptions = {},
  ) {
    super('TransformerEncoderLayer', size, heads, options);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, options?: AttendOptions): Tensor<S, D>;
  forward(x: Tensor, options: AttendOptions = {}): Tensor {
    requireSequence('TransformerEncoderLayer', x, this.size);
    const attended = this.beside(x, this.attentionNorm, (y) => this.selfAttention.forward(y, undefined, undefined, options));
    return this.beside(attended, this.feedForwardNorm, (y) => this.feedForward.forward(y));
  }
}

export interface DecodeOptions extends AttendOptions {
  /** Of the attention to `memory`: its mask, padding, lengths. A cache there holds the projected memory. */
  memory?: AttendOptions;
}

/** Causal self-attention, attention to the encoder's output and a feed-forward network: [batch, length, size] to the same. */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly crossAttention: MultiHeadAttention;
  readonly crossNorm: LayerNorm | RmsNorm;

  constructor(
    readonly size: number,
    readonly heads: number,
    options: TransformerLayerOptions = {},
  ) {
    super('TransformerDecoderLayer', size, heads, { causal: true, ...options });
    const { kvHeads, headSize, bias, dropout = 0.1 } = options;
    this.crossAttention = new MultiHeadAttention(size, heads, { kvHeads, headSize, bias, dropout });
    this.crossNorm = normOf(size, options);
  }

  /**
   * @param memory the encoder's output [batch, from, size]; not read where `options.memory` has a cache and `append: false`
   */
  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, memory: Tensor | undefined, options?: DecodeOptions): Tensor<S, D>;
  forward(x: Tensor, memory: Tensor | undefined, options: DecodeOptions = {}): Tensor {
    const { memory: toMemory = {}, ...toSelf } = options;
    requireSequence('TransformerDecoderLayer', x, this.size);
    if (!memory && toMemory.append !== false)
      throw new TypeError('TransformerDecoderLayer: forward(x, memory) needs the output of the encoder.');
    let y = this.beside(x, this.attentionNorm, (z) => this.selfAttention.forward(z, undefined, undefined, toSelf));
    y = this.beside(y, this.crossNorm, (z) => this.crossAttention.forward(z, memory, memory, toMemory));
    return this.beside(y, this.feedForwardNorm, (z) => this.feedForward.forward(z));
  }
}

const stackOptions = [...known, 'finalNorm'];

/** The option of layer i. */
const cacheOf = (caches: readonly KeyValueCache[] | undefined, i: number) => (caches ? { cache: caches[i] } : {});

function stacked<L>(name: string, count: number, size: number, options: TransformerOptions, make: (options: TransformerLayerOptions) => L) {
  checkOptions(name, options, stackOptions);
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`${name}: the number of layers must be an integer of at least 1, got ${count}.`);
  const { finalNorm = options.preNorm ?? false, ...rest } = options;
  return { layers: Array.from({ length: count }, () => make(rest)), norm: finalNorm ? normOf(size, rest) : undefined };
}

/** Encoder layers in a row. With `causal: true` it is a decoder without memory, as GPT and Llama are. */
export class TransformerEncoder extends Module {
  declare readonly [io]?: 'same';
  readonly layers: readonly TransformerEncoderLayer[];
  readonly norm: LayerNorm | RmsNorm | undefined;

  constructor(count: number, size: number, heads: number, options: TransformerOptions = {}) {
    super();
    const { layers, norm } = stacked('TransformerEncoder', count, size, options, (rest) => new TransformerEncoderLayer(size, heads, rest));
    this.layers = layers;
    this.norm = norm;
  }

  /** An empty cache for each layer. */
  newCaches(batch: number, capacity: number): KeyValueCache[] {
    return this.layers.map((layer) => layer.newCache(batch, capacity));
  }

  forward<S extends Shape, D extends DType>(
    x: Tensor<S, D>,
    options?: Omit<AttendOptions, 'cache'> & { caches?: readonly KeyValueCache[] },
  ): Tensor<S, D>;
  forward(x: Tensor, { caches, ...options }: Omit<AttendOptions, 'cache'> & { caches?: readonly KeyValueCache[] } = {}): Tensor {
    let y = x;
    this.layers.forEach((layer, i) => {
      y = layer.forward(y, { ...options, ...cacheOf(caches, i) });
    });
    return this.norm ? this.norm.forward(y) : y;
  }
}

/** Caches of a decoder: for each layer one of its own tokens, and one of the projected memory. */
export interface DecoderCaches {
  readonly own: readonly KeyValueCache[];
  readonly memory: readonly KeyValueCache[];
}

/** Decoder layers in a row, all of which attend to the output of an encoder. */
export class TransformerDecoder extends Module {
  readonly layers: readonly TransformerDecoderLayer[];
  readonly norm: LayerNorm | RmsNorm | undefined;

  constructor(count: number, size: number, heads: number, options: TransformerOptions = {}) {
    super();
    const { layers, norm } = stacked('TransformerDecoder', count, size, options, (rest) => new TransformerDecoderLayer(size, heads, rest));
    this.layers = layers;
    this.norm = norm;
  }

  /** Empty caches for `capacity` tokens and a memory of `memoryCapacity`. */
  newCaches(batch: number, capacity: number, memoryCapacity: number): DecoderCaches {
    return {
      own: this.layers.map((layer) => layer.newCache(batch, capacity)),
      memory: this.layers.map((layer) => layer.crossAttention.newCache(batch, memoryCapacity)),
    };
  }

  /**
   * @param memory the encoder's output. With caches it is projected and kept by the first call; calls without it attend to what was kept
   */
  forward<S extends Shape, D extends DType>(
    x: Tensor<S, D>,
    memory: Tensor | undefined,
    options?: Omit<DecodeOptions, 'cache'> & { caches?: DecoderCaches },
  ): Tensor<S, D>;
  forward(
    x: Tensor,
    memory: Tensor | undefined,
    { caches, memory: toMemory, ...options }: Omit<DecodeOptions, 'cache'> & { caches?: DecoderCaches } = {},
  ): Tensor {
    let y = x;
    this.layers.forEach((layer, i) => {
      const kept = caches && { cache: caches.memory[i], append: memory !== undefined };
      y = layer.forward(y, memory, { ...options, ...cacheOf(caches?.own, i), memory: { ...toMemory, ...kept } });
    });
    return this.norm ? this.norm.forward(y) : y;
  }
}
