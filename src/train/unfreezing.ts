import type { Callback } from './callback.js';

/**
 * Unfreezes parts of the model as training goes on: `progressiveUnfreezing({ 3: 'encoder.layers.1', 5: /encoder/ })`. Freeze them
 * first with `model.freeze(...)`. The optimizer makes state for a parameter when it first trains it.
 *
 * @param plan from the epoch (counted from 1) to the path, prefix of a path, or pattern
 */
export function progressiveUnfreezing(plan: Readonly<Record<number, string | RegExp>>): Callback {
  const stages = Object.entries(plan).map(([epoch, pattern]) => [Number(epoch), pattern] as const);
  const wrong = stages.find(([epoch]) => !(Number.isInteger(epoch) && epoch >= 1));
  if (wrong) throw new RangeError(`progressiveUnfreezing: epochs count from 1, got ${wrong[0]}.`);
  return {
    name: 'progressiveUnfreezing',
    onEpochStart({ model, epoch }) {
      for (const [from, pattern] of stages) if (from === epoch) model.unfreeze(pattern);
    },
  };
}
