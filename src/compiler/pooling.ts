import { sameShape } from '../graph/op.js';
import { constantOf, constant } from './algebra.js';
import type { Graph, Operand, Operation } from './graph.js';
import { isOp, recordOf } from './record.js';

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

/** `where(greater(y, 0), d, 0)`: the gradient of relu by its output. */
function reluMask(where: Operation): { y: Operand; d: Operand } | undefined {
  const [condition, d, zero] = where.inputs as [Operand, Operand, Operand];
  const greater = condition.producer;
  if (!isOp(greater, 'greater') || constantOf(greater.inputs[1]!) !== 0 || constantOf(zero) !== 0) return undefined;
  return { y: greater.inputs[0]!, d };
}

/**
 * A relu before a max pooling with disjoint windows has its gradient masked after the gradient of the pooling:
 *   where(r > 0, maxPool2dGrad(d, index), 0) = maxPool2dGrad(where(y > 0, d, 0), index),  (y, index) = maxPool2d(r)
 * since r at `index` is y. Then nothing but the pooling reads r, which need not be kept, or even written.
 */
function maskOfUnpooled(where: Operation, graph: Graph): boolean {
  const mask = reluMask(where);
  const unpool = mask?.d.producer;
  if (!mask || !unpool || !isOp(unpool, 'maxPool2dGrad') || !isDisjoint(unpool)) return false;
  const [d, index] = unpool.inputs as [Operand, Operand];
  const pool = index.producer;
  if (!isOp(pool, 'maxPool2d') || pool.inputs[0] !== mask.y || index.index !== 1) return false;
  const small = { shape: d.shape, dtype: d.dtype };
  const zero = constant(graph, 0, small, where);
  const greater = graph.add(recordOf('greater'), [pool.outputs[0]!, zero], {}, [{ shape: d.shape, dtype: 'bool' }], where);
  const masked = graph.add(recordOf('where'), [greater.outputs[0]!, d, zero], {}, [small], where);
  const spread = graph.add(unpool.op, [masked.outputs[0]!, index], unpool.attributes, unpool.outputs, where, unpool.sources);
  graph.replace(where.outputs[0]!, spread.outputs[0]!);
  return true;
}

/**
 * `x > 0` where `relu(x)` is there too: `relu(x) > 0` says the same, and lets x go as soon as relu has read it.
 */
function maskByOutput(greater: Operation, graph: Graph): boolean {
  const [x, zero] = greater.inputs as [Operand, Operand];
  if (constantOf(zero) !== 0 || isOp(x.producer, 'relu')) return false;
  const relu = [...x.users].find((user) => isOp(user, 'relu') && user.position < greater.position);
  if (!relu) return false;
  const better = graph.add(greater.op, [relu.outputs[0]!, zero], {}, greater.outputs, greater);
  graph.replace(greater.outputs[0]!, better.outputs[0]!);
  return true;
}

/** Rewrites around relu and max pooling that keep the gradient at the pooled size. */
export function* rewritePooling(graph: Graph, due: () => boolean): Generator<void, void> {
  const passes = [
    { name: 'greater', rewrite: maskByOutput },
    { name: 'where', rewrite: maskOfUnpooled },
    { name: 'sum', rewrite: sumOfUnpooled },
  ] as const;
  for (const { name, rewrite } of passes) {
    let changed = false;
    for (const operation of graph.operations.slice()) {
      if (isOp(operation, name)) changed = rewrite(operation, graph) || changed;
      if (due()) yield;
    }
    if (changed) graph.tidy();
  }
}
