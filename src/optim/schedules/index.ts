// Learning rates over the steps: each a function of the step, counted from 0.
export { chain, multiply, warmup } from './combine.js';
export { cosine, cosineRestarts, oneCycle, warmupStableDecay } from './cosine.js';
export { constant, exponential, inverseSqrt, linear, multiStep, polynomial, step } from './decay.js';
export { type ObservingSchedule, type PlateauOptions, reduceOnPlateau } from './plateau.js';
export type { Schedule } from './schedule.js';
