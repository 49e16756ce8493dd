export { Parameter } from '../tensor/index.js';
export * from './activations.js';
import './attentionRenew.js';

export { type AttendOptions, MultiHeadAttention, type MultiHeadAttentionOptions } from './attention.js';
export { attention, type AttentionBias, type AttentionOptions } from './attentionFunction.js';
export { BatchNorm, type BatchNormOptions } from './batchNorm.js';
export { Bilinear, Maxout } from './bilinear.js';
export { Identity, Lambda, ModuleDictionary, ModuleList } from './containers.js';
export { Conv1d, type Conv1dOptions } from './conv1d.js';
export { Conv2d, type Conv2dOptions, type ConvLayerOptions } from './conv2d.js';
export { avgPool3d, Conv3d, type Conv3dOptions, maxPool3d } from './conv3d.js';
export { ConvTranspose1d, type ConvTranspose1dOptions, ConvTranspose2d, type ConvTranspose2dOptions } from './convTranspose.js';
export { DepthwiseSeparableConv2d, type DepthwiseSeparableConv2dOptions } from './depthwiseSeparable.js';
export { Dropout } from './dropout.js';
export { AlphaDropout, DropPath, FeatureDropout } from './dropouts.js';
export { type BagOptions, Embedding, EmbeddingBag, type EmbeddingBagOptions, type EmbeddingOptions } from './embedding.js';
export {
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm,
  type InstanceNormOptions,
  LocalResponseNorm,
  type LocalResponseNormOptions,
} from './groupNorm.js';
export { FeedForward, type FeedForwardActivation, type FeedForwardOptions } from './feedForward.js';
export { ConcatFusion, CrossAttentionFusion, type CrossAttentionFusionOptions, GatedFusion } from './fusion.js';
export { Graph, type GraphLayer, type GraphOutput, type Wiring } from './graph.js';
export * as init from './initializers.js';
export { add, average, concat, multiply } from './joins.js';
export { type CachedRows, KeyValueCache } from './keyValueCache.js';
export { LayerNorm, type LayerNormOptions, type NormalizedShape, RmsNorm, type RmsNormOptions } from './layerNorm.js';
export { Linear, type LinearOptions } from './linear.js';
export type { ForwardEvent, ForwardHook, HookHandle } from './hooks.js';
export { initialize } from './initialize.js';
export {
  loadLora,
  lora,
  type LoraOptions,
  loraStateDictionary,
  mergeLora,
  removeLora,
  saveLora,
  unmergeLora,
} from './lora.js';
export { Module, type StateDictionary } from './module.js';
export { Parametrization, parametrize, removeParametrization } from './parametrize.js';
export { buffer } from './persistence.js';
export { removeSpectralNorm, spectralNorm, type SpectralNormOptions } from './spectralNorm.js';
export { removeWeightNorm, weightNorm, type WeightNormOptions } from './weightNorm.js';
export {
  circularPad1d,
  circularPad2d,
  constantPad2d,
  type PaddingMode,
  reflectionPad1d,
  reflectionPad2d,
  replicationPad1d,
  replicationPad2d,
  zeroPad1d,
  zeroPad2d,
} from './padding.js';
export {
  AvgPool2d,
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  lpPool2d,
  MaxPool2d,
  maxPool1d,
  maxPool2d,
  maxPool2dWithIndex,
  maxUnpool2d,
  type PoolOptions,
} from './pooling.js';
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  globalAvgPool,
  globalMaxPool,
} from './poolingAdaptive.js';
export { GRU, LSTM, RNN, type RecurrentInput, type RecurrentOptions, type RecurrentResult, type RNNOptions } from './recurrent.js';
export { LastState, Outputs } from './recurrentAdapters.js';
export { GRUCell, LSTMCell, type LSTMState, type RecurrentCellOptions, RNNCell, type RNNCellOptions } from './recurrentCells.js';
export {
  alibiSlopes,
  LearnedPosition,
  type PositionOptions,
  RotaryPosition,
  type RotaryOptions,
  SinusoidalPosition,
  sinusoidalTable,
} from './positions.js';
export { FeaturePyramid, SpatialPyramidPooling, type SpatialPyramidPoolingOptions } from './pyramids.js';
export { channelShuffle, flattenAxes, TimeDistributed, unflatten } from './reshaping.js';
export {
  type BottleneckOptions,
  type ConvBlockOptions,
  convBlock,
  InvertedResidual,
  type InvertedResidualOptions,
  type ResidualBlockOptions,
  ResNetBasicBlock,
  ResNetBottleneckBlock,
  SqueezeExcitation,
} from './residualBlocks.js';
export { Sequential } from './sequential.js';
export {
  type DecodeOptions,
  type DecoderCaches,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
  type TransformerOptions,
} from './transformer.js';
export { DenseBlock, GatedSkip, type GatedSkipOptions, Parallel, type ParallelOptions, Residual, type ResidualOptions } from './skips.js';
export type { SummaryInput, SummaryOptions } from './summary.js';
export type { Elementwise, Flatten, GlobalPool, Layer, Pool, Pool1d } from './types.js';
export { fold, unfold } from './unfold.js';
export { pixelShuffle, pixelUnshuffle, upsample, upsample1d } from './upsample.js';
