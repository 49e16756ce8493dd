import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { inOnePass, type Rule } from './rule.js';

export interface SgdOptions extends CommonOptions {
  /** Default 0. */
  momentum?: number;
  /** Default 0. */
  dampening?: number;
  /** Nesterov's form of momentum. Default false. */
  nesterov?: boolean;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

function rule({ momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 }: SgdOptions): Rule {
  if (!(momentum >= 0 && momentum < 1)) throw new RangeError(`sgd: momentum must lie in [0, 1), got ${momentum}.`);
  if (nesterov && (momentum === 0 || dampening !== 0)) throw new RangeError('sgd: nesterov needs a momentum above 0 and no dampening.');
  const attributes = { momentum, dampening, nesterov, weightDecay };
  return {
    name: 'sgd',
    slots: (parameter) => ({ momentum: zeros(momentum ? parameter.shape : [0]) }),
    update: (update) => inOnePass(ops.optimizerRecords.sgdUpdate, update, ['momentum'], attributes),
  };
}

/** Stochastic gradient descent with momentum, by PyTorch's rule: buffer = momentum * buffer + (1 - dampening) * gradient. */
export const sgd = (options: Grouped<SgdOptions> = {}): OptimizerDescription =>
  describe('sgd', options, { learningRate: 1e-3, own: ['momentum', 'dampening', 'nesterov', 'weightDecay'], rule });
