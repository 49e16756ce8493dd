import { simplified } from './algebra.js';
import type { Graph, Operation } from './graph.js';
import { attributesKey, opNumber } from './identity.js';

/**
 * Dead code, aliases, algebra that is exact to the bit, and common subexpressions.
 *
 * Draws of random numbers are functions of their state and stream, so two equal ones are one; draws of different streams have
 * different attributes and stay apart. Copies made for recomputation are never merged with their originals.
 */
export function* simplify(graph: Graph, due: () => boolean): Generator<void, void> {
  const seen = new Map<string, Operation>();
  const numbers = new Map<Operation, number>();

  const visit = (operation: Operation): void => {
    const replacement = simplified(operation, graph);
    if (replacement) {
      graph.replace(operation.outputs[0]!, replacement);
      // A rule may have made an operation; it is visited like those of the trace.
      if (!numbers.has(replacement.producer)) visit(replacement.producer);
      return;
    }
    numbers.set(operation, numbers.size);
    if (operation.op.name === 'leaf') return;
    let key = `${opNumber(operation.op)}|${operation.recomputed}|`;
    for (const input of operation.inputs) key += `${numbers.get(input.producer)}.${input.index},`;
    key += attributesKey(operation.attributes);
    const twin = seen.get(key);
    if (twin) operation.outputs.forEach((output, i) => graph.replace(output, twin.outputs[i]!));
    else seen.set(key, operation);
  };

  for (const operation of graph.operations.slice()) {
    if (operation.outputs.some((output) => output.users.size)) visit(operation);
    if (due()) yield;
  }
  yield* graph.tidy(due);
}
