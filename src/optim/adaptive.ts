// Rates scaled by the gradients' past, without a first moment: RMSprop, Adagrad, Adadelta; and Rprop, by their signs.
import * as ops from '../ops/index.js';
import { full, type Tensor, zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { inOnePass, requireDecay, requireNonNegative, type Rule } from './rule.js';

export interface RMSpropOptions extends CommonOptions {
  /** Decay of the mean square. Default 0.99. */
  decay?: number;
  /** Added to the root. Default 1e-8. */
  epsilon?: number;
  /** Default 0. */
  momentum?: number;
  /** Subtract the squared mean: divide by the deviation rather than by the size. Default false. */
  centered?: boolean;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

function rmspropRule({ decay = 0.99, epsilon = 1e-8, momentum = 0, centered = false, weightDecay = 0 }: RMSpropOptions): Rule {
  requireDecay('rmsprop', { decay });
  requireNonNegative('rmsprop', { epsilon, momentum, weightDecay });
  const attributes = { decay, epsilon, momentum, centered, weightDecay };
  const slots = ['meanSquare', ...(centered ? ['mean'] : []), ...(momentum > 0 ? ['momentum'] : [])];
  return {
    name: 'rmsprop',
    slots: ({ shape }) => Object.fromEntries(slots.map((slot) => [slot, zeros(shape)])),
    update: (update) => inOnePass(ops.optimizerRecords.rmspropUpdate, update, slots, attributes),
  };
}

/** RMSprop (Tieleman and Hinton 2012; centered: Graves 2013), as PyTorch's. */
export const rmsprop = (options: Grouped<RMSpropOptions> = {}): OptimizerDescription =>
  describe('rmsprop', options, { learningRate: 1e-2, own: ['decay', 'epsilon', 'momentum', 'centered', 'weightDecay'], rule: rmspropRule });

export interface AdagradOptions extends CommonOptions {
  /** The rate is divided by 1 + (step - 1) * rateDecay. Default 0. */
  rateDecay?: number;
  /** What the sum of squares begins with. Default 0. */
  initial?: number;
  /** Added to the root. Default 1e-10. */
  epsilon?: number;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

function adagradRule({ rateDecay = 0, initial = 0, epsilon = 1e-10, weightDecay = 0 }: AdagradOptions): Rule {
  requireNonNegative('adagrad', { rateDecay, initial, epsilon, weightDecay });
  return {
    name: 'adagrad',
    slots: ({ shape }) => ({ sumSquare: full(shape, initial) as Tensor }),
    update(update) {
      const learningRate = ops.div(update.learningRate, ops.add(ops.mul(ops.sub(update.step, 1), rateDecay), 1));
      return inOnePass(ops.optimizerRecords.adagradUpdate, { ...update, learningRate }, ['sumSquare'], { epsilon, weightDecay });
    },
  };
}

/** Adagrad (Duchi et al. 2011), as PyTorch's. */
export const adagrad = (options: Grouped<AdagradOptions> = {}): OptimizerDescription =>
  describe('adagrad', options, { learningRate: 1e-2, own: ['rateDecay', 'initial', 'epsilon', 'weightDecay'], rule: adagradRule });

export interface AdadeltaOptions extends CommonOptions {
  /** Decay of both mean squares. Default 0.9. */
  decay?: number;
  /** Added under both roots. Default 1e-6. */
  epsilon?: number;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

function adadeltaRule({ decay = 0.9, epsilon = 1e-6, weightDecay = 0 }: AdadeltaOptions): Rule {
  requireDecay('adadelta', { decay });
  requireNonNegative('adadelta', { epsilon, weightDecay });
  return {
    name: 'adadelta',
    slots: ({ shape }) => ({ meanSquare: zeros(shape), changeSquare: zeros(shape) }),
    update: (update) =>
      inOnePass(ops.optimizerRecords.adadeltaUpdate, update, ['meanSquare', 'changeSquare'], { decay, epsilon, weightDecay }),
  };
}

/** Adadelta (Zeiler 2012), as PyTorch's. The learning rate is 1 unless said. */
export const adadelta = (options: Grouped<AdadeltaOptions> = {}): OptimizerDescription =>
  describe('adadelta', options, { learningRate: 1, own: ['decay', 'epsilon', 'weightDecay'], rule: adadeltaRule });

export interface RpropOptions extends CommonOptions {
  /** What a step size is multiplied by after a change of sign, and after none. Default [0.5, 1.2]. */
  factors?: readonly [number, number];
  /** Bounds of the step sizes. Default [1e-6, 50]. */
  sizes?: readonly [number, number];
}

function rpropRule({ factors: [less, more] = [0.5, 1.2], sizes: [least, most] = [1e-6, 50] }: RpropOptions): Rule {
  if (!(less > 0 && less < 1 && more > 1)) throw new RangeError(`rprop: factors must lie below and above 1, got ${less} and ${more}.`);
  const attributes = { less, more, least, most, weightDecay: 0 };
  return {
    name: 'rprop',
    slots: ({ shape }) => ({ previous: zeros(shape), size: zeros(shape) }),
    update: (update) => inOnePass(ops.optimizerRecords.rpropUpdate, update, ['previous', 'size'], attributes),
  };
}

/** Resilient propagation (Riedmiller and Braun 1993), as PyTorch's: for whole batches; the learning rate is the first step size. */
export const rprop = (options: Grouped<RpropOptions> = {}): OptimizerDescription =>
  describe('rprop', options, { learningRate: 1e-2, own: ['factors', 'sizes'], rule: rpropRule });
