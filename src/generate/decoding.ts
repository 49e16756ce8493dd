import type { CausalLanguageModel, EncoderDecoderLanguageModel } from '../models/index.js';
import type { KeyValueCache } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** A model that can be asked for the next token. */
export type LanguageModel = CausalLanguageModel | EncoderDecoderLanguageModel;

export const readsSource = (model: LanguageModel): model is EncoderDecoderLanguageModel => 'encode' in model;

/** Texts that are read by an encoder: ids int32 [rows, length] of which `lengths` count. */
export interface Source {
  readonly ids: Tensor;
  readonly lengths: Tensor;
}

/** One model and the caches of some texts: what both kinds of models look like to whoever asks for the next token. */
export interface Decoding {
  /** Keys and values of the tokens so far; their positions are all equal. */
  readonly caches: readonly KeyValueCache[];
  /** Keys and values of what the encoder has read. */
  readonly memory: readonly KeyValueCache[];
  /** Logits [rows, vocabulary] behind the last tokens of ids [rows, length]; the first call of a text brings its source. */
  next(ids: Tensor, lengths: Tensor, source?: Source): Tensor;
}

export function decodingOf(model: LanguageModel, rows: number, capacity: number, sourceCapacity: number): Decoding {
  // Of one token a row nothing is padding, and a row that has ended gives logits that nobody reads.
  const isLast = (ids: Tensor): boolean => ids.shape[1]! > 1;
  const flat = (logits: Tensor): Tensor => logits.reshape([rows, model.vocabularySize]) as Tensor;
  if (!readsSource(model)) {
    const caches = model.newCaches(rows, capacity);
    const next = (ids: Tensor, lengths: Tensor): Tensor =>
      flat(model.forward(ids as Tensor<readonly number[], 'int32'>, { caches, lengths, last: isLast(ids) }) as Tensor);
    return { caches, memory: [], next };
  }
  const caches = model.newCaches(rows, capacity, sourceCapacity);
  const next = (ids: Tensor, lengths: Tensor, source?: Source): Tensor => {
    const memory = source && model.encode(source.ids as Tensor<readonly number[], 'int32'>, { lengths: source.lengths });
    const options = { caches, lengths, memoryLengths: source?.lengths, last: isLast(ids) };
    return flat(model.decode(ids as Tensor<readonly number[], 'int32'>, memory, options) as Tensor);
  };
  return { caches: caches.own, memory: caches.memory, next };
}
