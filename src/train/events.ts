/** Figures by name: `loss`, and each metric. */
export type Figures = { loss: number } & { [metric: string]: number };

/** One training step has ended. */
export interface StepEvent {
  type: 'step';
  /** Counts from 1. */
  epoch: number;
  /** Steps of this run's whole training so far. */
  step: number;
  stepsPerEpoch: number;
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
  /** Means over the epoch, measured while it ran. */
  figures: Figures;
  validation: Figures | undefined;
  /** Of training alone, without validation. */
  seconds: number;
  samplesPerSecond: number;
}

/** A checkpoint is on the disk. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  path: string;
}

/** Training went on from a checkpoint. `skipped` names broken ones that were passed over. */
export interface ResumeEvent {
  type: 'resume';
  step: number;
  path: string;
  skipped: readonly { path: string; reason: string }[];
}

export type TrainEvent = StepEvent | EpochEvent | CheckpointEvent | ResumeEvent;

/** What a run of training leaves. */
export interface History {
  epochs: Omit<EpochEvent, 'type'>[];
  steps: number;
}
