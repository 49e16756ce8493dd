import type { LoaderOptions } from '../data/index.js';
import { checkOptions, PolluxError } from '../errors.js';
import { type Callback, checkCallbacks } from './callback.js';
import { type CheckpointOptions, checkCheckpointOptions } from './checkpoints.js';
import type { TrainingData } from './fields.js';

export interface FitOptions<F extends string = 'x' | 'y'>
  extends Pick<LoaderOptions, 'batchSize' | 'shuffle' | 'dropLast' | 'seed' | 'prefetch'> {
  /** Passes over the data. May be left out where `maxSteps` is given. */
  epochs?: number;
  /** End after this many steps of the whole training; the last epoch is then a short one. */
  maxSteps?: number;
  /**
   * Batches of an epoch: data without an end need it. Data that end begin anew, in the middle of an epoch if need be. Default: all
   * batches of one pass.
   */
  stepsPerEpoch?: number;
  /** Evaluated after each epoch, or each `validateEvery` epochs. */
  validation?: TrainingData<F>;
  /** Default 1. */
  validateEvery?: number;
  callbacks?: readonly Callback[];
  /** The figure that a schedule such as `reduceOnPlateau` observes after each epoch. Default: the loss of validation, or of training. */
  observe?: string;
  /** Stops after the step in flight; the model stays usable. The run rejects with AbortError. */
  signal?: AbortSignal;
  checkpoint?: CheckpointOptions;
  /** Go on from the newest sound checkpoint of `checkpoint.folder`, if there is one: with the same bits as without the break. */
  resume?: boolean;
  /** Measure the kernels of these steps, the first and the last of them included; the report is `history.profile`. */
  profile?: { steps: readonly [first: number, last: number] };
  /** A bar on a terminal, plain lines in a log. Default: on a terminal only. */
  progress?: boolean;
}

const names: readonly (keyof FitOptions)[] = [
  'epochs',
  'maxSteps',
  'stepsPerEpoch',
  'validation',
  'validateEvery',
  'callbacks',
  'observe',
  'signal',
  'checkpoint',
  'resume',
  'profile',
  'progress',
  'batchSize',
  'shuffle',
  'dropLast',
  'seed',
  'prefetch',
];

export function checkFitOptions(options: FitOptions<string>): void {
  checkOptions('fit', options, names);
  const { epochs, maxSteps, validateEvery, resume, checkpoint, profile, callbacks } = options ?? {};
  if (epochs === undefined && maxSteps === undefined) throw new RangeError('fit: say how long to train: epochs, or maxSteps.');
  for (const [name, value] of Object.entries({ epochs, maxSteps, validateEvery })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new RangeError(`fit: ${name} must be an integer of at least 1, got ${value}.`);
  }
  if (resume && !checkpoint)
    throw new PolluxError('INVALID_ARGUMENT', 'fit: resume needs a checkpoint folder: { checkpoint: { folder }, resume: true }.');
  if (checkpoint) checkCheckpointOptions(checkpoint);
  if (callbacks) checkCallbacks(callbacks);
  if (profile) {
    checkOptions('fit.profile', profile, ['steps']);
    const [first, last] = profile.steps;
    if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 1 && last >= first))
      throw new RangeError(`fit.profile: steps must be [first, last], counted from 1, got [${String(profile.steps)}].`);
  }
}

/** Options for the loader of a dataset; training shuffles unless told not to. */
export const loaderOptionsOf = ({ batchSize = 32, shuffle = true, dropLast, seed, prefetch }: FitOptions<string>): LoaderOptions => ({
  batchSize,
  shuffle,
  ...(dropLast !== undefined && { dropLast }),
  ...(seed !== undefined && { seed }),
  ...(prefetch !== undefined && { prefetch }),
});
