export type { BeamOptions, BeamText } from './beams.js';
export type { LanguageModel } from './decoding.js';
export { generate, type GenerateCallOptions, stream } from './generate.js';
export type { GenerateOptions } from './options.js';
export type { Ids, Prompt, PromptBatch } from './prompts.js';
export { type EndReason, type Generated, type Piece, Session, type SessionOptions } from './session.js';
