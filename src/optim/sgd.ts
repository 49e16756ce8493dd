import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import { type CommonOptions, commonOptions, OptimizerDescription } from './optimizer.js';

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

/** Stochastic gradient descent with momentum, by PyTorch's rule: buffer = momentum * buffer + (1 - dampening) * gradient. */
export function sgd(options: SgdOptions = {}): OptimizerDescription {
  checkOptions('sgd', options, [...commonOptions, 'momentum', 'dampening', 'nesterov', 'weightDecay']);
  const { learningRate = 1e-3, clipNorm, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options;
  if (!(momentum >= 0 && momentum < 1)) throw new RangeError(`sgd: momentum must lie in [0, 1), got ${momentum}.`);
  if (nesterov && (momentum === 0 || dampening !== 0)) throw new RangeError('sgd: nesterov needs a momentum above 0 and no dampening.');
  const attributes = { momentum, dampening, nesterov, weightDecay };
  return new OptimizerDescription(
    {
      name: 'sgd',
      slots: (parameter) => ({ momentum: zeros(momentum ? parameter.shape : [0]) }),
      update({ parameter, gradient, slots, learningRate: rate, step, scale }) {
        const next = ops.sgdUpdate({ parameter, gradient, buffer: slots['momentum']!, learningRate: rate, step, scale }, attributes);
        return { parameter: next.parameter, slots: { momentum: next.buffer } };
      },
    },
    { learningRate, clipNorm },
  );
}
