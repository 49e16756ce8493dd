import { checkOptions } from '../errors.js';
import type { Json, TensorMap } from '../io/index.js';
import type { Callback } from './callback.js';
import { Monitor, type MonitorOptions } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs in a row without improvement after which the run ends. Default 5. */
  patience?: number;
  /** How much better counts as better. Default 0. */
  minDelta?: number;
  /** Give the model the weights of its best epoch when the run ends. Default true. */
  restoreBest?: boolean;
}

/**
 * Ends the run when a figure has stopped improving, and puts the best weights back. What it knows, the best weights included, is in
 * the checkpoints: a resumed run stops where the uninterrupted one stops.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  checkOptions('earlyStopping', options, ['monitor', 'mode', 'patience', 'minDelta', 'restoreBest']);
  const { patience = 5, restoreBest = true } = options;
  if (!(Number.isInteger(patience) && patience >= 1))
    throw new RangeError(`earlyStopping: patience must be an integer of at least 1, got ${patience}.`);
  const monitor = new Monitor('earlyStopping', options);
  let waited = 0;
  let bestEpoch = 0;
  let weights: TensorMap | undefined;
  return {
    name: 'earlyStopping',
    async onEpochEnd(event, context) {
      if (monitor.improved(event)) {
        waited = 0;
        bestEpoch = event.epoch;
        if (restoreBest) weights = await context.snapshot();
      } else if (++waited >= patience) {
        context.stop(`${monitor.nameFor(event)} has not improved on ${monitor.best} for ${waited} epochs; the best was epoch ${bestEpoch}`);
      }
    },
    onFitEnd(context, error) {
      if (weights && error === undefined) context.restore(weights);
    },
    state: () => ({
      values: { waited, bestEpoch, best: Number.isNaN(monitor.best) ? null : monitor.best },
      ...(weights && { tensors: weights }),
    }),
    restore({ values, tensors }) {
      const saved = values as { [key: string]: Json };
      waited = saved['waited'] as number;
      bestEpoch = saved['bestEpoch'] as number;
      monitor.best = (saved['best'] as number | null) ?? Number.NaN;
      if (tensors.size) weights = tensors;
    },
  };
}
