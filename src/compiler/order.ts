import { PolluxError } from '../errors.js';
import type { CommitPhase } from './commit.js';
import type { Step } from './step.js';
import { topologicalOrder } from './topological.js';

/**
 * The order in which the steps run: as traced, with the commit phase last, and with every reader of a state before the step that
 * overwrites it.
 */
export function* orderSteps(steps: readonly Step[], { last, overwrites }: CommitPhase, due: () => boolean): Generator<void, Step[]> {
  const numbers = new Map(steps.map((step, i) => [step, i]));
  const successors: number[][] = [];
  for (const step of steps) {
    const list: number[] = [];
    for (const consumer of step.consumers()) list.push(numbers.get(consumer)!);
    for (const { buffer } of step.inputs) {
      const writer = overwrites.get(buffer);
      if (writer && writer !== step) list.push(numbers.get(writer)!);
    }
    successors.push(list);
    if (due()) yield;
  }
  const priority = steps.map((step, i) => (last.has(step) ? steps.length + i : i));
  // Whatever reads what a commit wrote has no meaning where the commit did nothing, and belongs to the phase.
  for (const step of last) step.commit = true;
  const order = yield* topologicalOrder(priority, successors, due);
  if (order.length < steps.length) throw new PolluxError('INTERNAL', 'compile: the commit phase waits for itself');
  return order.map((i) => steps[i]!);
}
