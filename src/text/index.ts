export { decodeCtc } from './decodeCtc.js';
export { causalLanguageModel, ignoredLabel, type MaskedSchema, maskedLanguageModel, type MaskingOptions } from './languageModel.js';
export { ngrams, removeStopWords, stopWords } from './stopWords.js';
export * from './tokenizer/index.js';
