import { applyOne, defineRecord } from './define.js';
import { withContext } from '../graph/node.js';
import type { Value } from '../graph/node.js';

/** Cotangents of the inputs from that of the output; undefined for an input through which nothing flows. */
export type BackwardRule = (cotangent: Value, inputs: readonly Value[], output: Value) => readonly (Value | undefined)[];

/**
 * A function with a gradient of the caller's own. What `forward` builds is not differentiated; `backward` is called instead, and
 * what it builds is differentiable in turn.
 *
 * The result of `forward` passes through a node that takes it and the inputs, and yields it unchanged: that node bears the rule.
 */
export function customGradient(forward: (...inputs: Value[]) => Value, backward: BackwardRule): (...inputs: Value[]) => Value {
  const record = defineRecord({
    name: 'customGradient',
    cost: 'view',
    infer: ([result]) => result,
    decompose: ([result]) => result,
    gradient: ({ dy, inputs: [, ...inputs], y }) => [undefined, ...backward(dy, inputs, y)],
  });
  return (...inputs) => applyOne(record, [withContext({ stopped: true }, () => forward(...inputs)), ...inputs], {});
}
