import { checkOptions } from '../errors.js';
import type { Match } from './group.js';

/**
 * Groups whose learning rate falls from the output to the input (Howard and Ruder 2018; Clark et al. 2020): `layers` from the input
 * to the output; the last has the factor 1, the one before it `decay`, then decay^2, and so on. What matches none keeps the
 * full rate: `optim.adamW({ groups: optim.layerwiseDecay(['embedding', 'blocks.0', 'blocks.1', 'head'], { decay: 0.8 }) })`.
 */
export function layerwiseDecay(layers: readonly Match[], options: { decay: number }): { match: Match; learningRateFactor: number }[] {
  checkOptions('layerwiseDecay', options, ['decay']);
  const { decay } = options;
  if (!(decay > 0 && decay <= 1)) throw new RangeError(`layerwiseDecay: decay must lie in (0, 1], got ${decay}.`);
  return layers.map((match, i) => ({ match, learningRateFactor: decay ** (layers.length - 1 - i) }));
}
