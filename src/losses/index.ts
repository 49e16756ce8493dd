// Losses: functions of what a model gives and what it should give. Each takes `reduction`, and has PyTorch's defaults.
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  type BinaryLogitsOptions,
  type BinaryOptions,
  type FocalOptions,
  multiLabelSoftMargin,
  sigmoidFocal,
} from './binary.js';
export { dice, type DiceOptions, infoNce, type InfoNceOptions } from './contrastive.js';
export { crossEntropy, type CrossEntropyOptions, nll, type NllOptions, softmaxFocal, type SoftmaxFocalOptions } from './crossEntropy.js';
export { ctc, type CtcOptions } from './ctc.js';
export { gaussianNll, type GaussianOptions, klDivergence, type KlOptions, poissonNll, type PoissonOptions } from './likelihood.js';
export {
  cosineEmbedding,
  hingeEmbedding,
  type MarginOptions,
  marginRanking,
  multiMargin,
  type MultiMarginOptions,
  softMargin,
  triplet,
  type TripletOptions,
} from './margin.js';
export type { LossOptions, Reduction } from './reduction.js';
export { huber, type HuberOptions, mae, mse, smoothL1, type SmoothL1Options } from './regression.js';
export { withOptions as with } from './with.js';
