import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { inOnePass, requireDecay, requireNonNegative, type Rule } from './rule.js';

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

/** The rule of Adam, or of AdamW where `decoupled`. */
export function adamRule(name: string, options: AdamOptions, decoupled: boolean): Rule {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 0.01 : 0, amsgrad = false } = options;
  const [beta1, beta2] = betas;
  requireDecay(name, { 'betas[0]': beta1, 'betas[1]': beta2 });
  requireNonNegative(name, { epsilon, weightDecay });
  const attributes = { beta1, beta2, epsilon, weightDecay, decoupled, ...(amsgrad && { amsgrad }) };
  const slots = ['mean', 'meanSquare', ...(amsgrad ? ['largest'] : [])];
  return {
    name,
    slots: ({ shape }) => Object.fromEntries(slots.map((slot) => [slot, zeros(shape)])),
    update: (update) => inOnePass(ops.optimizerRecords.adamUpdate, update, slots, attributes),
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
