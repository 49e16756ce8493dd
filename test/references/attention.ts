import { operandsOf } from '../../src/ops/attentionScores.js';
import type { AttentionAttributes } from '../../src/ops/attentionScores.js';
import { build, elementAt, placeOf } from './array.js';
import type { NdArray64, References } from './array.js';
import { wordsOf } from './random.js';

type Names = 'attention' | 'attentionGrad' | 'rotary' | 'cacheUpdate';

/** What every pair of a query and a key has: its score, -Infinity where it may not be seen, and the factor of dropout. */
function pairs(inputs: readonly NdArray64[], attributes: AttentionAttributes, first = 0) {
  const { queries, keys, values, lengths, queryLengths, mask, slopes, state } = operandsOf(inputs, attributes, first);
  const { scale, causal, window, rate, stream } = attributes;
  const [, from, heads, size] = queries.shape as [number, number, number, number];
  const [, to, keyHeads, valueSize] = values.shape as [number, number, number, number];
  const keyHead = (h: number): number => Math.floor(h / (heads / keyHeads));
  const bounded = (list: NdArray64 | undefined, b: number, most: number): number =>
    list ? Math.max(0, Math.min(most, list.data[b]!)) : most;

  function score(b: number, h: number, i: number, j: number): number {
    const [last, lastQuery] = [bounded(lengths, b, to), bounded(queryLengths, b, from)];
    const distance = i + last - lastQuery - j;
    if (j >= last || i >= lastQuery || (causal && distance < 0) || (window > 0 && Math.abs(distance) >= window)) return -Infinity;
    const bias = mask
      ? elementAt(
          mask,
          mask.shape.map((n, axis) => (n === 1 ? 0 : [b, h, i, j][axis]!)),
        )
      : mask; // prettier-ignore
    if (mask?.dtype === 'bool' && !bias) return -Infinity;
    let sum = 0;
    for (let d = 0; d < size; d++) sum += elementAt(queries, [b, i, h, d]) * elementAt(keys, [b, j, keyHead(h), d]);
    return sum * scale + (mask?.dtype === 'float32' ? bias! : 0) - (slopes ? slopes.data[h]! * Math.abs(distance) : 0);
  }
  function kept(b: number, h: number, i: number, j: number): number {
    if (!state) return 1;
    const [seed, step, start] = [...state.data].map((x) => BigInt(x)) as [bigint, bigint, bigint];
    const element = start + BigInt(((b * heads + h) * from + i) * to + j);
    const uniform = Number(wordsOf({ seed, step }, stream, element)[Number(element & 3n)]! >> 8n) * 2 ** -24;
    return uniform >= Math.fround(rate) ? 1 / (1 - rate) : 0;
  }
  return { queries, keys, values, from, to, size, valueSize, keyHead, score, kept };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

export const attentionReferences: References<Names> = {
  attention(inputs, attributes, [yType, totalType]) {
    const { values, to, keyHead, score, kept } = pairs(inputs, attributes);
    const rows = new Map<string, { total: number; weights: number[] }>();
    const total = build(totalType!, (index) => {
      const [b, h, i] = index as [number, number, number];
      const scores = range(to).map((j) => score(b, h, i, j));
      const top = Math.max(...scores);
      const sum = top === -Infinity ? 1 : scores.reduce((all, x) => all + Math.exp(x - top), 0);
      const result = top === -Infinity ? 0 : top + Math.log(sum);
      rows.set(`${index}`, { total: result, weights: scores.map((x, j) => Math.exp(x - result) * kept(b, h, i, j)) });
      return result;
    });
    const y = build(yType!, (index) => {
      const [b, i, h, d] = index as [number, number, number, number];
      return rows.get(`${[b, h, i]}`)!.weights.reduce((sum, w, j) => sum + w * elementAt(values, [b, j, keyHead(h), d]), 0);
    });
    return [y, total];
  },
  attentionGrad(inputs, attributes, types) {
    const [dy, total, delta] = inputs as [NdArray64, NdArray64, NdArray64];
    const { queries, keys, values, from, to, size, valueSize, keyHead, score, kept } = pairs(inputs, attributes, 3);
    const [dq, dk, dv] = types.map((type) => build(type, () => 0)) as [NdArray64, NdArray64, NdArray64];
    const add = (x: NdArray64, index: readonly number[], amount: number): void => {
      x.data[placeOf(x.shape, index)]! += amount;
    };
    const [batch, , heads] = queries.shape as [number, number, number];
    for (const b of range(batch))
      for (const h of range(heads))
        for (const i of range(from))
          for (const j of range(to)) {
            const k = keyHead(h);
            const probability = Math.exp(score(b, h, i, j) - elementAt(total, [b, h, i]));
            const factor = kept(b, h, i, j);
            let slope = 0;
            for (const d of range(valueSize)) {
              slope += elementAt(dy, [b, i, h, d]) * elementAt(values, [b, j, k, d]);
              add(dv, [b, j, k, d], probability * factor * elementAt(dy, [b, i, h, d]));
            }
            const ofScore = probability * (slope * factor - elementAt(delta, [b, h, i])) * attributes.scale;
            for (const d of range(size)) {
              add(dq, [b, i, h, d], ofScore * elementAt(keys, [b, j, k, d]));
              add(dk, [b, j, k, d], ofScore * elementAt(queries, [b, i, h, d]));
            }
          }
    return [dq, dk, dv];
  },
  rotary: ([x, offset], { base, dimension, interleaved, inverse }, [type]) => [
    build(type!, (index, flat) => {
      const [b, t, h, d] = index as [number, number, number, number];
      if (d >= dimension) return x!.data[flat]!;
      const half = dimension / 2;
      const pair = interleaved ? Math.floor(d / 2) : d % half;
      const second = interleaved ? d % 2 === 1 : d >= half;
      const [first, other] = interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + half];
      const angle = (offset!.data[b]! + t) * base ** (-pair / half) * (inverse ? -1 : 1);
      const [u, v] = [elementAt(x!, [b, t, h, first]), elementAt(x!, [b, t, h, other])];
      return second ? v * Math.cos(angle) + u * Math.sin(angle) : u * Math.cos(angle) - v * Math.sin(angle);
    }),
  ],
  cacheUpdate: ([cache, rows, position], _, [type]) => [
    build(type!, ([b, row, ...rest], flat) => {
      const at = row! - position!.data[b!]!;
      if (position!.data[b!]! < 0 || position!.data[b!]! + rows!.shape[1]! > cache!.shape[1]!) throw new RangeError('no room');
      return at >= 0 && at < rows!.shape[1]! ? elementAt(rows!, [b!, at, ...rest]) : cache!.data[flat]!;
    }),
  ],
};
