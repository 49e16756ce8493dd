import { checkOptions } from '../../errors.js';
import { requireRate, requireSteps, type Schedule } from './schedule.js';

export interface PlateauOptions {
  /** The rate to begin with. */
  rate: number;
  /** What the rate is multiplied by. Default 0.1. */
  factor?: number;
  /** Observations without improvement that are put up with. Default 10. */
  patience?: number;
  /** 'min' (default): lower is better, as of a loss; 'max': higher, as of an accuracy. */
  mode?: 'min' | 'max';
  /** How much better counts as better. Default 1e-4. */
  threshold?: number;
  /** 'relative' (default): threshold is a part of the best value; 'absolute': a difference. */
  thresholdMode?: 'relative' | 'absolute';
  /** Observations after a reduction that do not count. Default 0. */
  cooldown?: number;
  /** The rate never goes below. Default 0. */
  floor?: number;
}

/** A schedule that follows a metric. */
export type ObservingSchedule = Schedule & Required<Pick<Schedule, 'observe' | 'snapshot' | 'restore'>>;

/**
 * Lowers the rate when a metric has stopped improving, by the rule of PyTorch's ReduceLROnPlateau. The Trainer observes for it;
 * in a loop of your own call `optimizer.observe(value)` after each evaluation. Its state is saved with the optimizer's.
 */
export function reduceOnPlateau(options: PlateauOptions): ObservingSchedule {
  const where = 'reduceOnPlateau';
  checkOptions(where, options, ['rate', 'factor', 'patience', 'mode', 'threshold', 'thresholdMode', 'cooldown', 'floor']);
  const {
    rate: start,
    factor = 0.1,
    patience = 10,
    mode = 'min',
    threshold = 1e-4,
    thresholdMode = 'relative',
    cooldown = 0,
    floor = 0,
  } = options;
  requireRate(where, 'rate', start);
  requireRate(where, 'floor', floor);
  requireRate(where, 'threshold', threshold);
  requireSteps(where, 'patience', patience, 0);
  requireSteps(where, 'cooldown', cooldown, 0);
  if (!(factor > 0 && factor < 1)) throw new RangeError(`${where}: factor must lie between 0 and 1, got ${factor}.`);
  if (mode !== 'min' && mode !== 'max') throw new RangeError(`${where}: mode is 'min' or 'max', got '${String(mode)}'.`);
  if (thresholdMode !== 'relative' && thresholdMode !== 'absolute')
    throw new RangeError(`${where}: thresholdMode is 'relative' or 'absolute', got '${String(thresholdMode)}'.`);

  const sign = mode === 'min' ? 1 : -1;
  let rate = start;
  let best = sign * Number.POSITIVE_INFINITY;
  let bad = 0;
  let resting = 0;
  const isBetter = (value: number): boolean => {
    if (!Number.isFinite(best)) return sign * value < sign * best;
    const bar = thresholdMode === 'relative' ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * value < sign * bar;
  };
  return Object.assign((_step: number): number => rate, {
    observe(value: number): void {
      if (isBetter(value)) {
        best = value;
        bad = 0;
      } else bad++;
      if (resting > 0) {
        resting--;
        bad = 0;
      }
      if (bad <= patience) return;
      const next = Math.max(rate * factor, floor);
      if (rate - next > 1e-8) rate = next; // smaller changes are not worth it: PyTorch's eps
      resting = cooldown;
      bad = 0;
    },
    snapshot: (): number[] => [rate, best, bad, resting],
    restore(state: readonly number[]): void {
      [rate, best, bad, resting] = state as [number, number, number, number];
    },
  });
}
