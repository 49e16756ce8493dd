import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { zeros } from '../tensor/index.js';
import type { OptimizerDescription } from './description.js';
import type { Rule } from './rule.js';

/**
 * Lookahead (Zhang et al. 2019) around any optimizer: at every `steps`-th step (default 5) slow weights go the part `alpha`
 * (default 0.5) of the way to the fast ones, which begin again from there. `optim.lookahead(optim.adamW(), { steps: 6 })`.
 */
export function lookahead(inner: OptimizerDescription, options: { steps?: number; alpha?: number } = {}): OptimizerDescription {
  checkOptions('lookahead', options, ['steps', 'alpha']);
  const { steps = 5, alpha = 0.5 } = options;
  if (!Number.isInteger(steps) || steps < 1) throw new RangeError(`lookahead: steps must be an integer of at least 1, got ${steps}.`);
  if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`lookahead: alpha must lie in (0, 1], got ${alpha}.`);
  return inner.map(
    (rule): Rule => ({
      name: `lookahead(${rule.name})`,
      slots: (parameter) => ({ ...rule.slots(parameter), slow: zeros(parameter.shape) }),
      update(update) {
        const { slow: before, ...inner } = update.slots as { slow: Value };
        const next = rule.update({ ...update, slots: inner, lookahead: { slow: before, steps, alpha } });
        if (next.slow) return { parameter: next.parameter, slots: { ...next.slots, slow: next.slow }, accumulated: next.accumulated };
        const { parameter, slow } = ops.meet(update.parameter, next.parameter, before, update.step, { steps, alpha });
        return { parameter, slots: { ...next.slots, slow } };
      },
    }),
  );
}
