export { adam, type AdamOptions, adamW } from './adam.js';
export { clipByGlobalNorm, clipByValue, globalNorm } from './clipping.js';
export { type CommonOptions, Optimizer, OptimizerDescription } from './optimizer.js';
export type { Rule, Update } from './rule.js';
export * as schedules from './schedules/index.js';
export type { Schedule } from './schedules/index.js';
export { sgd, type SgdOptions } from './sgd.js';
