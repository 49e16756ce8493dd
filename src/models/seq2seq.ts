import { checkOptions } from '../errors.js';
import * as nn from '../nn/index.js';
import type { Shape, Tensor } from '../tensor/index.js';
import { type DecodeTokenOptions, type EncoderDecoderLanguageModel, lastStates } from './languageModel.js';

export interface Seq2SeqConfig {
  /** Of the texts that are written, and of those that are read unless `sourceVocabularySize` says otherwise. */
  readonly vocabularySize: number;
  /** Gives the encoder an embedding of its own. Default: it shares the decoder's. */
  readonly sourceVocabularySize?: number;
  /** Most tokens of a text. */
  readonly maxLength: number;
  readonly size: number;
  readonly heads: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  /** The token that every text written begins with. */
  readonly startToken: number;
  /** Default 4 size. */
  readonly hiddenSize?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default 'relu'. */
  readonly activation?: nn.FeedForwardActivation;
  /** Norms before the branches instead of behind the sums. Default true, which trains without a warm-up. */
  readonly preNorm?: boolean;
  /** The output shares the weight of the decoder's embedding. Default true. */
  readonly tied?: boolean;
}

export interface Seq2SeqOptions {
  /** int32 [batch]: how many source tokens of each row count. Default: all. */
  sourceLengths?: Tensor;
}

/**
 * The transformer of Vaswani et al. 2017: an encoder and a decoder of `nn.TransformerEncoder` and `nn.TransformerDecoder`, with
 * sinusoidal positions and embeddings scaled by the root of their size.
 */
export class Seq2SeqTransformer extends nn.Module implements EncoderDecoderLanguageModel {
  readonly tokens: nn.Embedding;
  readonly sourceTokens: nn.Embedding;
  readonly positions: nn.SinusoidalPosition;
  readonly drop: nn.Dropout;
  readonly encoder: nn.TransformerEncoder;
  readonly decoder: nn.TransformerDecoder;
  readonly head: nn.Linear | undefined;

  constructor(readonly config: Seq2SeqConfig) {
    super();
    const { vocabularySize, sourceVocabularySize, maxLength, size, heads, encoderLayers, decoderLayers, startToken } = config;
    const { hiddenSize = 4 * size, dropout = 0.1, activation = 'relu', preNorm = true, tied = true } = config;
    if (!Number.isInteger(maxLength) || maxLength < 1)
      throw new RangeError(`Seq2SeqTransformer: maxLength must be an integer of at least 1, got ${maxLength}.`);
    if (!Number.isInteger(startToken) || startToken < 0 || startToken >= vocabularySize)
      throw new RangeError(`Seq2SeqTransformer: startToken ${startToken} lies outside the vocabulary of ${vocabularySize}.`);
    const embedding = (count: number): nn.Embedding => new nn.Embedding(count, size, { weightInit: nn.init.normal(1 / Math.sqrt(size)) });
    this.tokens = embedding(vocabularySize);
    this.sourceTokens = sourceVocabularySize === undefined ? this.tokens : embedding(sourceVocabularySize);
    this.positions = new nn.SinusoidalPosition(size);
    this.drop = new nn.Dropout(dropout);
    const options = { hiddenSize, dropout, activation, preNorm };
    this.encoder = new nn.TransformerEncoder(encoderLayers, size, heads, options);
    this.decoder = new nn.TransformerDecoder(decoderLayers, size, heads, options);
    this.head = tied ? undefined : new nn.Linear(size, vocabularySize);
  }

  get vocabularySize(): number {
    return this.config.vocabularySize;
  }

  get sourceVocabularySize(): number {
    return this.config.sourceVocabularySize ?? this.config.vocabularySize;
  }

  get maxLength(): number {
    return this.config.maxLength;
  }

  get startToken(): number {
    return this.config.startToken;
  }

  newCaches(batch: number, capacity: number, memoryCapacity: number): nn.DecoderCaches {
    return this.decoder.newCaches(batch, Math.min(capacity, this.maxLength), memoryCapacity);
  }

  /**
   * Teacher forcing: source ids [batch, from] and target ids [batch, to], which begin with the start token, to the logits
   * [batch, to, vocabulary] of each target's next token.
   */
  forward(
    source: Tensor<Shape, 'int32' | 'int64'>,
    target: Tensor<Shape, 'int32' | 'int64'>,
    options: Seq2SeqOptions = {},
  ): Tensor<readonly [number, number, number], 'float32'> {
    checkOptions('Seq2SeqTransformer', options, ['sourceLengths']);
    const { sourceLengths } = options;
    return this.decode(target, this.encode(source, { lengths: sourceLengths }), { memoryLengths: sourceLengths });
  }

  encode(ids: Tensor<Shape, 'int32' | 'int64'>, options: { lengths?: Tensor } = {}): Tensor {
    return this.encoder.forward(this.#embed(this.sourceTokens, ids), { lengths: options.lengths });
  }

  decode(
    ids: Tensor<Shape, 'int32' | 'int64'>,
    memory: Tensor | undefined,
    options: DecodeTokenOptions = {},
  ): Tensor<readonly [number, number, number], 'float32'> {
    const { caches, lengths, memoryLengths, last } = options;
    const embedded = this.#embed(this.tokens, ids, caches?.own[0]?.position);
    const toMemory = memory && memoryLengths ? { lengths: memoryLengths } : {};
    const states = this.decoder.forward(embedded, memory, { caches, lengths, memory: toMemory });
    const wanted = last ? lastStates(states, lengths) : states;
    return (this.head ? this.head.forward(wanted) : wanted.matmul((this.tokens.weight as Tensor).transpose())) as never;
  }

  #embed(tokens: nn.Embedding, ids: Tensor<Shape, 'int32' | 'int64'>, offset?: Tensor): Tensor {
    const scaled = (tokens.forward(ids) as Tensor).mul(Math.sqrt(this.config.size));
    return this.drop.forward(this.positions.forward(scaled as Tensor, { offset }));
  }
}
