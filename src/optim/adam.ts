import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { averaged, decayed, requireDecay, requireNonNegative, type Rule, slopeOf, type Update } from './rule.js';

export interface AdamOptions extends CommonOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  epsilon?: number;
  /** adam: an L2 penalty, added to the gradient, default 0. adamW: decoupled decay of the weights, default 0.01. */
  weightDecay?: number;
  /** Divide by the largest second moment so far (Reddi et al. 2018). Default false. */
  amsgrad?: boolean;
}

type Moments = { mean: Value; meanSquare: Value; largest: Value };

/** The rule of Adam, or of AdamW where `decoupled`. */
export function adamRule(name: string, options: AdamOptions, decoupled: boolean): Rule {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 0.01 : 0, amsgrad = false } = options;
  const [beta1, beta2] = betas;
  requireDecay(name, { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative(name, { epsilon, weightDecay });
  const attributes = { beta1, beta2, epsilon, weightDecay, decoupled };

  function withLargest(update: Update): ReturnType<Rule['update']> {
    const { step, learningRate } = update;
    const slots = update.slots as Moments;
    const slope = slopeOf(update, decoupled ? 0 : weightDecay);
    const mean = averaged(slots.mean, slope, beta1);
    const meanSquare = averaged(slots.meanSquare, ops.square(slope), beta2);
    const largest = ops.maximum(slots.largest, meanSquare);
    const inverse = ops.rsqrt(ops.biasCorrection(beta2, step));
    const denominator = ops.add(ops.mul(ops.sqrt(largest), inverse), epsilon);
    const rate = ops.div(learningRate, ops.biasCorrection(beta1, step));
    const start = decoupled ? decayed(update, weightDecay) : update.parameter;
    return { parameter: ops.sub(start, ops.mul(rate, ops.div(mean, denominator))), slots: { mean, meanSquare, largest } };
  }

  return {
    name,
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape), ...(amsgrad && { largest: zeros(shape) }) }),
    update(update) {
      if (amsgrad) return withLargest(update);
      const { slots, composed, ...rest } = update;
      const { mean, meanSquare } = slots as Moments;
      const next = ops.adamUpdate({ ...rest, mean, meanSquare }, attributes, { composed });
      return { parameter: next.parameter, slots: { mean: next.mean, meanSquare: next.meanSquare } };
    },
  };
}

const describeAdam = (name: 'adam' | 'adamW', options: Grouped<AdamOptions>): OptimizerDescription =>
  describe(name, options, {
    learningRate: 1e-3,
    own: ['betas', 'epsilon', 'weightDecay', 'amsgrad'],
    rule: (own: AdamOptions) => adamRule(name, own, name === 'adamW'),
  });

/** Adam (Kingma and Ba 2015), AMSGrad with `amsgrad` (Reddi et al. 2018); weight decay, if any, is an L2 penalty, as in PyTorch. */
export const adam = (options: Grouped<AdamOptions> = {}): OptimizerDescription => describeAdam('adam', options);

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export const adamW = (options: Grouped<AdamOptions> = {}): OptimizerDescription => describeAdam('adamW', options);
