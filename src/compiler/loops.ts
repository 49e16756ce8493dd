import type { Loop } from '../graph/loop.js';
import { reachable } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import type { Op } from '../graph/op.js';
import { scanRecord } from '../ops/index.js';
import type { Graph, Operation } from './graph.js';
import { attributesKey } from './identity.js';

/** Puts a loop over `loop` in the place of `like`, reading `inputs`. */
function rebuild(graph: Graph, like: Operation, loop: Loop, inputs: Operation['inputs'], sources = like.sources): Operation {
  const op = scanRecord(loop) as unknown as Op;
  return graph.add(op, inputs, like.attributes, op.infer(inputs, like.attributes), like, sources);
}

/**
 * The gradient of a loop runs it again, to keep more of each iteration (ops/scan.ts). Such twins share their parameters, and read
 * the same: one loop that yields what any of them yields takes their place.
 */
function mergeTwins(graph: Graph): boolean {
  const families = new Map<unknown, Operation[]>();
  for (const operation of graph.operations) {
    const { loop } = operation.op;
    if (!loop || operation.outputs.every(({ users }) => users.size === 0)) continue;
    const family = families.get(loop.parameters);
    if (family) family.push(operation);
    else families.set(loop.parameters, [operation]);
  }
  let changed = false;
  for (const family of families.values()) {
    while (family.length > 1) {
      const first = family[0]!;
      const isTwin = (other: Operation): boolean =>
        other.recomputed === first.recomputed &&
        attributesKey(other.attributes) === attributesKey(first.attributes) &&
        other.inputs.every((input, i) => input === first.inputs[i]);
      const twins = family.filter(isTwin);
      family.splice(0, family.length, ...family.filter((other) => !isTwin(other)));
      if (twins.length < 2) continue;
      const loop = first.op.loop!;
      const { carries } = loop;
      const yields = [...new Set(twins.flatMap((twin) => twin.op.loop!.results.slice(carries)))];
      const merged = rebuild(graph, first, { ...loop, results: [...loop.results.slice(0, carries), ...yields] }, first.inputs);
      for (const twin of twins) {
        twin.outputs.forEach((output, i) => {
          const at = i < carries ? i : carries + yields.indexOf(twin.op.loop!.results[i]!);
          graph.replace(output, merged.outputs[at]!);
        });
      }
      changed = true;
    }
  }
  return changed;
}

/** Leaves out what nobody reads: yields, carries that serve nothing but themselves, inputs that only these needed. */
function prune(graph: Graph, operation: Operation): boolean {
  const { parameters, captures, carries, results } = operation.op.loop!;
  const kept = new Set<number>();
  operation.outputs.forEach(({ users }, i) => users.size && kept.add(i));
  let read = new Set<Value>();
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    read = new Set(reachable([...kept].map((i) => results[i]!)).map((node) => node.outputs[0]!));
    for (let i = 0; i < carries; i++) if (read.has(parameters[captures + i]!)) kept.add(i);
  }
  const isKept = (_: unknown, i: number): boolean => {
    const carry = i - captures;
    return carry >= 0 && carry < carries ? kept.has(carry) : read.has(parameters[i]!);
  };
  const left = parameters.filter(isKept);
  if (left.length === parameters.length && kept.size === results.length) return false;
  const order = results.map((_, i) => i).filter((i) => kept.has(i));
  const loop = {
    parameters: left,
    captures: parameters.slice(0, captures).filter(isKept).length,
    carries: order.filter((i) => i < carries).length,
    results: order.map((i) => results[i]!),
  };
  const smaller = rebuild(graph, operation, loop, operation.inputs.filter(isKept));
  order.forEach((i, at) => graph.replace(operation.outputs[i]!, smaller.outputs[at]!));
  return true;
}

/** Makes one loop of those that do the same, and each no larger than what is read of it. */
export function* simplifyLoops(graph: Graph, due: () => boolean): Generator<void, void> {
  let changed = mergeTwins(graph);
  if (changed) yield* graph.tidy(due);
  for (const operation of graph.operations.toReversed()) {
    if (operation.op.loop && operation.outputs.some(({ users }) => users.size)) changed = prune(graph, operation) || changed;
    if (due()) yield;
  }
  if (changed) yield* graph.tidy(due);
}
