export type { CheckpointOptions } from './checkpoints.js';
export type { CheckpointEvent, EpochEvent, Figures, History, ResumeEvent, StepEvent, TrainEvent } from './events.js';
export type { Metric } from './metrics.js';
export { ProgressBar, type ProgressOptions, type ProgressState } from './progress.js';
export { FitRun } from './run.js';
export { type FitOptions, type Samples, Trainer, type TrainerOptions } from './trainer.js';
