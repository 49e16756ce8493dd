// Attention written out in other ops: every score, [batch, heads, queries, keys]. The fused kernels never hold so much.
import type { Value } from '../graph/node.js';
import type { Type } from '../graph/op.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { broadcast, reshape } from './broadcast.js';
import { cast } from './cast.js';
import { greater, less, lessEqual } from './comparison.js';
import { iota } from './leaf.js';
import { logicalAnd } from './logic.js';
import { matmul } from './matmul.js';
import { maximum, minimum } from './binary.js';
import { transpose } from './movement.js';
import { abs } from './unary.js';
import { where } from './where.js';

/** The operands that attention may take after queries, keys and values, in their order. */
export const optionalOperands = ['lengths', 'queryLengths', 'mask', 'slopes', 'state'] as const;
export type OptionalOperand = (typeof optionalOperands)[number];

export type AttentionAttributes = {
  readonly scale: number;
  readonly causal: boolean;
  /** Keys at most this far from the query, itself included; 0: any. */
  readonly window: number;
  /** Of dropout; the draws are those of `dropout` on [batch, heads, queries, keys]. */
  readonly rate: number;
  readonly stream: number;
  /** Which optional operands there are: their names, separated by spaces. */
  readonly operands: string;
};

export interface AttentionOperands<T> extends Partial<Record<OptionalOperand, T>> {
  readonly queries: T;
  readonly keys: T;
  readonly values: T;
}

/** Sorts the operands of an op from `first` on, where the queries are. */
export function operandsOf<T extends Type>(inputs: readonly T[], { operands }: AttentionAttributes, first = 0): AttentionOperands<T> {
  const [queries, keys, values, ...rest] = inputs.slice(first) as [T, T, T, ...T[]];
  const names = operands ? operands.split(' ') : [];
  return { queries, keys, values, ...Object.fromEntries(names.map((name, i) => [name, rest[i]])) };
}

/** [batch, length, heads, size] to [batch, heads, length, size], each key head repeated for the query heads that share it. */
export function byHead(x: Value, heads: number): Value {
  const y = transpose(x, [0, 2, 1, 3]);
  const [batch, own, length, size] = y.shape as [number, number, number, number];
  if (own === heads) return y;
  return reshape(broadcast(reshape(y, [batch, own, 1, length, size]), [batch, own, heads / own, length, size]), [
    batch,
    heads,
    length,
    size,
  ]);
}

/** Lengths as [batch, 1, 1, 1], brought into their range. */
const clamped = (lengths: Value, most: number): Value =>
  reshape(maximum(minimum(cast(lengths, 'int32'), most), 0), [lengths.shape[0]!, 1, 1, 1]);

/** How far each query lies after each key, [batch or 1, 1, queries, keys]: the last query meets the last key. */
export function distances({ queries, keys, lengths, queryLengths }: AttentionOperands<Value>): Value {
  const [from, to] = [queries.shape[1]!, keys.shape[1]!];
  const apart = sub(iota([1, 1, from, to], 2), iota([1, 1, from, to], 3));
  if (!lengths && !queryLengths) return add(apart, to - from);
  const last = lengths ? clamped(lengths, to) : to;
  const offset = queryLengths ? add(neg(clamped(queryLengths, from)), last) : add(last as Value, -from);
  return add(apart, offset);
}

/** Scaled and biased products of queries and keys, -infinity where a query may not see a key. */
export function attentionScores(operands: AttentionOperands<Value>, { scale, causal, window }: AttentionAttributes): Value {
  const { queries, keys, lengths, queryLengths, mask, slopes } = operands;
  const heads = queries.shape[2]!;
  let scores = mul(matmul(byHead(queries, heads), byHead(keys, heads), { transposeB: true }), scale);
  const shape = scores.shape;
  const [, , from, to] = shape as [number, number, number, number];
  const allowed: Value[] = [];
  if (mask?.dtype === 'bool') allowed.push(mask);
  else if (mask) scores = add(scores, mask);
  const apart = causal || window || slopes ? distances(operands) : undefined;
  if (slopes) scores = sub(scores, mul(reshape(slopes, [1, heads, 1, 1]), cast(abs(apart!), 'float32')));
  if (causal) allowed.push(lessEqual(neg(apart!), 0));
  if (window) allowed.push(less(abs(apart!), window));
  if (lengths) allowed.push(less(iota([1, 1, 1, to], 3), clamped(lengths, to)));
  if (queryLengths) allowed.push(less(iota([1, 1, from, 1], 2), clamped(queryLengths, from)));
  if (!allowed.length) return scores;
  return where(
    broadcast(
      allowed.reduce((a, b) => logicalAnd(a, b)),
      shape,
    ),
    scores,
    -Infinity,
  );
}

/** Whether a row has any key, from its largest score. */
export const anyKey = (largest: Value): Value => greater(largest, -Infinity);
