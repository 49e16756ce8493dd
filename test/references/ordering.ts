import { arrayOf, build, elementAt, forEachIndex, indexWith, placeOf, wrap } from './array.js';
import type { NdArray64, References } from './array.js';

type Ordering =
  | 'cumulativeSum'
  | 'cumulativeProduct'
  | 'cumulativeMax'
  | 'cumulativeMin'
  | 'linearRecurrence'
  | 'logCumulativeSumExp'
  | 'sort'
  | 'topK'
  | 'searchSorted'
  | 'scatterReduce';

/** The indices of each line along an axis, from its first element to the last, or back. */
function lines(shape: readonly number[], axis: number, reverse: boolean): number[][][] {
  const found: number[][][] = [];
  forEachIndex(shape.with(axis, Math.min(1, shape[axis]!)), (index) => {
    const line = Array.from({ length: shape[axis]! }, (_, i) => indexWith(index, axis, i));
    found.push(reverse ? line.reverse() : line);
  });
  return found;
}

/** Folds each line; `exclusive` writes what there was before the element. */
function running(
  x: NdArray64,
  { axis, reverse, exclusive = false }: { axis: number; reverse: boolean; exclusive?: boolean },
  start: number,
  fold: (state: number, index: readonly number[]) => number,
): NdArray64 {
  const y = build(x, () => 0);
  for (const line of lines(x.shape, axis, reverse)) {
    let state = start;
    for (const index of line) {
      const next = fold(state, index);
      y.data[placeOf(x.shape, index)] = exclusive ? state : x.dtype === 'int32' ? wrap(next, 'int32') : next;
      state = x.dtype === 'int32' ? wrap(next, 'int32') : next;
    }
  }
  return y;
}

/** The running extreme and its index: a later equal wins, and so does a NaN. */
function extreme(x: NdArray64, axis: number, reverse: boolean, wins: (a: number, held: number) => boolean): NdArray64[] {
  const [y, places] = [build(x, () => 0), build({ shape: x.shape, dtype: 'int32' }, () => 0)];
  for (const line of lines(x.shape, axis, reverse)) {
    let best = line[0]!;
    for (const index of line) {
      const [a, held] = [elementAt(x, index), elementAt(x, best)];
      if (Number.isNaN(a) || (!Number.isNaN(held) && wins(a, held))) best = index;
      const at = placeOf(x.shape, index);
      y.data[at] = elementAt(x, best);
      places.data[at] = best[axis]!;
    }
  }
  return [y, places];
}

/** NaN is greater than every number. */
const compare = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : Number(a > b) - Number(a < b);

/** The first `count` elements of each row in order, and where they stood. */
function ranked(x: NdArray64, count: number, descending: boolean): NdArray64[] {
  const n = x.shape.at(-1)!;
  const shape = [...x.shape.slice(0, -1), count];
  const rows = n ? x.data.length / n : 0;
  const places = Array.from({ length: rows }, (_, r) => {
    const row = x.data.subarray(r * n, (r + 1) * n);
    return [...row.keys()].sort((i, j) => (descending ? -1 : 1) * compare(row[i]!, row[j]!) || i - j).slice(0, count);
  });
  return [
    arrayOf(
      { shape, dtype: x.dtype },
      places.flatMap((row, r) => row.map((i) => x.data[r * n + i]!)),
    ),
    arrayOf({ shape, dtype: 'int32' }, places.flat()),
  ];
}

export const orderingReferences: References<Ordering> = {
  cumulativeSum: ([x], attributes) => [running(x!, attributes, 0, (total, index) => total + elementAt(x!, index))],
  cumulativeProduct: ([x], attributes) => [running(x!, attributes, 1, (total, index) => total * elementAt(x!, index))],
  cumulativeMax: ([x], { axis, reverse }) => extreme(x!, axis, reverse, (a, held) => a >= held),
  cumulativeMin: ([x], { axis, reverse }) => extreme(x!, axis, reverse, (a, held) => a <= held),
  linearRecurrence: ([a, b], attributes) => [running(a!, attributes, 0, (y, index) => elementAt(a!, index) * y + elementAt(b!, index))],
  logCumulativeSumExp: ([x], attributes) => [
    running(x!, attributes, -Infinity, (total, index) => {
      const element = elementAt(x!, index);
      const top = Math.max(total, element);
      return Number.isFinite(top) ? top + Math.log(Math.exp(total - top) + Math.exp(element - top)) : top;
    }),
  ],
  sort: ([x], { descending }) => ranked(x!, x!.shape.at(-1)!, descending),
  topK: ([x], { k, largest }) => ranked(x!, k, largest),
  searchSorted: ([sorted, values], { right }, [type]) => {
    const n = sorted!.shape.at(-1)!;
    const m = values!.shape.at(-1)!;
    return [
      build(type!, (_, flat) => {
        const row = Math.floor(flat / m);
        const stands = [...sorted!.data.subarray(row * n, (row + 1) * n)].map((x) => compare(x, values!.data[flat]!));
        return stands.filter((order) => order < 0 || (right && order === 0)).length;
      }),
    ];
  },
  scatterReduce: ([x, indices, updates], { axis, rule }) => {
    const y = arrayOf(x!, x!.data);
    forEachIndex(indices!.shape, (index, flat) => {
      const at = indices!.data[flat]!;
      const size = x!.shape[axis]!;
      if (at < -size || at >= size) throw new RangeError(`index ${at} is outside an axis of size ${size}`);
      const to = placeOf(x!.shape, indexWith(index, axis, at < 0 ? at + size : at));
      const [old, update] = [y.data[to]!, updates!.data[flat]!];
      y.data[to] = rule === 'set' ? update : rule === 'maximum' ? Math.max(old, update) : Math.min(old, update);
    });
    return [y];
  },
};
