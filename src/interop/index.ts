export type { LayoutChange } from './layouts.js';
export { type LoadedWeights, loadWeights, type LoadWeightsOptions } from './load.js';
export { bertClassifierMap, bertMap, bertMaskedMap, gpt2Map, llamaMap, resnetMap, torchvisionResnetMap, vitMap } from './maps.js';
export type { WeightMap, WeightRule } from './nameMap.js';
export { loadPretrained, type Pretrained, type PretrainedOptions } from './pretrained.js';
export { loadPyTorch, type PyTorchOptions, pyTorchRules } from './pytorch.js';
export { type SourceEntry, WeightSource } from './weightSource.js';
