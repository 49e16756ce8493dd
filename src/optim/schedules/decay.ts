import { checkOptions } from '../../errors.js';
import { requireFactor, requireRate, requireSteps, type Schedule } from './schedule.js';

/** The same rate at each step. */
export function constant(rate: number): Schedule {
  requireRate('constant', 'the rate', rate);
  return () => rate;
}

/** rate * factor^floor(step / every), as PyTorch's StepLR. `factor` is 0.1 unless said. */
export function step(options: { rate: number; every: number; factor?: number }): Schedule {
  checkOptions('step', options, ['rate', 'every', 'factor']);
  const { rate, every, factor = 0.1 } = options;
  requireRate('step', 'rate', rate);
  requireSteps('step', 'every', every);
  requireFactor('step', 'factor', factor);
  return (at) => rate * factor ** Math.floor(at / every);
}

/** The rate times `factor` (default 0.1) once for each milestone that is reached, as PyTorch's MultiStepLR. */
export function multiStep(options: { rate: number; milestones: readonly number[]; factor?: number }): Schedule {
  checkOptions('multiStep', options, ['rate', 'milestones', 'factor']);
  const { rate, milestones, factor = 0.1 } = options;
  requireRate('multiStep', 'rate', rate);
  for (const milestone of milestones) requireSteps('multiStep', 'a milestone', milestone, 0);
  requireFactor('multiStep', 'factor', factor);
  return (at) => rate * factor ** milestones.filter((milestone) => milestone <= at).length;
}

/** rate * factor^step, as PyTorch's ExponentialLR. */
export function exponential(options: { rate: number; factor: number }): Schedule {
  checkOptions('exponential', options, ['rate', 'factor']);
  const { rate, factor } = options;
  requireRate('exponential', 'rate', rate);
  requireFactor('exponential', 'factor', factor);
  return (at) => rate * factor ** at;
}

/**
 * From `rate` down to `floor` (default 0) at step `total`: floor + (rate - floor) (1 - step / total)^power, as PyTorch's
 * PolynomialLR. `power` is 1 unless said.
 */
export function polynomial(options: { rate: number; total: number; power?: number; floor?: number }): Schedule {
  checkOptions('polynomial', options, ['rate', 'total', 'power', 'floor']);
  const { rate, total, power = 1, floor = 0 } = options;
  requireRate('polynomial', 'rate', rate);
  requireRate('polynomial', 'floor', floor);
  requireSteps('polynomial', 'total', total);
  requireFactor('polynomial', 'power', power);
  return (at) => floor + (rate - floor) * (1 - Math.min(at, total) / total) ** power;
}

/** A straight line from `from` at step 0 to `to` at step `total`, where it stays; as PyTorch's LinearLR. */
export function linear(options: { from: number; to: number; total: number }): Schedule {
  checkOptions('linear', options, ['from', 'to', 'total']);
  const { from, to, total } = options;
  requireRate('linear', 'from', from);
  requireRate('linear', 'to', to);
  requireSteps('linear', 'total', total);
  return (at) => from + ((to - from) * Math.min(at, total)) / total;
}

/**
 * Linear warm-up over `warmup` steps to `peak`, then peak * sqrt(warmup / step): the transformer's schedule (Vaswani et al.
 * 2017). With a model width d, its peak is (d * warmup)^-0.5.
 */
export function inverseSqrt(options: { peak: number; warmup: number }): Schedule {
  checkOptions('inverseSqrt', options, ['peak', 'warmup']);
  const { peak, warmup } = options;
  requireRate('inverseSqrt', 'peak', peak);
  requireSteps('inverseSqrt', 'warmup', warmup);
  return (at) => peak * Math.min((at + 1) / warmup, Math.sqrt(warmup / (at + 1)));
}
