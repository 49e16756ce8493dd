import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, commonOptions, OptimizerDescription } from './optimizer.js';

export interface AdamOptions extends CommonOptions {
  /** Decay of the first and second moment. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  epsilon?: number;
  /** adam: an L2 penalty, added to the gradient, default 0. adamW: decoupled decay of the weights, default 0.01. */
  weightDecay?: number;
}

function description(name: 'adam' | 'adamW', options: AdamOptions, decoupled: boolean): OptimizerDescription {
  checkOptions(name, options, [...commonOptions, 'betas', 'epsilon', 'weightDecay']);
  const { learningRate = 1e-3, clipNorm, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 0.01 : 0 } = options;
  const [beta1, beta2] = betas;
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
    throw new RangeError(`${name}: betas must lie in [0, 1), got ${beta1} and ${beta2}.`);
  if (!(epsilon >= 0 && weightDecay >= 0))
    throw new RangeError(`${name}: epsilon and weightDecay must not be negative, got ${epsilon} and ${weightDecay}.`);
  const attributes = { beta1, beta2, epsilon, weightDecay, decoupled };
  return new OptimizerDescription(
    {
      name,
      slots: (parameter) => ({ mean: zeros(parameter.shape), meanSquare: zeros(parameter.shape) }),
      update({ parameter, gradient, slots, learningRate: rate, step, scale }) {
        const { mean, meanSquare } = slots as { mean: Value; meanSquare: Value };
        const next = ops.adamUpdate({ parameter, gradient, mean, meanSquare, learningRate: rate, step, scale }, attributes);
        return { parameter: next.parameter, slots: { mean: next.mean, meanSquare: next.meanSquare } };
      },
    },
    { learningRate, clipNorm },
  );
}

/** Adam (Kingma and Ba 2015); weight decay, if any, is an L2 penalty, as in PyTorch. */
export const adam = (options: AdamOptions = {}): OptimizerDescription => description('adam', options, false);

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export const adamW = (options: AdamOptions = {}): OptimizerDescription => description('adamW', options, true);
