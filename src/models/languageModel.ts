import type { DecoderCaches, KeyValueCache, Module } from '../nn/index.js';
import * as ops from '../ops/index.js';
import { type Shape, type Tensor, wrap } from '../tensor/index.js';

/** How a language model is asked for the next token. */
export interface NextTokenOptions {
  /** Keys and values of the tokens before these, one cache a layer. */
  caches?: readonly KeyValueCache[];
  /** int32 [batch]: how many of the tokens of each row count, if they are padded on the right. */
  lengths?: Tensor;
  /** Logits of each row's last token alone: [batch, 1, vocabulary]. Default false: of all. */
  last?: boolean;
}

/** A decoder that continues texts: GPT-2, Llama and their kin. */
export interface CausalLanguageModel extends Module {
  readonly vocabularySize: number;
  /** Most tokens of a text. */
  readonly maxLength: number;
  /** Empty caches for `batch` texts of at most `capacity` tokens. */
  newCaches(batch: number, capacity: number): KeyValueCache[];
  /** Ids [batch, length] to logits [batch, length, vocabulary]. */
  forward(ids: Tensor<Shape, 'int32' | 'int64'>, options?: NextTokenOptions): Tensor<readonly [number, number, number], 'float32'>;
}

/** How the decoder of an `EncoderDecoderLanguageModel` is asked. */
export interface DecodeTokenOptions {
  /** Keys and values of the tokens before these, and of the memory. */
  caches?: DecoderCaches;
  /** int32 [batch]: how many of the tokens of each row count, if they are padded on the right. */
  lengths?: Tensor;
  /** int32 [batch]: how many rows of each memory count. */
  memoryLengths?: Tensor;
  /** Logits of each row's last token alone: [batch, 1, vocabulary]. Default false: of all. */
  last?: boolean;
}

/** An encoder that reads one text and a decoder that writes another: translation, summaries. */
export interface EncoderDecoderLanguageModel extends Module {
  /** Of the texts that are written. */
  readonly vocabularySize: number;
  /** Of the texts that are read. */
  readonly sourceVocabularySize: number;
  /** Most tokens of a text, read or written. */
  readonly maxLength: number;
  /** The token that every text written begins with; it is no part of it. */
  readonly startToken: number;
  /** Source ids [batch, from] to the memory [batch, from, size]. */
  encode(ids: Tensor<Shape, 'int32' | 'int64'>, options?: { lengths?: Tensor }): Tensor;
  /** Empty caches for `batch` texts of at most `capacity` tokens that attend to memories of `memoryCapacity`. */
  newCaches(batch: number, capacity: number, memoryCapacity: number): DecoderCaches;
  /**
   * Ids [batch, length] to logits [batch, length, vocabulary]. With caches the memory is kept by the first call; calls without it
   * attend to what was kept.
   */
  decode(
    ids: Tensor<Shape, 'int32' | 'int64'>,
    memory: Tensor | undefined,
    options?: DecodeTokenOptions,
  ): Tensor<readonly [number, number, number], 'float32'>;
}

/** The states [batch, 1, size] of each row's last token that counts. */
export function lastStates(x: Tensor, lengths: Tensor | undefined): Tensor {
  const [batch, length, size] = x.shape as readonly [number, number, number];
  if (!lengths) return wrap(ops.sliceAxis(x.value, 1, length - 1, length));
  const last = ops.sub(ops.cast(ops.reshape(lengths.value, [batch, 1, 1]), 'int32'), 1);
  return wrap(ops.takeAlong(x.value, ops.broadcast(last, [batch, 1, size]), 1));
}
