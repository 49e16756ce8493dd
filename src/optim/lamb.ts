import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { requireDecay, requireNonNegative, type Rule, slopeOf } from './rule.js';

export interface LambOptions extends CommonOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-6. */
  epsilon?: number;
  /** Decay of the weights, part of the direction. Default 0. */
  weightDecay?: number;
}

function rule({ betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-6, weightDecay = 0 }: LambOptions): Rule {
  requireDecay('lamb', { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative('lamb', { epsilon, weightDecay });
  return {
    name: 'lamb',
    slots: ({ shape }) => ({ mean: zeros(shape), meanSquare: zeros(shape) }),
    update(update) {
      const { parameter, learningRate, step } = update;
      const slots = update.slots as { mean: Value; meanSquare: Value };
      const slope = slopeOf(update);
      const mean = ops.averaged(slots.mean, slope, beta1);
      const meanSquare = ops.averaged(slots.meanSquare, ops.square(slope), beta2);
      const denominator = ops.add(ops.mul(ops.sqrt(meanSquare), ops.rsqrt(ops.biasCorrection(beta2, step))), epsilon);
      const adapted = ops.div(ops.mul(mean, ops.reciprocal(ops.biasCorrection(beta1, step))), denominator);
      const direction = weightDecay === 0 ? adapted : ops.add(adapted, ops.mul(parameter, weightDecay));
      const size = ops.norm(parameter);
      const length = ops.norm(direction);
      const useful = ops.logicalAnd(ops.greater(size, 0), ops.greater(length, 0));
      const trust = ops.where(useful, ops.div(size, ops.where(useful, length, 1)), 1);
      return {
        parameter: ops.sub(parameter, ops.mul(direction, ops.mul(learningRate, trust))),
        slots: { mean, meanSquare },
      };
    },
  };
}

/**
 * LAMB (You et al. 2020, "Large Batch Optimization for Deep Learning"), with bias correction: Adam's direction, as long as the
 * parameter itself. Two passes over each parameter, the norms between them.
 */
export const lamb = (options: Grouped<LambOptions> = {}): OptimizerDescription =>
  describe('lamb', options, { learningRate: 1e-3, own: ['betas', 'epsilon', 'weightDecay'], rule });
