import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { averaged, decayed, requireDecay, requireNonNegative, type Rule, slopeOf } from './rule.js';

export interface LionOptions extends CommonOptions {
  /** Weight of the momentum in the direction, and its decay. Default [0.9, 0.99]. */
  betas?: readonly [number, number];
  /** Decoupled decay of the weights. Default 0. */
  weightDecay?: number;
}

function rule({ betas: [beta1, beta2] = [0.9, 0.99], weightDecay = 0 }: LionOptions): Rule {
  requireDecay('lion', { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative('lion', { weightDecay });
  return {
    name: 'lion',
    slots: ({ shape }) => ({ mean: zeros(shape) }),
    update(update) {
      const slope = slopeOf(update);
      const { mean } = update.slots as { mean: typeof slope };
      const direction = ops.sign(averaged(mean, slope, beta1));
      return {
        parameter: ops.sub(decayed(update, weightDecay), ops.mul(direction, update.learningRate)),
        slots: { mean: averaged(mean, slope, beta2) },
      };
    },
  };
}

/**
 * Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): the sign of a momentum. Its rate is about a tenth of
 * AdamW's, its weight decay about ten times as large.
 */
export const lion = (options: Grouped<LionOptions> = {}): OptimizerDescription =>
  describe('lion', options, { learningRate: 1e-4, own: ['betas', 'weightDecay'], rule });
