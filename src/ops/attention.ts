import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import type { AttentionAttributes, AttentionOperands } from './attentionScores.js';
import { anyKey, attentionScores, byHead, distances, operandsOf, optionalOperands } from './attentionScores.js';
import { reshape, sum } from './broadcast.js';
import { cast } from './cast.js';
import { defineRecord } from './define.js';
import { detach, zerosLike } from './leaf.js';
import { matmul } from './matmul.js';
import { transpose } from './movement.js';
import { dropout, requireState } from './random.js';
import { max } from './reduce.js';
import { fail, float, indexTypes, requireDtype, requireRank, showShape } from './support.js';
import { abs, exp, log } from './unary.js';
import { where } from './where.js';

const layout = '[batch, length, heads, size]';

/** Checks what both ops take, and gives the sizes. */
function requireAttention(op: string, operands: AttentionOperands<Type>, { scale, window, rate }: AttentionAttributes) {
  const { queries, keys, values, lengths, queryLengths, mask, slopes, state } = operands;
  for (const [role, operand] of [
    ['queries', queries],
    ['keys', keys],
    ['values', values],
  ] as const) {
    // prettier-ignore
    requireDtype(op, operand, float, role);
    requireRank(op, operand, 4, role, layout);
  }
  const [batch, from, heads, size] = queries.shape as [number, number, number, number];
  const [, to, keyHeads] = keys.shape as [number, number, number];
  const mismatch = (why: string): never =>
    fail(
      'SHAPE_MISMATCH',
      op,
      `queries ${showShape(queries.shape)}, keys ${showShape(keys.shape)} and values ${showShape(values.shape)}, each ${layout}, ${why}`,
    );
  if (keys.shape[0] !== batch || values.shape[0] !== batch) mismatch('differ in their batch');
  if (keys.shape[3] !== size) mismatch('must have queries and keys of one size');
  if (!sameShape(keys.shape.slice(0, 3), values.shape.slice(0, 3))) mismatch('must have a value for each key');
  if (keyHeads === 0 ? heads !== 0 : heads % keyHeads !== 0) mismatch(`do not share heads: ${keyHeads} key heads do not divide ${heads}`);
  for (const [role, list] of [
    ['lengths', lengths],
    ['queryLengths', queryLengths],
  ] as const) {
    // prettier-ignore
    if (!list) continue;
    requireDtype(op, list, indexTypes, role);
    if (!sameShape(list.shape, [batch]))
      fail('SHAPE_MISMATCH', op, `${role} has shape ${showShape(list.shape)}, but must be one number a sample: [${batch}]`);
  }
  if (mask) {
    requireDtype(op, mask, ['bool', 'float32'], 'the mask');
    const scores = [batch, heads, from, to];
    if (mask.shape.length !== 4 || mask.shape.some((n, i) => n !== 1 && n !== scores[i]))
      fail(
        'SHAPE_MISMATCH',
        op,
        `the mask ${showShape(mask.shape)} does not broadcast to [batch, heads, queries, keys] = ${showShape(scores)}`,
      );
  }
  if (slopes) {
    requireDtype(op, slopes, float, 'slopes');
    if (!sameShape(slopes.shape, [heads]))
      fail('SHAPE_MISMATCH', op, `slopes has shape ${showShape(slopes.shape)}, but must be one a head: [${heads}]`);
  }
  if (state) requireState(op, state);
  if (!Number.isFinite(scale)) throw new RangeError(`${op}: scale ${scale} must be finite`);
  if (!Number.isInteger(window) || window < 0) throw new RangeError(`${op}: window ${window} must be an integer >= 0`);
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`${op}: the dropout rate ${rate} must be in [0, 1)`);
  return { batch, from, to, heads, valueSize: values.shape[3]! };
}

/** The products of one direction; a causal mask leaves about half of them. */
const products = ({ queries, keys, values }: AttentionOperands<Type>, { causal }: AttentionAttributes): number =>
  (causal ? 1 : 2) * sizeOf(queries.shape.slice(0, 3)) * keys.shape[1]! * (queries.shape[3]! + values.shape[3]!);

const dropped = (x: Value, { state }: AttentionOperands<Value>, { rate, stream }: AttentionAttributes): Value =>
  state ? dropout(x, state, rate, stream) : x;

/** [batch, heads, length] as a column beside the keys. */
const column = (x: Value): Value => reshape(x, [...x.shape, 1]);
const toLast = (x: Value): Value => transpose(x, [0, 2, 1, 3]);

/**
 * The sum of the products of two values' last axes. As a product of matrices it holds nothing of their size; one number for all
 * elements (the gradient of a sum) is no matrix, but what it multiplies is mostly there already.
 */
