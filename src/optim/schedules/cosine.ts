import { checkOptions } from '../../errors.js';
import { cosineBetween, requireRate, requireSteps, type Schedule } from './schedule.js';

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
 * Half a cosine from `peak` to `floor` over `period` steps, begun again and again; each period is `growth` times (default 1,
 * an integer) as long as the one before. As PyTorch's CosineAnnealingWarmRestarts (Loshchilov and Hutter 2017, "SGDR").
 */
export function cosineRestarts(options: { peak: number; period: number; growth?: number; floor?: number; warmup?: number }): Schedule {
  checkOptions('cosineRestarts', options, ['peak', 'period', 'growth', 'floor', 'warmup']);
  const { peak, period, growth = 1, floor = 0, warmup = 0 } = options;
  requireRate('cosineRestarts', 'peak', peak);
  requireRate('cosineRestarts', 'floor', floor);
  requireSteps('cosineRestarts', 'period', period);
  requireSteps('cosineRestarts', 'growth', growth);
  requireSteps('cosineRestarts', 'warmup', warmup, 0);
  return (step) => {
    if (step < warmup) return (peak * (step + 1)) / warmup;
    let at = step - warmup;
    let length = period;
    if (growth === 1) at %= length;
    for (; at >= length; length *= growth) at -= length;
    return cosineBetween(peak, floor, at / length);
  };
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
  // Below 0 where the rise is shorter than a step: the first rate then lies behind the peak, as in PyTorch.
  const top = rise * total - 1;
  const end = Math.max(top + 1, total - 1);
  return (step) =>
    step <= top && top > 0
      ? cosineBetween(initial, peak, step / top)
      : cosineBetween(peak, initial / finalFactor, Math.min(1, (step - top) / (end - top)));
}

/**
 * Linear warm-up to `peak`, a plateau, then over the last `decay` of the `total` steps down to `floor` (default 0) along a line,
 * a half cosine, or 1 - sqrt (Hu et al. 2024, "MiniCPM"; Hägele et al. 2024).
 */
export function warmupStableDecay(options: {
  peak: number;
  total: number;
  warmup: number;
  decay: number;
  floor?: number;
  shape?: 'linear' | 'cosine' | 'sqrt';
}): Schedule {
  const where = 'warmupStableDecay';
  checkOptions(where, options, ['peak', 'total', 'warmup', 'decay', 'floor', 'shape']);
  const { peak, total, warmup, decay, floor = 0, shape = 'linear' } = options;
  requireRate(where, 'peak', peak);
  requireRate(where, 'floor', floor);
  requireSteps(where, 'total', total);
  requireSteps(where, 'warmup', warmup, 0);
  requireSteps(where, 'decay', decay, 0);
  if (warmup + decay > total)
    throw new RangeError(`${where}: warmup ${warmup} and decay ${decay} are more than the total of ${total} steps.`);
  if (!['linear', 'cosine', 'sqrt'].includes(shape))
    throw new RangeError(`${where}: shape is 'linear', 'cosine' or 'sqrt', got '${shape}'.`);
  const begin = total - decay;
  return (step) => {
    if (step < warmup) return (peak * (step + 1)) / warmup;
    if (step < begin) return peak;
    const part = decay === 0 ? 1 : Math.min(1, (step - begin) / decay);
    if (shape === 'cosine') return cosineBetween(peak, floor, part);
    return peak - (peak - floor) * (shape === 'sqrt' ? Math.sqrt(part) : part);
  };
}
