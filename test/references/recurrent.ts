// Recurrent layers, one sequence and one step after the other.
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

type Recurrent = 'lstm' | 'lstmGrad' | 'gru' | 'gruGrad' | 'rnn' | 'rnnGrad';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const zeros = (shape: readonly number[]): NdArray64 => build({ shape, dtype: 'float32' }, () => 0);
const rowOf = (x: NdArray64, row: number): Float64Array => {
  const width = x.shape.at(-1)!;
  return x.data.subarray(row * width, (row + 1) * width);
};
const copyOf = (x: NdArray64): NdArray64 => ({ ...x, data: x.data.slice() });

/** weight [n, units] times h [units]. */
const product = (weight: NdArray64, h: Float64Array): number[] =>
  Array.from({ length: weight.shape[0]! }, (_, i) => rowOf(weight, i).reduce((sum, w, k) => sum + w * h[k]!, 0));
/** The slopes [n] of those products, back to h. */
const back = (weight: NdArray64, slopes: Float64Array, k: number): number =>
  slopes.reduce((sum, slope, i) => sum + slope * rowOf(weight, i)[k]!, 0);

/** Calls `fn` for every step that counts: with the sequence, its place among all steps, and that of the step before (-1: none). */
function sweep(
  [batch, steps]: readonly number[],
  lengths: NdArray64 | undefined,
  reverse: boolean,
  backwards: boolean,
  fn: (row: number, at: number, before: number) => void,
): void {
  for (let row = 0; row < batch!; row++) {
    const length = lengths ? Math.min(steps!, Math.max(0, lengths.data[row]!)) : steps!;
    const times = Array.from({ length }, (_, i) => (reverse ? length - 1 - i : i));
    const turns = times.map((t, i) => [t, i > 0 ? times[i - 1]! : undefined] as const);
    for (const [t, before] of backwards ? turns.reverse() : turns)
      fn(row, row * steps! + t, before === undefined ? -1 : row * steps! + before);
  }
}

