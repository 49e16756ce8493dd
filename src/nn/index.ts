export { Parameter } from '../tensor/index.js';
export { flatten, gelu, geluTanh, logSoftmax, relu, sigmoid, silu, softmax, softplus, tanh } from './activations.js';
export { BatchNorm, type BatchNormOptions } from './batchNorm.js';
export { Conv2d, type Conv2dOptions } from './conv2d.js';
export { Dropout } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export {
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm,
  type InstanceNormOptions,
  LocalResponseNorm,
  type LocalResponseNormOptions,
} from './groupNorm.js';
export * as init from './initializers.js';
export { LayerNorm, type LayerNormOptions, type NormalizedShape, RmsNorm, type RmsNormOptions } from './layerNorm.js';
export { Linear, type LinearOptions } from './linear.js';
export { Module, type StateDictionary } from './module.js';
export { AvgPool2d, type AvgPoolOptions, avgPool2d, MaxPool2d, maxPool2d, type PoolOptions } from './pooling.js';
export { GRU, LSTM, RNN, type RecurrentInput, type RecurrentOptions, type RecurrentResult, type RNNOptions } from './recurrent.js';
export { LastState, Outputs } from './recurrentAdapters.js';
export { GRUCell, LSTMCell, type LSTMState, type RecurrentCellOptions, RNNCell, type RNNCellOptions } from './recurrentCells.js';
export { Sequential } from './sequential.js';
export type { Elementwise, Flatten, Layer, Pool } from './types.js';
