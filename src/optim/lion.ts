import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { inOnePass, requireDecay, requireNonNegative, type Rule } from './rule.js';

export interface LionOptions extends CommonOptions {
  /** Weight of the momentum in the direction, and its decay. Default [0.9, 0.99]. */
  betas?: readonly [number, number];
  /** Decoupled decay of the weights. Default 0. */
  weightDecay?: number;
}

function rule({ betas: [beta1, beta2] = [0.9, 0.99], weightDecay = 0 }: LionOptions): Rule {
  requireDecay('lion', { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative('lion', { weightDecay });
  const attributes = { beta1, beta2, weightDecay, decoupled: true };
  return {
    name: 'lion',
    slots: ({ shape }) => ({ mean: zeros(shape) }),
    update: (update) => inOnePass(ops.optimizerRecords.lionUpdate, update, ['mean'], attributes),
  };
}

/**
 * Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): the sign of a momentum. Its rate is about a tenth of
 * AdamW's, its weight decay about ten times as large.
 */
export const lion = (options: Grouped<LionOptions> = {}): OptimizerDescription =>
  describe('lion', options, { learningRate: 1e-4, own: ['betas', 'weightDecay'], rule });
