import { checkOptions } from '../errors.js';
import type { Json, TensorMap } from '../io/index.js';
import type { Module } from '../nn/index.js';
import type { Optimizer } from '../optim/index.js';
import type { CheckpointEvent, EpochEvent, Figures, History, StepEvent } from './events.js';

/** What a callback sees of the run that it is part of. */
export interface RunContext {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** The epoch that runs or comes next, from 1. */
  readonly epoch: number;
  /** Steps done. */
  readonly step: number;
  /** Epochs done. */
  readonly history: History;
  /** Copies of all weights: the model's, and its average's where the trainer has one. */
  snapshot(): Promise<TensorMap>;
  /** Puts back what `snapshot` gave. */
  restore(weights: TensorMap): void;
  /** Ends the run after the step in flight; the epoch is closed as usual. The reason stands in `history.stopped`. */
  stop(reason: string): void;
}

/**
 * Takes part in a run. All methods are optional; those at the ends of epochs and runs may be asynchronous, and training waits for
 * them. An error that one throws ends the run with it; the model stays as the last step left it.
 */
export interface Callback {
  /** Names its state in checkpoints. Default: its place in the list. */
  readonly name?: string;
  /** Before the first step, after a checkpoint was read. */
  onFitStart?(context: RunContext): void | Promise<void>;
  onEpochStart?(context: RunContext): void | Promise<void>;
  /** After each step; the next one is under way already, so changes act one step later. */
  onStep?(event: StepEvent, context: RunContext): void;
  /** After validation, before `onEpochEnd`. */
  onEvaluate?(figures: Figures, context: RunContext): void | Promise<void>;
  onEpochEnd?(event: EpochEvent, context: RunContext): void | Promise<void>;
  onCheckpoint?(event: CheckpointEvent, context: RunContext): void | Promise<void>;
  /** Always the last call, after a failure too; `error` is then what the run rejects with. */
  onFitEnd?(context: RunContext, error?: unknown): void | Promise<void>;
  /** What it remembers, for checkpoints: a resumed run calls `restore` before `onFitStart`. */
  state?(): { readonly values?: Json; readonly tensors?: TensorMap };
  restore?(state: { readonly values: Json; readonly tensors: TensorMap }): void;
}

const hooks = ['onFitStart', 'onEpochStart', 'onStep', 'onEvaluate', 'onEpochEnd', 'onCheckpoint', 'onFitEnd'];

/** Throws for what is no list of callbacks, and for a method that looks like a hook but would never be called. */
export function checkCallbacks(callbacks: unknown): void {
  if (!Array.isArray(callbacks)) throw new TypeError('fit: callbacks must be a list, such as [callbacks.earlyStopping()].');
  for (const [i, callback] of callbacks.entries()) {
    if (typeof callback === 'function')
      throw new TypeError(`fit: callbacks[${i}] is the function ${callback.name || 'itself'}; call it, such as callbacks.earlyStopping().`);
    if (typeof callback !== 'object' || callback === null)
      throw new TypeError(
        `fit: callbacks[${i}] must be an object with hooks such as onEpochEnd, got ${callback === null ? 'null' : typeof callback}.`,
      );
    for (let level: object = callback; level && level !== Object.prototype; level = Object.getPrototypeOf(level))
      for (const name of Object.getOwnPropertyNames(level))
        if (/^on[A-Z]/.test(name)) checkOptions(`fit: callbacks[${i}]`, { [name]: true }, hooks);
  }
}
