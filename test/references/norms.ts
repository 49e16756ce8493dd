import { sizeOf } from '../../src/graph/op.js';
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

type Norms = 'layerNorm' | 'layerNormGrad' | 'rmsNorm' | 'rmsNormGrad' | 'groupNorm' | 'groupNormGrad' | 'embedding';

const sum = (list: readonly number[]): number => list.reduce((total, x) => total + x, 0);
const mean = (list: readonly number[]): number => sum(list) / list.length;

/** The rows of x along its last axis. */
const rowsOf = (x: NdArray64): number[][] => {
  const size = x.shape.at(-1)!;
  return Array.from({ length: sizeOf(x.shape.slice(0, -1)) }, (_, row) => [...x.data.subarray(row * size, (row + 1) * size)]);
};

/** The places of the elements of each group of x [samples, rows, channels]. */
function placesOf(x: NdArray64, groups: number): number[][] {
  const [samples, rows, channels] = x.shape as [number, number, number];
  const places: number[][] = Array.from({ length: samples * groups }, () => []);
  for (let i = 0; i < samples * rows * channels; i++) {
    const sample = Math.floor(i / (rows * channels));
    places[sample * groups + Math.floor(((i % channels) * groups) / channels)]!.push(i);
  }
  return places;
}

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
  groupNorm: ([x, scale, shift], { groups, epsilon }, [type, group]) => {
    const at = placesOf(x!, groups);
    const centre = at.map((list) => mean(list.map((i) => x!.data[i]!)));
    const rstd = at.map((list, g) => 1 / Math.sqrt(mean(list.map((i) => (x!.data[i]! - centre[g]!) ** 2)) + epsilon));
    const y = build(type!, () => 0);
    const channels = x!.shape[2]!;
    at.forEach((list, g) => {
      for (const i of list)
        y.data[i] = (x!.data[i]! - centre[g]!) * rstd[g]! * (scale?.data[i % channels] ?? 1) + (shift?.data[i % channels] ?? 0);
    });
    return [y, build(group!, (_, g) => centre[g]!), build(group!, (_, g) => rstd[g]!)];
  },
  groupNormGrad: ([dy, x, centre, rstd, scale], { groups }) => {
    const channels = x!.shape[2]!;
    const [dx, normal] = [build(x!, () => 0), build(x!, () => 0)];
    const slope = build(x!, (_, i) => dy!.data[i]! * (scale?.data[i % channels] ?? 1));
    placesOf(x!, groups).forEach((list, g) => {
      for (const i of list) normal.data[i] = (x!.data[i]! - centre!.data[g]!) * rstd!.data[g]!;
      const level = mean(list.map((i) => slope.data[i]!));
      const inner = mean(list.map((i) => slope.data[i]! * normal.data[i]!));
      for (const i of list) dx.data[i] = rstd!.data[g]! * (slope.data[i]! - level - normal.data[i]! * inner);
    });
    const over = (fn: (i: number) => number) => {
      const result = build({ shape: [channels], dtype: x!.dtype }, () => 0);
      for (let i = 0; i < x!.data.length; i++) result.data[i % channels]! += fn(i);
      return result;
    };
    return scale ? [dx, over((i) => dy!.data[i]! * normal.data[i]!), over((i) => dy!.data[i]!)] : [dx];
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
