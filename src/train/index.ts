export type { Callback, RunContext } from './callback.js';
export * as callbacks from './callbacks.js';
export type { CheckpointOptions } from './checkpoints.js';
export { type CrossValidation, type CrossValidationOptions, crossValidate, type FoldResult } from './crossValidate.js';
export type {
  CheckpointEvent,
  EpochEvent,
  Figures,
  History,
  ProfileEvent,
  ResumeEvent,
  StepEvent,
  TrainEvent,
} from './events.js';
export type { BatchData, BatchTensors, Samples, TrainingData } from './fields.js';
export type { FitOptions } from './fitOptions.js';
export type { Metric, MetricName } from './metrics.js';
export type { MonitorOptions } from './monitor.js';
export type { KernelTime, ProfileReport } from './profile.js';
export type { StepResult } from './programs.js';
export { ProgressBar, type ProgressOptions, type ProgressState } from './progress.js';
export type { RateFinderOptions, RateSweep } from './rateFinder.js';
export { FitRun } from './run.js';
export { type LossOptions, type StepOptions, Trainer, type TrainerOptions } from './trainer.js';
