// What a loop's body is made of: copying parts of a graph, and cutting them off from what surrounds them.
import type { Loop } from '../graph/loop.js';
import { apply, context, withContext } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import { leaf, leafRecords } from './leaf.js';

/** Nodes that `roots` need, without those that only `stop` values need, in topological order. */
function nodesUpTo(roots: readonly Value[], stop: (value: Value) => boolean): Node[] {
  const found = new Set<Node>();
  const pending = roots.filter((value) => !stop(value));
  while (pending.length) {
    const { node } = pending.pop()!;
    if (found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) if (!stop(input)) pending.push(input);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** `roots` computed from other values: what depends on a replaced value is built again, the rest is shared. */
export function copyGraph(roots: readonly Value[], replaced: ReadonlyMap<Value, Value>): Value[] {
  const copies = new Map(replaced);
  for (const node of nodesUpTo(roots, (value) => replaced.has(value))) {
    const inputs = node.inputs.map((input) => copies.get(input) ?? input);
    if (inputs.every((input, i) => input === node.inputs[i])) continue;
    const { scope, stopped, region } = node;
    const recomputed = node.recomputed || context.recomputed;
    const outputs = withContext({ scope, stopped, region, recomputed }, () => apply(node.op, inputs, node.attributes));
    node.outputs.forEach((value, i) => copies.has(value) || copies.set(value, outputs[i]!));
  }
  return roots.map((root) => copies.get(root) ?? root);
}

const isConstant = ({ node }: Value): boolean => (node.op as unknown) === leafRecords.constant;

/** Costs nothing to do again: a view is only another way to read the memory of its input. */
export const isView = ({ node }: Value): boolean => node.op.cost === 'view' && node.inputs.length === 1;

/**
 * What a body must be given to compute `roots`: the memory behind them, seen through views that were taken after node `floor`.
 * Constants are not given, they are written into it.
 */
export function sources(roots: Iterable<Value>, floor = 0): Set<Value> {
  const found = new Set<Value>();
  for (const root of roots) {
    let value = root;
    while (isView(value) && value.node.id > floor) value = value.node.inputs[0]!;
    if (!isConstant(value)) found.add(value);
  }
  return found;
}

/**
 * Makes a body of what was built from the leaves `carries` and `xs`. What does not depend on them is the same in every iteration:
 * it is computed once, outside, and captured; views of it are taken inside, where kernels read them at no cost.
 *
 * @returns the body, and the outer values that it captures
 */
export function closeBody(
  carries: readonly Value[],
  xs: readonly Value[],
  results: readonly Value[],
): { loop: Loop; captured: readonly Value[] } {
  const given = new Set([...carries, ...xs]);
  const varying = new Set([...given].map(({ node }) => node));
  const oldest = [...varying].reduce((least, { id }) => Math.min(least, id), Infinity);
  const outside: Value[] = [];
  // Ids grow with creation: what is older than every leaf depends on none.
  for (const node of nodesUpTo(results, (value) => given.has(value) || value.node.id < oldest)) {
    if (node.inputs.some((input) => varying.has(input.node))) varying.add(node);
  }
  for (const node of varying) for (const input of node.inputs) if (!varying.has(input.node)) outside.push(input);
  for (const result of results) if (!varying.has(result.node)) outside.push(result);
  const captured = [...sources(outside, oldest)];
  const leaves = captured.map(({ shape, dtype }) => leaf(shape, dtype));
  const replaced = new Map(captured.map((value, i) => [value, leaves[i]!]));
  const loop = {
    parameters: [...leaves, ...carries, ...xs],
    captures: captured.length,
    carries: carries.length,
    results: copyGraph(results, replaced),
  };
  return { loop, captured };
}
