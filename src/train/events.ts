import type { ProfileReport } from './profile.js';

/** Figures by name: `loss`, and each metric. */
export type Figures = { loss: number } & { [metric: string]: number };

/** One training step has ended. */
export interface StepEvent {
  type: 'step';
  /** Counts from 1. */
  epoch: number;
  /** Steps of this run's whole training so far. */
  step: number;
  /** Undefined where the data do not tell how many batches they have. */
  stepsPerEpoch: number | undefined;
  loss: number;
  /** Means over this epoch so far. */
  figures: Figures;
  learningRate: number;
  samplesPerSecond: number;
}

/** One epoch has ended, validation included. */
export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  /** Steps of this run's whole training so far. */
  step: number;
  /** Means over the epoch, measured while it ran. */
  figures: Figures;
  validation: Figures | undefined;
  /** Of the last step. */
  learningRate: number;
  /** Of training alone, without validation. */
  seconds: number;
  samplesPerSecond: number;
}

/** A checkpoint is on the disk. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  path: string;
  /** True of the copy that is kept because it is the best so far. */
  best: boolean;
}

/** Training went on from a checkpoint. `skipped` names broken ones that were passed over. */
export interface ResumeEvent {
  type: 'resume';
  step: number;
  path: string;
  skipped: readonly { path: string; reason: string }[];
}

/** The steps that were to be profiled have run. */
export interface ProfileEvent {
  type: 'profile';
  report: ProfileReport;
}

/** What iterating over a run gives; `type` tells which. */
export type TrainEvent = StepEvent | EpochEvent | CheckpointEvent | ResumeEvent | ProfileEvent;

/** What a run of training leaves. */
export interface History {
  epochs: Omit<EpochEvent, 'type'>[];
  steps: number;
  /** Why a callback ended the run before its last epoch. */
  stopped?: string;
  /** Of the steps named by `profile`. */
  profile?: ProfileReport;
}
