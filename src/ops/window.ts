// Strides, padding and windows of convolutions and pools, which share their arithmetic.
import type { Value } from '../graph/node.js';
import { reshape } from './broadcast.js';
import { fail, requireRank, showShape } from './support.js';

/** A number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];
/** No padding; enough that the output is ceil(input / stride); a number for all sides; [vertical, horizontal]; or [top, bottom, left, right]. */
export type Padding = 'valid' | 'same' | number | readonly number[];

export const pairOf = (op: string, name: string, value: Pair, least: number): [number, number] => {
  const [first, second] = typeof value === 'number' ? [value, value] : value;
  for (const n of [first, second]) {
    if (!Number.isInteger(n) || n < least)
      throw new RangeError(`${op}: ${name} must be an integer >= ${least} or a pair of them, not ${String(value)}`);
  }
  return [first, second];
};

/** Padding as [top, bottom, left, right]. 'same' puts the odd one at the bottom and the right, as TensorFlow and PyTorch do. */
export function paddingOf(
  op: string,
  padding: Padding,
  input: readonly [number, number],
  window: readonly [number, number],
  stride: readonly [number, number],
): number[] {
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding === 'same') {
    return [0, 1].flatMap((i) => {
      const output = Math.ceil(input[i]! / stride[i]!);
      const total = Math.max(0, (output - 1) * stride[i]! + window[i]! - input[i]!);
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
  }
  const sides = typeof padding === 'number' ? [padding, padding] : padding;
  const all = sides.length === 2 ? [sides[0]!, sides[0]!, sides[1]!, sides[1]!] : [...sides];
  if (all.length !== 4 || all.some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(`${op}: padding must be 'valid', 'same', an integer >= 0, a pair or four of them, not ${JSON.stringify(padding)}`);
  }
  return all;
}

/** Attributes of a convolution that has neither dilation nor groups. */
export const undilated = { dilation: [1, 1], groups: 1 } as const;

/** How far a window reaches whose places are `dilation` apart. */
export const reachOf = (window: readonly number[], dilation: readonly number[]): [number, number] => [
  (window[0]! - 1) * dilation[0]! + 1,
  (window[1]! - 1) * dilation[1]! + 1,
];

/** Height and width of the output of a window that slides over an image. */
export function outputSize(
  op: string,
  input: readonly number[],
  places: readonly number[],
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[] = undilated.dilation,
): [number, number] {
  const window = reachOf(places, dilation);
  const size = [0, 1].map((i) => Math.floor((input[i]! + padding[2 * i]! + padding[2 * i + 1]! - window[i]!) / stride[i]!) + 1);
  if (size[0]! < 1 || size[1]! < 1) {
    fail(
      'SHAPE_MISMATCH',
      op,
      `a window of ${showShape(window)} does not fit an image of ${showShape(input)} padded by ${showShape(padding)}`,
    );
  }
  return [size[0]!, size[1]!];
}

/** What the layers of convolution and pooling take, in messages. */
export const IMAGE = 'images [N, H, W, channels]';
const SEQUENCE = 'sequences [N, L, channels]';

/** Sequences [N, L, C] as images of one row. */
export function imageOf(op: string, x: Value): Value {
  requireRank(op, x, 3, 'x', SEQUENCE);
  return reshape(x, [x.shape[0]!, 1, x.shape[1]!, x.shape[2]!]);
}

/** Images of one row as sequences. */
export const sequenceOf = (x: Value): Value => reshape(x, [x.shape[0]!, x.shape[2]!, x.shape[3]!]);

/** A number that a windowed op along a sequence takes, as the pair that the op on images does: one row high. */
export const across = (value: number): [number, number] => [1, value];
