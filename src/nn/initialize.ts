import { PolluxError } from '../errors.js';
import { currentTrace, draw, type Initializer, wrap } from '../tensor/index.js';
import type { Module } from './module.js';

/**
 * Draws parameters anew: those whose path matches, in the order of the model. `nn.initialize(model, /weight$/, nn.init.orthogonal())`.
 * Numbers come from the seed and the count of draws. Optimizers keep what they know of the old values. Returns the model.
 * @throws INVALID_ARGUMENT if no parameter matches.
 */
export function initialize<M extends Module>(model: M, pattern: RegExp | string, initializer: Initializer): M {
  if (currentTrace()) throw new PolluxError('INVALID_ARGUMENT', 'initialize: parameters are drawn outside of compiled functions.');
  const all = model.parameters();
  const meant = [...all].filter(([path]) =>
    typeof pattern === 'string' ? path === pattern || path.startsWith(`${pattern}.`) : pattern.test(path),
  );
  if (!meant.length)
    throw new PolluxError('INVALID_ARGUMENT', `initialize: no parameter matches ${pattern}. Paths: ${[...all.keys()].join(', ')}.`);
  for (const [, parameter] of meant) parameter.assign(wrap(initializer(parameter.shape, draw())));
  return model;
}
