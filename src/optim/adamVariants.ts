// The relatives of Adam that PyTorch has: NAdam, RAdam, Adamax.
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { ones, zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { inOnePass, requireDecay, requireNonNegative, type Rule } from './rule.js';

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
  const settings = settingsOf('nadam', options);
  requireNonNegative('nadam', { momentumDecay });
  /** beta1 (1 - 0.96^(step momentumDecay) / 2) */
  const momentumAt = (step: Value): Value =>
    ops.mul(ops.sub(1, ops.mul(ops.exp(ops.mul(step, momentumDecay * Math.log(0.96))), 0.5)), settings.beta1);
  return {
    name: 'nadam',
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape), momentumProduct: ones([]) }),
    update(update) {
      const { step, learningRate, accumulation, slots } = update;
      const momentum = momentumAt(step);
      const nextMomentum = momentumAt(ops.add(step, 1));
      const before = slots['momentumProduct']!;
      const product = ops.mul(before, momentum);
      const ofSlope = ops.div(ops.mul(learningRate, ops.sub(1, momentum)), ops.sub(1, product));
      const ofMean = ops.div(ops.mul(learningRate, nextMomentum), ops.sub(1, ops.mul(product, nextMomentum)));
      const next = inOnePass(ops.optimizerRecords.nadamUpdate, update, ['mean', 'meanSquare'], settings, [ofSlope, ofMean]);
      const momentumProduct = accumulation ? ops.where(ops.greater(accumulation.due, 0), product, before) : product;
      return { ...next, slots: { ...next.slots, momentumProduct } };
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
  const settings = settingsOf('radam', options);
  const { beta2 } = settings;
  const rho = 2 / (1 - beta2) - 1;
  return {
    name: 'radam',
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape) }),
    update(update) {
      const { step } = update;
      const length = averageLength(step, beta2);
      const known = ops.greater(length, 5);
      // Below 5 the variance is not known: plain momentum, which 0 says. The root must stay finite there.
      const safe = ops.where(known, length, 6);
      const rectified = ops.sqrt(ops.div(ops.mul(ops.mul(ops.sub(safe, 4), ops.sub(safe, 2)), rho / ((rho - 4) * (rho - 2))), safe));
      const rectification = ops.where(known, ops.mul(rectified, ops.sqrt(ops.biasCorrection(beta2, step))), 0);
      return inOnePass(ops.optimizerRecords.radamUpdate, update, ['mean', 'meanSquare'], settings, [rectification]);
    },
  };
}

/** Adam that begins as plain momentum until the variance is known: rectified Adam (Liu et al. 2020), as PyTorch's RAdam. */
export const radam = (options: Grouped<RAdamOptions> = {}): OptimizerDescription =>
  describe('radam', options, { learningRate: 1e-3, own, rule: radamRule });

function adamaxRule(options: AdamaxOptions): Rule {
  const settings = settingsOf('adamax', options);
  return {
    name: 'adamax',
    slots: ({ shape }) => ({ mean: zeros(shape), largest: zeros(shape) }),
    update: (update) => inOnePass(ops.optimizerRecords.adamaxUpdate, update, ['mean', 'largest'], settings),
  };
}

/** Adam by the infinity norm (Kingma and Ba 2015, section 7.1), as PyTorch's Adamax. */
export const adamax = (options: Grouped<AdamaxOptions> = {}): OptimizerDescription =>
  describe('adamax', options, { learningRate: 2e-3, own, rule: adamaxRule });