function rowProducts(a: Value, b: Value): Value {
  const { name } = a.node.op;
  if (name === 'broadcast' || name === 'constant') return sum(mul(a, b), -1);
  const outer = a.shape.slice(0, -1);
  const row = (x: Value): Value => reshape(x, [...outer, 1, x.shape.at(-1)!]);
  return reshape(matmul(row(a), row(b), { transposeB: true }), outer);
}

/** Gradients of the scores before bias and mask, and what leads to them: all [batch, heads, queries, keys]. */
function scoreGradients(inputs: readonly Value[], attributes: AttentionAttributes) {
  const [dy, total, delta] = inputs as [Value, Value, Value];
  const operands = operandsOf(inputs, attributes, 3);
  const heads = operands.queries.shape[2]!;
  const probabilities = exp(sub(attentionScores(operands, attributes), column(total)));
  const slope = byHead(dy, heads);
  const ofProbabilities = dropped(matmul(slope, byHead(operands.values, heads), { transposeB: true }), operands, attributes);
  return { operands, slope, probabilities, ofScores: mul(probabilities, sub(ofProbabilities, column(delta))) };
}

/** Sums over the query heads that share a key head: [batch, heads, keys, size] to [batch, keys, key heads, size]. */
function sharedHeads(x: Value, heads: number): Value {
  const [batch, all, length, size] = x.shape as [number, number, number, number];
  return toLast(all === heads ? x : sum(reshape(x, [batch, heads, all / heads, length, size]), 2));
}

/** Undoes the broadcast of a mask. */
const sumTo = (x: Value, shape: readonly number[]): Value =>
  sum(
    x,
    shape.flatMap((size, axis) => (size === 1 && x.shape[axis] !== 1 ? [axis] : [])),
    true,
  );

export const attentionRecords = {
  attention: defineRecord<AttentionAttributes>({
    name: 'attention',
    cost: 'contraction',
    infer(inputs, attributes) {
      const { batch, from, heads, valueSize } = requireAttention('attention', operandsOf(inputs, attributes), attributes);
      return [
        { shape: [batch, from, heads, valueSize], dtype: 'float32' },
        { shape: [batch, heads, from], dtype: 'float32' },
      ];
    },
    gradient({ inputs, outputs: [y, total], cotangents: [dy, dtotal], attributes }) {
      const slope = dy ?? zerosLike(y);
      const along = transpose(rowProducts(slope, y), [0, 2, 1]);
      // d total / d scores are the probabilities, as d y / d scores has them times -delta.
      const given = [slope, total, dtotal ? sub(along, dtotal) : along, ...inputs];
      const [dq, dk, dv] = attentionGrad(given, attributes);
      // Quadratic in the length, as what they are gradients of: a learned bias of every pair, or a slope that is learned.
      const optional = optionalOperands.filter((name) => attributes.operands.split(' ').includes(name));
      return [
        dq,
        dk,
        dv,
        ...optional.map((name) => () => {
          if (name !== 'mask' && name !== 'slopes') return undefined;
          const { operands, ofScores } = scoreGradients(given, attributes);
          if (name === 'mask') return sumTo(ofScores, operands.mask!.shape);
          return neg(sum(mul(ofScores, cast(abs(distances(operands)), 'float32')), [0, 2, 3]));
        }),
      ];
    },
    decompose(inputs, attributes) {
      const operands = operandsOf(inputs, attributes);
      const { queries, keys, values } = operands;
      const [batch, from, heads] = queries.shape as [number, number, number];
      const type: Type = { shape: [batch, heads, from], dtype: 'float32' };
      if (keys.shape[1] === 0) return [zerosLike({ ...type, shape: [batch, from, heads, values.shape[3]!] }), zerosLike(type)];
      const scores = attentionScores(operands, attributes);
      const largest = detach(max(scores, -1, true));
      const some = anyKey(largest);
      const shift = where(some, largest, 0);
      const powers = exp(sub(scores, shift));
      const total = where(some, sum(powers, -1, true), 1);
      const y = matmul(dropped(div(powers, total), operands, attributes), byHead(values, heads));
      return [toLast(y), reshape(add(shift, log(total)), type.shape)];
    },
    flops: (inputs, _, attributes) => products(operandsOf(inputs, attributes), attributes),
  }),
  attentionGrad: defineRecord<AttentionAttributes>({
    name: 'attentionGrad',
    cost: 'contraction',
    infer(inputs, attributes) {
      const operands = operandsOf(inputs, attributes, 3);
      const { batch, from, heads, valueSize } = requireAttention('attentionGrad', operands, attributes);
      const expected = [
        [batch, from, heads, valueSize],
        [batch, heads, from],
        [batch, heads, from],
      ];
      expected.forEach((shape, i) => {
        requireDtype('attentionGrad', inputs[i]!, float, ['dy', 'logSumExp', 'delta'][i]);
        if (!sameShape(inputs[i]!.shape, shape))
          fail(
            'SHAPE_MISMATCH',
            'attentionGrad',
            `operand ${i} has shape ${showShape(inputs[i]!.shape)}, but must have ${showShape(shape)}`,
          );
      });
      return [operands.queries, operands.keys, operands.values].map(({ shape, dtype }) => ({ shape, dtype }));
    },
    decompose(inputs, attributes) {
      const { operands, slope, probabilities, ofScores } = scoreGradients(inputs, attributes);
      const [heads, keyHeads] = [operands.queries.shape[2]!, operands.keys.shape[2]!];
      const scaled = mul(ofScores, attributes.scale);
      return [
        toLast(matmul(scaled, byHead(operands.keys, heads))),
        sharedHeads(matmul(scaled, byHead(operands.queries, heads), { transposeA: true }), keyHeads),
        sharedHeads(matmul(dropped(probabilities, operands, attributes), slope, { transposeA: true }), keyHeads),
      ];
    },
    flops: (inputs, _, attributes) => 2.5 * products(operandsOf(inputs, attributes, 3), attributes),
  }),
};

