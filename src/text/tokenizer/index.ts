export type { EncodedBatch, PadOptions, BatchOptions } from './batch.js';
export { padBatch } from './batch.js';
export { type EncodeOptions, type Encoding, Tokenizer, type TokenizerJson } from './tokenizer.js';
export {
  type Texts,
  type TrainBpeOptions,
  type TrainTokenizerOptions,
  trainBpe,
  trainWordPiece,
  type TrainWordPieceOptions,
} from './train.js';
