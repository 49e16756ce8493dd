import { sizeOf } from '../../src/graph/op.js';
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

type Norms = 'layerNorm' | 'layerNormGrad' | 'rmsNorm' | 'rmsNormGrad' | 'embedding';

const sum = (list: readonly number[]): number => list.reduce((total, x) => total + x, 0);
const mean = (list: readonly number[]): number => sum(list) / list.length;

/** The rows of x along its last axis. */
const rowsOf = (x: NdArray64): number[][] => {
  const size = x.shape.at(-1)!;
  return Array.from({ length: sizeOf(x.shape.slice(0, -1)) }, (_, row) => [...x.data.subarray(row * size, (row + 1) * size)]);
};

/** The gradients of a row norm, from its normalised rows and the derivative of each row's norm. */
function normGradient(
  dy: NdArray64,
  normal: readonly number[][],
  scale: NdArray64 | undefined,
  toRow: (slope: number[], row: number) => number[],
) {
  const slopes = rowsOf(dy);
  const scaled = slopes.map((row) => row.map((slope, i) => slope * (scale?.data[i] ?? 1)));
  const size = dy.shape.at(-1)!;
  const dx = scaled.flatMap(toRow);
  const over = (fn: (row: number, i: number) => number) =>
    build({ shape: [size], dtype: dy.dtype }, (_, i) => sum(slopes.map((__, row) => fn(row, i))));
  return {
    dx: build(dy, (_, i) => dx[i]!),
    dscale: over((row, i) => slopes[row]![i]! * normal[row]![i]!),
    dshift: over((row, i) => slopes[row]![i]!),
  };
}

export const normReferences: References<Norms> = {
  layerNorm: ([x, scale, shift], { epsilon }, [type, row]) => {
    const rows = rowsOf(x!);
    const centre = rows.map(mean);
    const rstd = rows.map((list, r) => 1 / Math.sqrt(mean(list.map((element) => (element - centre[r]!) ** 2)) + epsilon));
    const size = x!.shape.at(-1)!;
    const y = build(type!, (_, i) => {
      const [r, c] = [Math.floor(i / size), i % size];
      return (x!.data[i]! - centre[r]!) * rstd[r]! * (scale?.data[c] ?? 1) + (shift?.data[c] ?? 0);
    });
    return [y, build(row!, (_, r) => centre[r]!), build(row!, (_, r) => rstd[r]!)];
  },
  layerNormGrad: ([dy, x, centre, rstd, scale]) => {
    const normal = rowsOf(x!).map((list, r) => list.map((element) => (element - centre!.data[r]!) * rstd!.data[r]!));
    const { dx, dscale, dshift } = normGradient(dy!, normal, scale, (slope, r) => {
      const inner = mean(slope.map((g, i) => g * normal[r]![i]!));
      const level = mean(slope);
      return slope.map((g, i) => rstd!.data[r]! * (g - level - normal[r]![i]! * inner));
    });
    return scale ? [dx, dscale, dshift] : [dx];
  },
  rmsNorm: ([x, scale], { epsilon }, [type, row]) => {
    const rstd = rowsOf(x!).map((list) => 1 / Math.sqrt(mean(list.map((element) => element ** 2)) + epsilon));
    const size = x!.shape.at(-1)!;
    const y = build(type!, (_, i) => x!.data[i]! * rstd[Math.floor(i / size)]! * (scale?.data[i % size] ?? 1));
    return [y, build(row!, (_, r) => rstd[r]!)];
  },
  rmsNormGrad: ([dy, x, rstd, scale]) => {
    const normal = rowsOf(x!).map((list, r) => list.map((element) => element * rstd!.data[r]!));
    const { dx, dscale } = normGradient(dy!, normal, scale, (slope, r) => {
      const inner = mean(slope.map((g, i) => g * normal[r]![i]!));
      return slope.map((g, i) => rstd!.data[r]! * (g - normal[r]![i]! * inner));
    });
    return scale ? [dx, dscale] : [dx];
  },
  embedding: ([weight, ids], _, [type]) => {
    const [count, size] = weight!.shape as [number, number];
    return [
      build(type!, (__, i) => {
        const id = ids!.data[Math.floor(i / size)]!;
        if (id < 0 || id >= count) throw new RangeError(`id ${id} is outside a vocabulary of ${count}`);
        return weight!.data[id * size + (i % size)]!;
      }),
    ];
  },
};
