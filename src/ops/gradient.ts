// Reverse-mode differentiation of a graph. It lies here and not in graph/, because it adds up cotangents: it needs ops.
import { PolluxError } from '../errors.js';
import { isFloat } from '../graph/dtype.js';
import { apply, newestId, withContext } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import { add } from './arithmetic.js';

/**
 * Gradients of a weighted sum of `outputs` with respect to values that they depend on.
 *
 * @param outputs values to differentiate
 * @param cotangents the weight of each output, of its shape and dtype; undefined leaves an output out
 * @param wrt values with respect to which to differentiate; they need not be leaves
 * @returns for each of `wrt` its gradient, or undefined where no output depends on it. Contributions are added in a fixed order.
 * @throws PolluxError NOT_DIFFERENTIABLE naming an op without a gradient between them
 */
export function gradients(
  outputs: readonly Value[],
  cotangents: readonly (Value | undefined)[],
  wrt: readonly Value[],
): (Value | undefined)[] {
  outputs.forEach((output, i) => {
    const cotangent = cotangents[i];
    if (cotangent && (cotangent.dtype !== output.dtype || !sameShape(cotangent.shape, output.shape))) {
      throw new PolluxError('SHAPE_MISMATCH', `gradients: output ${i} is ${show(output)}, but its cotangent ${show(cotangent)}`);
    }
  });
  return sweep(outputs, cotangents, wrt, 0);
}

/** Reverse sweep over the nodes younger than `floor`: older ones count as given, whatever they depend on. */
function sweep(
  outputs: readonly Value[],
  cotangents: readonly (Value | undefined)[],
  wrt: readonly Value[],
  floor: number,
): (Value | undefined)[] {
  if (wrt.length === 0) return [];
  const carried = new Map<Value, Value>();
  const accumulate = (value: Value, cotangent: Value): void => {
    const before = carried.get(value);
    carried.set(value, before ? add(before, cotangent) : cotangent);
  };
  outputs.forEach((output, i) => cotangents[i] && isFloat(output.dtype) && accumulate(output, cotangents[i]));

  // Ids grow with creation, so what is older than every value of `wrt` cannot depend on one.
  const nodes = younger(
    outputs,
    Math.max(
      floor,
      wrt.reduce((least, { node }) => Math.min(least, node.id), Infinity),
    ),
  );
  const varying = dependents(nodes, wrt);
  const recomputed = new Map<Node, Node>();
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((output) => varying.has(output) && carried.has(output))) continue;
    const needed = node.inputs.map((input) => varying.has(input));
    if (!needed.includes(true)) continue;
    const given = node.outputs.map((output) => carried.get(output));
    const source = node.region ? recompute(node, recomputed) : node;
    const flows = withContext({ scope: node.scope, recomputed: source.recomputed }, () => inputCotangents(source, given, needed));
    node.inputs.forEach((input, i) => {
      const flow = flows[i];
      if (!flow || !needed[i]) return;
      if (!sameShape(flow.shape, input.shape) || flow.dtype !== input.dtype) {
        throw new PolluxError('SHAPE_MISMATCH', `${node.op.name}: input ${i} is ${show(input)}, but its gradient rule gives ${show(flow)}`);
      }
      accumulate(input, flow);
    });
  }
  return wrt.map((value) => carried.get(value));
}

/** Nodes with an id above `floor` that `roots` need, in the order of creation. */
function younger(roots: readonly Value[], floor: number): Node[] {
  const found = new Set<Node>();
  const pending = roots.map(({ node }) => node);
  while (pending.length) {
    const node = pending.pop()!;
    if (node.id <= floor || found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) pending.push(input.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** Values that carry gradients from `nodes` to `wrt`: floats that depend on it with nothing in between that stops the flow. */
function dependents(nodes: readonly Node[], wrt: readonly Value[]): Set<Value> {
  const varying = new Set(wrt);
  for (const node of nodes) {
    if (node.stopped || node.op.stops || !node.inputs.some((input) => varying.has(input))) continue;
    for (const output of node.outputs) if (isFloat(output.dtype)) varying.add(output);
  }
  return varying;
}

/** Cotangents of a node's inputs: by its rule, or by differentiating its decomposition. */
function inputCotangents(node: Node, given: readonly (Value | undefined)[], needed: readonly boolean[]): (Value | undefined)[] {
  const { op, inputs, attributes, scope } = node;
  if (op.gradient) return op.gradient(node, given, needed);
  if (!op.decompose) {
    throw new PolluxError(
      'NOT_DIFFERENTIABLE',
      `${op.name}${scope ? ` (in ${scope})` : ''} has no gradient, but a value that needs one passes through it. ` +
        'detach() its input if no gradient is meant to flow.',
    );
  }
  const floor = newestId();
  const parts = withContext({ stopped: false, region: 0 }, () => op.decompose!(inputs, attributes, node));
  const first = inputs.map((input, i) => needed[i]! && inputs.indexOf(input) === i);
  const flows = sweep(
    parts,
    given,
    inputs.filter((_, i) => first[i]),
    floor,
  );
  return inputs.map((_, i) => (first[i] ? flows.shift() : undefined));
}

/**
 * The copy of a checkpointed node, computed from the inputs of its region, whose nodes up to it are copied with it. Gradient rules
 * read the copy, so that the original need not be kept. Draws have the same bits again, since their state is an input.
 */
function recompute(node: Node, copies: Map<Node, Node>): Node {
  const due = new Set<Node>();
  const pending = [node];
  while (pending.length) {
    const next = pending.pop()!;
    if (next.region !== node.region || next.inputs.length === 0 || copies.has(next) || due.has(next)) continue;
    due.add(next);
    for (const input of next.inputs) pending.push(input.node);
  }
  for (const original of [...due].sort((a, b) => a.id - b.id)) {
    const inputs = original.inputs.map((input) => copies.get(input.node)?.outputs[input.index] ?? input);
    const { scope, stopped, region } = original;
    const outputs = withContext({ scope, stopped, region: 0, recomputed: region }, () => apply(original.op, inputs, original.attributes));
    copies.set(original, outputs[0]!.node);
  }
  return copies.get(node)!;
}