export const recurrentReferences: References<Recurrent> = {
  lstm: ([x, weight, h0, c0, lengths], { reverse }, types) => {
    const [y, , , gates, cells] = types.map(({ shape }) => zeros(shape)) as [NdArray64, NdArray64, NdArray64, NdArray64, NdArray64];
    const [h, c] = [copyOf(h0!), copyOf(c0!)];
    const units = h.shape[1]!;
    sweep(x!.shape, lengths, reverse, false, (row, at) => {
      const sums = product(weight!, rowOf(h, row)).map((sum, i) => sum + rowOf(x!, at)[i]!);
      for (let u = 0; u < units; u++) {
        const [i, f, o] = [sigmoid(sums[u]!), sigmoid(sums[units + u]!), sigmoid(sums[3 * units + u]!)];
        const g = Math.tanh(sums[2 * units + u]!);
        const cell = f * rowOf(c, row)[u]! + i * g;
        for (const [place, gate] of [i, f, g, o].entries()) rowOf(gates, at)[place * units + u] = gate;
        rowOf(c, row)[u] = rowOf(cells, at)[u] = cell;
        rowOf(h, row)[u] = rowOf(y, at)[u] = o * Math.tanh(cell);
      }
    });
    return [y, h, c, gates, cells];
  },
  lstmGrad: ([dy, dh0, dc0, gates, cells, weight, c0, lengths], { reverse }) => {
    const dx = zeros(gates!.shape);
    const [dh, dc] = [copyOf(dh0!), copyOf(dc0!)];
    const units = dh.shape[1]!;
    sweep(dy!.shape, lengths, reverse, true, (row, at, before) => {
      for (let u = 0; u < units; u++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((place) => rowOf(gates!, at)[place * units + u]!) as [number, number, number, number];
        const bent = Math.tanh(rowOf(cells!, at)[u]!);
        const slope = rowOf(dh, row)[u]! + rowOf(dy!, at)[u]!;
        const cell = rowOf(dc, row)[u]! + slope * o * (1 - bent ** 2);
        const old = before < 0 ? rowOf(c0!, row)[u]! : rowOf(cells!, before)[u]!;
        const slopes = [cell * g * i * (1 - i), cell * old * f * (1 - f), cell * i * (1 - g ** 2), slope * bent * o * (1 - o)];
        for (const [place, gate] of slopes.entries()) rowOf(dx, at)[place * units + u] = gate;
        rowOf(dc, row)[u] = cell * f;
      }
      for (let u = 0; u < units; u++) rowOf(dh, row)[u] = back(weight!, rowOf(dx, at), u);
    });
    return [dx, dh, dc];
  },
  gru: ([x, weight, bias, h0, lengths], { reverse }, types) => {
    const [y, , gates, inner] = types.map(({ shape }) => zeros(shape)) as [NdArray64, NdArray64, NdArray64, NdArray64];
    const h = copyOf(h0!);
    const units = h.shape[1]!;
    sweep(x!.shape, lengths, reverse, false, (row, at) => {
      const products = product(weight!, rowOf(h, row));
      for (let u = 0; u < units; u++) {
        const [r, z] = [0, units].map((place) => sigmoid(rowOf(x!, at)[place + u]! + products[place + u]!)) as [number, number];
        const q = products[2 * units + u]! + bias!.data[u]!;
        const n = Math.tanh(rowOf(x!, at)[2 * units + u]! + r * q);
        for (const [place, gate] of [r, z, n].entries()) rowOf(gates, at)[place * units + u] = gate;
        rowOf(inner, at)[u] = q;
        rowOf(h, row)[u] = rowOf(y, at)[u] = (1 - z) * n + z * rowOf(h, row)[u]!;
      }
    });
    return [y, h, gates, inner];
  },
  gruGrad: ([dy, dh0, gates, inner, y, weight, h0, lengths], { reverse }) => {
    const [dx, slopes] = [zeros(gates!.shape), zeros(gates!.shape)];
    const dh = copyOf(dh0!);
    const units = dh.shape[1]!;
    sweep(dy!.shape, lengths, reverse, true, (row, at, before) => {
      const direct: number[] = [];
      for (let u = 0; u < units; u++) {
        const [r, z, n] = [0, 1, 2].map((place) => rowOf(gates!, at)[place * units + u]!) as [number, number, number];
        const slope = rowOf(dh, row)[u]! + rowOf(dy!, at)[u]!;
        const old = before < 0 ? rowOf(h0!, row)[u]! : rowOf(y!, before)[u]!;
        const dn = slope * (1 - z) * (1 - n ** 2);
        const dr = dn * rowOf(inner!, at)[u]! * r * (1 - r);
        const dz = slope * (old - n) * z * (1 - z);
        for (const [place, gate] of [dr, dz, dn].entries()) rowOf(dx, at)[place * units + u] = gate;
        for (const [place, gate] of [dr, dz, dn * r].entries()) rowOf(slopes, at)[place * units + u] = gate;
        direct.push(slope * z);
      }
      for (let u = 0; u < units; u++) rowOf(dh, row)[u] = direct[u]! + back(weight!, rowOf(slopes, at), u);
    });
    return [dx, slopes, dh];
  },
  rnn: ([x, weight, h0, lengths], { reverse, nonlinearity }) => {
    const y = zeros(x!.shape);
    const h = copyOf(h0!);
    sweep(x!.shape, lengths, reverse, false, (row, at) => {
      for (const [u, sum] of product(weight!, rowOf(h, row)).entries()) {
        const full = sum + rowOf(x!, at)[u]!;
        rowOf(y, at)[u] = nonlinearity === 'relu' ? Math.max(0, full) : Math.tanh(full);
      }
      rowOf(h, row).set(rowOf(y, at));
    });
    return [y, h];
  },
  rnnGrad: ([dy, dh0, y, weight, lengths], { reverse, nonlinearity }) => {
    const dx = zeros(y!.shape);
    const dh = copyOf(dh0!);
    sweep(dy!.shape, lengths, reverse, true, (row, at) => {
      for (const [u, state] of rowOf(y!, at).entries()) {
        const slope = rowOf(dh, row)[u]! + rowOf(dy!, at)[u]!;
        rowOf(dx, at)[u] = nonlinearity === 'relu' ? (state > 0 ? slope : 0) : slope * (1 - state ** 2);
      }
      for (const u of rowOf(y!, at).keys()) rowOf(dh, row)[u] = back(weight!, rowOf(dx, at), u);
    });
    return [dx, dh];
  },
};
