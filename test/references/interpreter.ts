import type { Loop } from '../../src/graph/loop.js';
import type { Node, Value } from '../../src/graph/node.js';
import type { Attributes, Op } from '../../src/graph/op.js';
import { sizeOf } from '../../src/graph/op.js';
import { leaf, records } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import { references } from './index.js';
import type { NdArray64, Reference } from './array.js';

const ours = new Map<Op, OpName>(Object.entries(records).map(([name, record]) => [record as unknown as Op, name as OpName]));

/** Evaluates one op; the user's own are decomposed. */
export function evaluateOp(op: Op, inputs: readonly NdArray64[], attributes: Attributes): NdArray64[] {
  const name = ours.get(op);
  if (op.loop) return evaluateLoop(op.loop, inputs, attributes);
  if (name === undefined) return evaluateDecomposed(op, inputs, attributes);
  return (references[name] as Reference<Attributes>)(inputs, attributes, op.infer(inputs, attributes));
}

/** Evaluates a loop, one iteration after the other. */
function evaluateLoop(loop: Loop, inputs: readonly NdArray64[], { length, reverse }: Attributes): NdArray64[] {
  const { parameters, captures, carries, results } = loop;
  const first = captures + carries;
  let carry = inputs.slice(captures, first);
  const yielded = results.slice(carries).map(({ shape, dtype }) => {
    const size = sizeOf(shape);
    return { size, shape: [length as number, ...shape], dtype, data: new Float64Array((length as number) * size) };
  });
  for (let step = 0; step < (length as number); step++) {
    const at = reverse ? (length as number) - 1 - step : step;
    const given = parameters.map((parameter, i): NdArray64 => {
      if (i < captures) return inputs[i]!;
      if (i < first) return carry[i - captures]!;
      const size = sizeOf(parameter.shape);
      return { shape: parameter.shape, dtype: parameter.dtype, data: inputs[i]!.data.slice(at * size, (at + 1) * size) };
    });
    const out = evaluate(results, new Map(parameters.map((parameter, i) => [parameter, given[i]!])));
    carry = out.slice(0, carries);
    yielded.forEach(({ data, size }, i) => data.set(out[carries + i]!.data, at * size));
  }
  return [...carry, ...yielded.map(({ shape, dtype, data }) => ({ shape, dtype, data }))];
}

/** Evaluates an op by its decomposition, one level deep. */
export function evaluateDecomposed(op: Op, inputs: readonly NdArray64[], attributes: Attributes): NdArray64[] {
  const values = inputs.map(({ shape, dtype }) => leaf(shape, dtype));
  const results = op.decompose!(values, attributes);
  return evaluate(results, new Map(values.map((value, i) => [value, inputs[i]!])));
}

/** Nodes that `roots` need and that are not given, in the order of creation. */
function needed(roots: readonly Value[], given: ReadonlyMap<Value, NdArray64>): Node[] {
  const found = new Set<Node>();
  const pending = [...roots];
  while (pending.length) {
    const value = pending.pop()!;
    if (given.has(value) || found.has(value.node)) continue;
    found.add(value.node);
    pending.push(...value.node.inputs);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * Evaluates values of a graph in float64.
 *
 * @param bound data of the leaves, or of any other values that are to be taken as given
 */
export function evaluate(roots: readonly Value[], bound: ReadonlyMap<Value, NdArray64>): NdArray64[] {
  const known = new Map(bound);
  for (const node of needed(roots, bound)) {
    const inputs = node.inputs.map((input) => known.get(input)!);
    const outputs = evaluateOp(node.op, inputs, node.attributes);
    node.outputs.forEach((value, i) => known.has(value) || known.set(value, outputs[i]!));
  }
  return roots.map((root) => known.get(root)!);
}
