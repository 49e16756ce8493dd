// Pooling by the size of its output, along sequences, and of whole images.
import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { minimum, pow } from './binary.js';
import { reshape } from './broadcast.js';
import { padding1d } from './conv1d.js';
import type { Padding1d } from './conv1d.js';
import { gather } from './indexing.js';
import { averageOver } from './interpolate.js';
import { iota } from './leaf.js';
import { avgPool2d, maxPool2d, maxPool2dGrad, pooledShape, poolRecords, poolWindow, requireIndexable } from './pool.js';
import type { PoolOptions } from './pool.js';
import { max, mean } from './reduce.js';
import { fail, requireRank, showShape } from './support.js';
import { across, IMAGE, imageOf, pairOf, sequenceOf } from './window.js';
import type { Pair } from './window.js';

/** Options of pooling along a sequence: the stride is the window's size by default, the padding 'valid'. */
export interface Pool1dOptions {
  readonly stride?: number;
  readonly padding?: Padding1d;
  /** Whether the last window may reach beyond the padding. Default false. */
  readonly ceilMode?: boolean;
}

const imagePool = (op: string, window: number, { stride = window, padding = 'valid', ceilMode = false }: Pool1dOptions): PoolOptions => ({
  stride: across(stride),
  padding: padding1d(op, padding, window),
  ceilMode,
});

/** The greatest element of each window of sequences [N, L, C]. */
export function maxPool1d(x: Value, window: number, options: Pool1dOptions = {}): Value {
  checkOptions('maxPool1d', options, ['stride', 'padding', 'ceilMode']);
  return sequenceOf(maxPool2d(imageOf('maxPool1d', x), across(window), imagePool('maxPool1d', window, options)));
}

/** The mean of each window of sequences [N, L, C]; `countPadding` as for avgPool2d. */
export function avgPool1d(x: Value, window: number, options: Pool1dOptions & { readonly countPadding?: boolean } = {}): Value {
  checkOptions('avgPool1d', options, ['stride', 'padding', 'ceilMode', 'countPadding']);
  const { countPadding = true, ...rest } = options;
  return sequenceOf(avgPool2d(imageOf('avgPool1d', x), across(window), { ...imagePool('avgPool1d', window, rest), countPadding }));
}

function adaptiveSize(op: string, x: Value, size: Pair): [number, number] {
  requireRank(op, x, 4, 'x', IMAGE);
  const output = pairOf(op, 'the size', size, 1);
  if (x.shape[1] === 0 || x.shape[2] === 0) fail('SHAPE_MISMATCH', op, `x ${showShape(x.shape)} has no pixels`);
  return output;
}

/**
 * The mean of windows that cover images [N, H, W, C] evenly -> [N, ...size, C]. Window i is floor(i H / oH) to ceil((i + 1) H / oH),
 * as in PyTorch: they overlap where the sizes do not divide.
 */
export function adaptiveAvgPool2d(x: Value, size: Pair): Value {
  const output = adaptiveSize('adaptiveAvgPool2d', x, size);
  const window = [x.shape[1]! / output[0], x.shape[2]! / output[1]] as const;
  return window.every(Number.isInteger) ? avgPool2d(x, window) : averageOver(x, output);
}

/** The longest of the windows that cover an axis. */
const longest = (input: number, output: number): number =>
  Math.max(...Array.from({ length: output }, (_, i) => Math.ceil(((i + 1) * input) / output) - Math.floor((i * input) / output)));

/** The windows of an axis one after the other, all of them as long as the longest: shorter ones repeat their last element. */
function windowsAlong(x: Value, axis: number, output: number): { windows: Value; size: number } {
  const input = x.shape[axis]!;
  const size = longest(input, output);
  if (input === size * output) return { windows: x, size };
  const place = iota([output * size]);
  const window = div(place, size);
  const start = div(mul(window, input), output);
  const end = div(add(mul(add(window, 1), input), output - 1), output);
  return { windows: gather(x, minimum(add(start, sub(place, mul(window, size))), sub(end, 1)), axis), size };
}

/** The maximum of each `size` elements along an axis, of which the first wins. */
function maxAlong(x: Value, axis: 1 | 2, size: number): Value {
  if (size <= 255) return maxPool2d(x, axis === 1 ? [size, 1] : [1, size]);
  return max(reshape(x, x.shape.toSpliced(axis, 1, x.shape[axis]! / size, size)), axis + 1);
}

