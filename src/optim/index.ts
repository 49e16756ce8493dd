export { adafactor, type AdafactorOptions } from './adafactor.js';
export { adam, type AdamOptions, adamW } from './adam.js';
export { adamax, type AdamaxOptions, nadam, type NAdamOptions, radam, type RAdamOptions } from './adamVariants.js';
export {
  adadelta,
  type AdadeltaOptions,
  adagrad,
  type AdagradOptions,
  rmsprop,
  type RMSpropOptions,
  rprop,
  type RpropOptions,
} from './adaptive.js';
export { ema, swa, type WeightAverage } from './average.js';
export { updateBatchNorm } from './batchNorms.js';
export { clipByGlobalNorm, clipByValue, globalNorm } from './clipping.js';
export { type CommonOptions, type Group, type Grouped, OptimizerDescription } from './description.js';
export type { Match, ParameterGroup } from './group.js';
export { lamb, type LambOptions } from './lamb.js';
export { layerwiseDecay } from './layerwise.js';
export { lion, type LionOptions } from './lion.js';
export { lookahead } from './lookahead.js';
export { muon, type MuonOptions } from './muon.js';
export { Optimizer } from './optimizer.js';
export type { Rule, Update } from './rule.js';
export type { ObservingSchedule, Schedule } from './schedules/index.js';
export * as schedules from './schedules/index.js';
export { sgd, type SgdOptions } from './sgd.js';
