import { sizeOf } from '../../src/graph/op.js';
import { build } from './array.js';
import type { NdArray64, Reference, References } from './array.js';

type NoAttributes = Record<never, never>;
type Normalisations =
  | 'softmax'
  | 'logSoftmax'
  | 'softmaxGrad'
  | 'logSoftmaxGrad'
  | 'crossEntropy'
  | 'crossEntropyGrad'
  | 'batchNorm'
  | 'batchNormGrad';

/** Rows along the last axis of several arrays of one shape, mapped together. */
const byRow =
  (fn: (...rows: number[][]) => number[]): Reference<NoAttributes> =>
  (inputs, _, [type]) => {
    const size = type!.shape.at(-1)!;
    const result = build(type!, () => 0);
    for (let start = 0; start < result.data.length; start += size) {
      result.data.set(fn(...inputs.map((x) => [...x.data.subarray(start, start + size)])), start);
    }
    return [result];
  };

const sum = (row: readonly number[]): number => row.reduce((total, x) => total + x, 0);

function logSumExp(row: readonly number[]): number {
  const top = Math.max(...row);
  return Number.isFinite(top) ? top + Math.log(sum(row.map((x) => Math.exp(x - top)))) : top;
}

const rowOf = (x: NdArray64, row: number): number[] => [...x.data.subarray(row * x.shape[1]!, (row + 1) * x.shape[1]!)];

function labelOf(labels: NdArray64, row: number, classes: number): number {
  const label = labels.data[row]!;
  if (label < 0 || label >= classes) throw new RangeError(`label ${label} is outside ${classes} classes`);
  return label;
}

/** The elements of one channel. */
const channelOf = (x: NdArray64, channel: number): number[] => [...x.data].filter((_, i) => i % x.shape.at(-1)! === channel);
const mean = (list: readonly number[]): number => sum(list) / list.length;

export const normalisationReferences: References<Normalisations> = {
  softmax: byRow((x) => {
    const total = logSumExp(x);
    return x.map((element) => Math.exp(element - total));
  }),
  logSoftmax: byRow((x) => {
    const total = logSumExp(x);
    return x.map((element) => element - total);
  }),
  softmaxGrad: byRow((dy, y) => {
    const inner = sum(dy.map((slope, i) => slope * y[i]!));
    return dy.map((slope, i) => y[i]! * (slope - inner));
  }),
  logSoftmaxGrad: byRow((dy, y) => {
    const total = sum(dy);
    return dy.map((slope, i) => slope - Math.exp(y[i]!) * total);
  }),
  crossEntropy: ([logits, labels], _, [type]) => {
    const total = build(type!, (__, row) => logSumExp(rowOf(logits!, row)));
    return [build(type!, (__, row) => total.data[row]! - rowOf(logits!, row)[labelOf(labels!, row, logits!.shape[1]!)]!), total];
  },
  crossEntropyGrad: ([dloss, logits, labels, total], _, [type]) => [
    build(type!, (index, i) => {
      const [row, column] = index as [number, number];
      const chosen = labelOf(labels!, row, logits!.shape[1]!) === column ? 1 : 0;
      return (Math.exp(logits!.data[i]! - total!.data[row]!) - chosen) * dloss!.data[row]!;
    }),
  ],
  batchNorm: ([x, scale, shift], { epsilon }, [type, channels]) => {
    const centre = build(channels!, (_, c) => mean(channelOf(x!, c)));
    const spread = build(channels!, (_, c) => mean(channelOf(x!, c).map((element) => (element - centre.data[c]!) ** 2)));
    const y = build(type!, (index, i) => {
      const c = index.at(-1)!;
      return ((x!.data[i]! - centre.data[c]!) / Math.sqrt(spread.data[c]! + epsilon)) * scale!.data[c]! + shift!.data[c]!;
    });
    return [y, centre, spread];
  },
  batchNormGrad: ([dy, x, scale, centre, spread], { epsilon }, [type, channels]) => {
    const n = sizeOf(x!.shape.slice(0, -1));
    const width = (c: number): number => Math.sqrt(spread!.data[c]! + epsilon);
    const normal = build(x!, (index, i) => (x!.data[i]! - centre!.data[index.at(-1)!]!) / width(index.at(-1)!));
    const dshift = build(channels!, (_, c) => sum(channelOf(dy!, c)));
    const dscale = build(channels!, (_, c) => {
      const slopes = channelOf(dy!, c);
      return sum(channelOf(normal, c).map((element, i) => element * slopes[i]!));
    });
    const dx = build(type!, (index, i) => {
      const c = index.at(-1)!;
      return (scale!.data[c]! / width(c)) * (dy!.data[i]! - dshift.data[c]! / n - (normal.data[i]! * dscale.data[c]!) / n);
    });
    return [dx, dscale, dshift];
  },
};
