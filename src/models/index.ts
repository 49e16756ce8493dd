export {
  Bert,
  BertClassifier,
  type BertConfig,
  bertConfig,
  type BertInputs,
  BertMaskedLanguageModel,
  BertPooler,
  BertTokenClassifier,
} from './bert.js';
export type { ConfigJson } from './config.js';
export { Gpt2, type Gpt2Config } from './gpt2.js';
export type { CausalLanguageModel, DecodeTokenOptions, EncoderDecoderLanguageModel, NextTokenOptions } from './languageModel.js';
export { Llama, type LlamaConfig } from './llama.js';
export { articleCnn, mnistCnn } from './mnist.js';
export { ResNet, type ResNetConfig } from './resnet.js';
export { type Seq2SeqConfig, type Seq2SeqOptions, Seq2SeqTransformer } from './seq2seq.js';
export { VisionTransformer, type VisionTransformerConfig } from './vit.js';
