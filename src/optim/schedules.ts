import { checkOptions } from '../errors.js';

/** Learning rate as a function of the step, counted from 0. Pure, so a resumed run meets the same rates. */
export type Schedule = (step: number) => number;

const cosineBetween = (from: number, to: number, part: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;

function requireSteps(where: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`${where}: ${name} must be an integer of at least 1, got ${value}.`);
}

/** The same rate at each step. */
export const constant =
  (rate: number): Schedule =>
  () =>
    rate;

/** Linear warm-up over `warmup` steps to `peak`, then half a cosine down to `floor` at step `total` (Loshchilov and Hutter 2017). */
export function cosine(options: { peak: number; total: number; warmup?: number; floor?: number }): Schedule {
  checkOptions('cosine', options, ['peak', 'total', 'warmup', 'floor']);
  const { peak, total, warmup = 0, floor = 0 } = options;
  requireSteps('cosine', 'total', total);
  if (!(warmup >= 0 && warmup < total)) throw new RangeError(`cosine: warmup must lie in [0, total), got ${warmup} of ${total}.`);
  return (step) =>
    step < warmup ? (peak * (step + 1)) / warmup : cosineBetween(peak, floor, Math.min(1, (step - warmup) / (total - warmup)));
}

/**
 * One cycle (Smith and Topin 2018), as PyTorch's OneCycleLR with cosine annealing: from peak / initialFactor up to `peak` in
 * the first `rise` of the steps, then down to the initial rate / finalFactor at the last step.
 */
export function oneCycle(options: { peak: number; total: number; rise?: number; initialFactor?: number; finalFactor?: number }): Schedule {
  checkOptions('oneCycle', options, ['peak', 'total', 'rise', 'initialFactor', 'finalFactor']);
  const { peak, total, rise = 0.3, initialFactor = 25, finalFactor = 1e4 } = options;
  requireSteps('oneCycle', 'total', total);
  if (!(rise > 0 && rise < 1)) throw new RangeError(`oneCycle: rise must lie between 0 and 1, got ${rise}.`);
  const initial = peak / initialFactor;
  const top = Math.max(1, rise * total - 1);
  const end = Math.max(top + 1, total - 1);
  return (step) =>
    step <= top
      ? cosineBetween(initial, peak, step / top)
      : cosineBetween(peak, initial / finalFactor, Math.min(1, (step - top) / (end - top)));
}
