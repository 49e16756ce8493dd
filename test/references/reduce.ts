import { build, forEachIndex, placeOf, wrap } from './array.js';
import type { NdArray64, Reference, References } from './array.js';

type ReduceAttributes = { readonly axes: readonly number[]; readonly keepDims: boolean };

/** Folds the elements over the axes, in row-major order. */
const fold =
  (neutral: number, combine: (total: number, element: number) => number): Reference<ReduceAttributes> =>
  ([x], { axes }, [type]) => {
    const kept = x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const result = build({ shape: kept, dtype: x!.dtype }, () => neutral);
    forEachIndex(x!.shape, (index, flat) => {
      const place = placeOf(
        kept,
        index.map((at, axis) => (axes.includes(axis) ? 0 : at)),
      );
      const total = combine(result.data[place]!, x!.data[flat]!);
      result.data[place] = x!.dtype === 'int32' ? wrap(total, 'int32') : total;
    });
    return [{ ...result, shape: type!.shape }];
  };

/** Index of the first element along an axis that none beats; NaN beats all. */
const arg =
  (beats: (a: number, b: number) => boolean): Reference<{ readonly axis: number; readonly keepDims: boolean }> =>
  ([x], { axis }, [type]) => {
    const kept = x!.shape.map((size, i) => (i === axis ? 1 : size));
    const best: NdArray64 = build({ shape: kept, dtype: x!.dtype }, () => 0);
    const winner = build({ shape: kept, dtype: 'int32' }, () => 0);
    forEachIndex(x!.shape, (index, flat) => {
      const place = placeOf(
        kept,
        index.map((at, i) => (i === axis ? 0 : at)),
      );
      const element = x!.data[flat]!;
      const held = best.data[place]!;
      if (index[axis] !== 0 && (Number.isNaN(held) || !(Number.isNaN(element) || beats(element, held)))) return;
      best.data[place] = element;
      winner.data[place] = index[axis]!;
    });
    return [{ ...winner, shape: type!.shape }];
  };

export const reduceReferences: References<'sum' | 'sumSquares' | 'prod' | 'max' | 'min' | 'any' | 'all' | 'argmax' | 'argmin'> = {
  sum: fold(0, (a, b) => a + b),
  sumSquares: fold(0, (a, b) => a + b * b),
  prod: fold(1, (a, b) => a * b),
  max: fold(-Infinity, Math.max),
  min: fold(Infinity, Math.min),
  any: fold(0, (a, b) => a | b),
  all: fold(1, (a, b) => a & b),
  argmax: arg((a, b) => a > b),
  argmin: arg((a, b) => a < b),
};
