import { sameShape } from '../graph/op.js';
import type { Graph, Operation } from './graph.js';
import { isOp } from './record.js';

const list = (operation: Operation, name: string): readonly number[] => operation.attributes[name] as readonly number[];

/** Each input element lies in at most one window: stride = window, no padding. */
export const isDisjoint = (pool: Operation): boolean =>
  sameShape(list(pool, 'window'), list(pool, 'stride')) && list(pool, 'padding').every((size) => size === 0);

/**
 * sum(maxPool2dGrad(d, index), all axes but channels) = sum(d, the same axes) where windows are disjoint: the gradient only
 * moves each element of d, and zeros add nothing. It makes the bias gradient read a quarter of the data, or less.
 */
function sumOfUnpooled(sum: Operation, graph: Graph): boolean {
  const unpool = sum.inputs[0]!.producer;
  const axes = list(sum, 'axes');
  if (!isOp(unpool, 'maxPool2dGrad') || !isDisjoint(unpool) || ![0, 1, 2].every((axis) => axes.includes(axis))) return false;
  const smaller = graph.add(sum.op, [unpool.inputs[0]!], sum.attributes, sum.outputs, sum, [...sum.sources, ...unpool.sources]);
  graph.replace(sum.outputs[0]!, smaller.outputs[0]!);
  return true;
}

/** Rewrites that keep the gradient of max pooling at the pooled size. */
export function* rewritePooling(graph: Graph, due: () => boolean): Generator<void, void> {
  let changed = false;
  for (const operation of graph.operations.slice()) {
    if (isOp(operation, 'sum')) changed = sumOfUnpooled(operation, graph) || changed;
    if (due()) yield;
  }
  if (changed) yield* graph.tidy(due);
}
