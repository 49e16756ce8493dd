// Sums over the iterations of a loop that one op computes of its stacked operands: one tall product instead of many small ones,
// and no running sum as large as a weight.
import type { Value } from '../graph/node.js';
import { broadcastRecords, reshape, sum } from './broadcast.js';
import { copyGraph, isView } from './loopBody.js';
import { matmul, matmulRecords } from './matmul.js';

export interface StackedSum {
  /** Values of the body that must be known for all iterations. */
  readonly operands: readonly Value[];
  /** The sum, given the operands stacked along a new first axis. */
  total(stacked: (operand: Value) => Value): Value;
}

/** The value that `root` only shows in another way: what is summed may be summed before. */
function behindViews(root: Value): Value {
  let value = root;
  while (isView(value)) value = value.node.inputs[0]!;
  return value;
}

const inPlaceOf = (root: Value, part: Value, total: Value): Value => copyGraph([root], new Map([[part, total]]))[0]!;

/** a' b summed over iterations is A' B, where A and B are the rows of all iterations, one below the other. */
function stackedProduct(root: Value): StackedSum | undefined {
  const product = behindViews(root);
  const { op, inputs, attributes } = product.node;
  const { transposeA, transposeB, activation } = attributes;
  if ((op as unknown) !== matmulRecords.matmul || inputs.length > 2 || product.shape.length > 2) return undefined;
  if (!transposeA || transposeB || activation !== 'none') return undefined;
  return {
    operands: inputs,
    total(stacked) {
      const [a, b] = inputs.map((x) => {
        const all = stacked(x);
        return reshape(all, [all.shape[0]! * x.shape[0]!, x.shape[1]!]);
      });
      return inPlaceOf(root, product, matmul(a!, b!, { transposeA: true }));
    },
  };
}

/** A sum over axes, summed over iterations, is a sum over one more axis. */
function stackedReduction(root: Value): StackedSum | undefined {
  const reduced = behindViews(root);
  const { op, inputs, attributes } = reduced.node;
  if ((op as unknown) !== broadcastRecords.sum) return undefined;
  const axes = attributes['axes'] as readonly number[];
  return {
    operands: inputs,
    total: (stacked) => inPlaceOf(root, reduced, reshape(sum(stacked(inputs[0]!), [0, ...axes.map((axis) => axis + 1)]), reduced.shape)),
  };
}

/** Finds such sums among the flows into captured values; reductions only of what the products need stacked anyhow. */
export function stackedSums(flows: ReadonlyMap<number, Value>): Map<number, StackedSum> {
  const found = new Map<number, StackedSum>();
  for (const [i, flow] of flows) {
    const product = stackedProduct(flow);
    if (product) found.set(i, product);
  }
  const operands = new Set([...found.values()].flatMap((product) => product.operands));
  for (const [i, flow] of flows) {
    const reduction = found.has(i) ? undefined : stackedReduction(flow);
    if (reduction?.operands.every((operand) => operands.has(operand))) found.set(i, reduction);
  }
  return found;
}