const attentionGrad = (inputs: readonly Value[], attributes: AttentionAttributes): readonly Value[] =>
  apply(attentionRecords.attentionGrad, inputs, attributes);

/** What attention may be told beside queries, keys and values. */
export interface AttentionSettings {
  /** Factor of the scores. Default 1 / sqrt(size). */
  readonly scale?: number;
  /** A query sees no key behind its own place; the last query stands at the last key. */
  readonly causal?: boolean;
  /** Sliding window: a query sees only keys less than this far from its place. */
  readonly window?: number;
  /** int32 [batch]: the keys from there on are not seen. Clamped to the number of keys. */
  readonly lengths?: Value;
  /** int32 [batch]: the queries from there on give zeros. */
  readonly queryLengths?: Value;
  /** bool (true: may be seen) or float32 (added to the scores), broadcast to [batch, heads, queries, keys]. */
  readonly mask?: Value;
  /** float32 [heads]: each score is lowered by slope * distance (ALiBi). */
  readonly slopes?: Value;
  /** Dropout of the probabilities. */
  readonly dropout?: { readonly rate: number; readonly state: Value; readonly stream: number };
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017): softmax(scale * queries keys^T + bias) values, in memory that is linear
 * in the lengths (Dao et al. 2022). Queries [batch, from, heads, size], keys [batch, to, keyHeads, size], values
 * [batch, to, keyHeads, valueSize] -> [batch, from, heads, valueSize], all float32; keyHeads divides heads (Ainslie et al. 2023).
 * A query that may see no key gives zeros.
 */
export function attention(queries: Value, keys: Value, values: Value, settings: AttentionSettings = {}): Value {
  const { scale = 1 / Math.sqrt(queries.shape[3] || 1), causal = false, window = 0, lengths, slopes } = settings;
  const { rate = 0, stream = 0, state } = settings.dropout ?? {};
  // Padded sequences that look at themselves: queries stand where their keys do.
  const own = causal && queries.shape[1] === keys.shape[1] ? lengths : undefined;
  const { mask, queryLengths = own } = settings;
  const given: AttentionOperands<Value> = {
    queries,
    keys,
    values,
    lengths,
    queryLengths,
    mask: mask && (mask.shape.length < 4 ? reshape(mask, [...Array<number>(4 - mask.shape.length).fill(1), ...mask.shape]) : mask),
    slopes,
    state: rate > 0 ? state : undefined,
  };
  const names = optionalOperands.filter((name) => given[name]);
  const attributes = { scale, causal, window, rate: rate && state ? rate : 0, stream, operands: names.join(' ') };
  return apply(attentionRecords.attention, [queries, keys, values, ...names.map((name) => given[name]!)], attributes)[0]!;
}

/** The slopes of ALiBi (Press et al. 2022), one a head: 2^(-8 (i + 1) / n) for a power of two n; else those of the power of two below, then every other one of twice that. */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const series = (n: number): number[] => Array.from({ length: n }, (_, i) => 2 ** ((-8 * (i + 1)) / n));
  return [...series(power), ...series(2 * power).filter((_, i) => i % 2 === 0)].slice(0, heads);
}