/** The maximum of windows that cover images evenly -> [N, ...size, C]; the windows are those of adaptiveAvgPool2d. */
export function adaptiveMaxPool2d(x: Value, size: Pair): Value {
  const output = adaptiveSize('adaptiveMaxPool2d', x, size);
  const down = windowsAlong(x, 1, output[0]);
  const both = windowsAlong(down.windows, 2, output[1]);
  const window = [down.size, both.size] as const;
  // A place in a window is a byte. Rows before columns would find another first among equals.
  return sizeOf(window) <= 255 ? maxPool2d(both.windows, window) : maxAlong(maxAlong(both.windows, 2, both.size), 1, down.size);
}

/** adaptiveAvgPool2d along sequences: [N, L, C] -> [N, size, C]. */
export const adaptiveAvgPool1d = (x: Value, size: number): Value =>
  sequenceOf(adaptiveAvgPool2d(imageOf('adaptiveAvgPool1d', x), across(size)));

/** adaptiveMaxPool2d along sequences: [N, L, C] -> [N, size, C]. */
export const adaptiveMaxPool1d = (x: Value, size: number): Value =>
  sequenceOf(adaptiveMaxPool2d(imageOf('adaptiveMaxPool1d', x), across(size)));

/** The mean over all places of images or sequences: [N, ..., C] -> [N, C]. */
export const globalAvgPool = (x: Value): Value => mean(x, placesOf('globalAvgPool', x));

/** The maximum over all places of images or sequences: [N, ..., C] -> [N, C]. */
export const globalMaxPool = (x: Value): Value => max(x, placesOf('globalMaxPool', x));

function placesOf(op: string, x: Value): number[] {
  if (x.shape.length < 3)
    fail('SHAPE_MISMATCH', op, `x has shape ${showShape(x.shape)}, but must be [N, ..., channels] with axes between to pool over`);
  return x.shape.map((_, i) => i).slice(1, -1);
}

/** (sum of x^power)^(1/power) over each window of images [N, H, W, C]. */
export function lpPool2d(x: Value, power: number, window: Pair, options: Pick<PoolOptions, 'stride' | 'ceilMode'> = {}): Value {
  checkOptions('lpPool2d', options, ['stride', 'ceilMode']);
  const area = sizeOf(pairOf('lpPool2d', 'the window', window, 1));
  return pow(mul(avgPool2d(pow(x, power), window, options), area), 1 / power);
}

/** maxPool2d with the place of each maximum within its window (uint8, row-major), for maxUnpool2d. */
export function maxPool2dWithIndex(x: Value, window: Pair, options: PoolOptions = {}): { y: Value; index: Value } {
  checkOptions('maxPool2dWithIndex', options, ['stride', 'padding', 'ceilMode']);
  const { hangs: _, ...attributes } = poolWindow('maxPool2dWithIndex', x, window, options);
  const [y, index] = apply(poolRecords.maxPool2d, [x], attributes);
  return { y: y!, index: index! };
}

/**
 * Puts each element back to the place its maximum came from; zeros elsewhere. Where windows overlap, what comes to one place adds up.
 *
 * @param size height and width of the images before pooling
 */
export function maxUnpool2d(x: Value, index: Value, window: Pair, size: Pair, options: PoolOptions = {}): Value {
  checkOptions('maxUnpool2d', options, ['stride', 'padding', 'ceilMode']);
  const op = 'maxUnpool2d';
  requireRank(op, x, 4, 'x', IMAGE);
  const inputSize = pairOf(op, 'the size', size, 1);
  const image = { shape: [x.shape[0]!, ...inputSize, x.shape[3]!], dtype: x.dtype };
  const { hangs: _, ...attributes } = poolWindow(op, image, window, options);
  requireIndexable(op, attributes.window);
  const expected = pooledShape(op, image, attributes);
  if (!sameShape(expected, x.shape))
    fail(
      'SHAPE_MISMATCH',
      op,
      `x has shape ${showShape(x.shape)}, but pooling images of ${showShape(inputSize)} gives ${showShape(expected)}`,
    );
  return maxPool2dGrad(x, index, { ...attributes, inputSize });
}
