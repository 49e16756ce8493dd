// The relatives of Adam that PyTorch has: NAdam, RAdam, Adamax.
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { ones, zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { averaged, requireDecay, requireNonNegative, type Rule, slopeOf } from './rule.js';

export interface AdamaxOptions extends CommonOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Default 1e-8. */
  epsilon?: number;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

/** Options of `radam`. */
export type RAdamOptions = AdamaxOptions;

export interface NAdamOptions extends AdamaxOptions {
  /** How fast the momentum rises to betas[0]. Default 4e-3. */
  momentumDecay?: number;
}

const own = ['betas', 'epsilon', 'weightDecay'] as const;

function settingsOf(name: string, { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 }: AdamaxOptions) {
  const [beta1, beta2] = betas;
  requireDecay(name, { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative(name, { epsilon, weightDecay });
  return { beta1, beta2, epsilon, weightDecay };
}

function nadamRule(options: NAdamOptions): Rule {
  const { momentumDecay = 4e-3 } = options;
  const { beta1, beta2, epsilon, weightDecay } = settingsOf('nadam', options);
  requireNonNegative('nadam', { momentumDecay });
  /** beta1 (1 - 0.96^(step momentumDecay) / 2) */
  const momentumAt = (step: Value): Value =>
    ops.mul(ops.sub(1, ops.mul(ops.exp(ops.mul(step, momentumDecay * Math.log(0.96))), 0.5)), beta1);
  return {
    name: 'nadam',
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape), momentumProduct: ones([]) }),
    update(update) {
      const { step, learningRate, parameter } = update;
      const slots = update.slots as { mean: Value; meanSquare: Value; momentumProduct: Value };
      const slope = slopeOf(update, weightDecay);
      const momentum = momentumAt(step);
      const nextMomentum = momentumAt(ops.add(step, 1));
      const momentumProduct = ops.mul(slots.momentumProduct, momentum);
      const mean = averaged(slots.mean, slope, beta1);
      const meanSquare = averaged(slots.meanSquare, ops.square(slope), beta2);
      const denominator = ops.add(ops.mul(ops.sqrt(meanSquare), ops.rsqrt(ops.biasCorrection(beta2, step))), epsilon);
      const ofSlope = ops.div(ops.mul(learningRate, ops.sub(1, momentum)), ops.sub(1, momentumProduct));
      const ofMean = ops.div(ops.mul(learningRate, nextMomentum), ops.sub(1, ops.mul(momentumProduct, nextMomentum)));
      const direction = ops.add(ops.mul(slope, ofSlope), ops.mul(mean, ofMean));
      return { parameter: ops.sub(parameter, ops.div(direction, denominator)), slots: { mean, meanSquare, momentumProduct } };
    },
  };
}

/** Adam with Nesterov's momentum (Dozat 2016), as PyTorch's NAdam (from 2.0, which mended a factor). */
export const nadam = (options: Grouped<NAdamOptions> = {}): OptimizerDescription =>
  describe('nadam', options, { learningRate: 2e-3, own: [...own, 'momentumDecay'], rule: nadamRule });

/**
 * rho_t = rho - 2 t beta^t / (1 - beta^t), the length of the average after t steps. As written it is the small difference of two
 * numbers near rho, of which float32 keeps few digits; with x = -t ln(beta) it is rho - (2 / -ln(beta)) x / (e^x - 1), and a
 * series in x where x is small.
 */
function averageLength(step: Value, beta: number): Value {
  const rate = -Math.log(beta);
  const x = ops.mul(step, rate);
  const rho = 2 / (1 - beta) - 1;
  const squared = ops.square(x);
  const series = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160].reduceRight<Value | undefined>(
    (sum, coefficient) => (sum ? ops.add(ops.mul(sum, squared), coefficient) : ops.mul(ops.onesLike(x), coefficient)),
    undefined,
  )!;
  const near = ops.sub(ops.add(step, rho - 2 / rate), ops.mul(ops.mul(series, squared), 2 / rate));
  const far = ops.sub(rho, ops.mul(ops.div(x, ops.expm1(x)), 2 / rate));
  return ops.where(ops.less(x, 1), near, far);
}

function radamRule(options: RAdamOptions): Rule {
  const { beta1, beta2, epsilon, weightDecay } = settingsOf('radam', options);
  const rho = 2 / (1 - beta2) - 1;
  return {
    name: 'radam',
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape) }),
    update(update) {
      const { step, learningRate, parameter } = update;
      const slots = update.slots as { mean: Value; meanSquare: Value };
      const slope = slopeOf(update, weightDecay);
      const mean = averaged(slots.mean, slope, beta1);
      const meanSquare = averaged(slots.meanSquare, ops.square(slope), beta2);
      const length = averageLength(step, beta2);
      const known = ops.greater(length, 5);
      // Below 5 the variance is not known: plain momentum. The other branch must stay finite there.
      const safe = ops.where(known, length, 6);
      const rectified = ops.sqrt(ops.div(ops.mul(ops.mul(ops.sub(safe, 4), ops.sub(safe, 2)), rho / ((rho - 4) * (rho - 2))), safe));
      const rate = ops.div(learningRate, ops.biasCorrection(beta1, step));
      const factor = ops.mul(rate, ops.mul(rectified, ops.sqrt(ops.biasCorrection(beta2, step))));
      const scale = ops.where(known, ops.div(factor, ops.add(ops.sqrt(meanSquare), epsilon)), rate);
      return { parameter: ops.sub(parameter, ops.mul(mean, scale)), slots: { mean, meanSquare } };
    },
  };
}

/** Adam that begins as plain momentum until the variance is known: rectified Adam (Liu et al. 2020), as PyTorch's RAdam. */
export const radam = (options: Grouped<RAdamOptions> = {}): OptimizerDescription =>
  describe('radam', options, { learningRate: 1e-3, own, rule: radamRule });

function adamaxRule(options: AdamaxOptions): Rule {
  const { beta1, beta2, epsilon, weightDecay } = settingsOf('adamax', options);
  return {
    name: 'adamax',
    slots: ({ shape }) => ({ mean: zeros(shape), largest: zeros(shape) }),
    update(update) {
      const { step, learningRate, parameter } = update;
      const slots = update.slots as { mean: Value; largest: Value };
      const slope = slopeOf(update, weightDecay);
      const mean = averaged(slots.mean, slope, beta1);
      const largest = ops.maximum(ops.mul(slots.largest, beta2), ops.add(ops.abs(slope), epsilon));
      const rate = ops.div(learningRate, ops.biasCorrection(beta1, step));
      return { parameter: ops.sub(parameter, ops.mul(ops.div(mean, largest), rate)), slots: { mean, largest } };
    },
  };
}

/** Adam by the infinity norm (Kingma and Ba 2015, section 7.1), as PyTorch's Adamax. */
export const adamax = (options: Grouped<AdamaxOptions> = {}): OptimizerDescription =>
  describe('adamax', options, { learningRate: 2e-3, own, rule: adamaxRule });
