export { type BatchOptions, type EncodedBatch, padBatch, type PadOptions } from './batch.js';
export { type EncodeOptions, type Encoding, Tokenizer, type TokenizerJson } from './tokenizer.js';
export {
  type Texts,
  trainBpe,
  type TrainBpeOptions,
  type TrainTokenizerOptions,
  trainWordPiece,
  type TrainWordPieceOptions,
  trainWords,
  type TrainWordsOptions,
} from './train.js';
export { trainUnigram, type TrainUnigramOptions } from './trainUnigram.js';
