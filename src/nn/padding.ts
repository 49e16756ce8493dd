import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type Tensor, wrap } from '../tensor/index.js';
import { requireImage, requireSequenceOf } from './checks.js';
import type { Pool, Pool1d } from './types.js';

/** What stands in the padding of a convolution. */
export type PaddingMode = 'zeros' | ops.PadMode;

/** Images with the padding of a convolution that is not zeros around them, and the padding that is then left to it. */
export function around(
  layer: string,
  x: Value,
  kernelSize: readonly [number, number],
  { stride, padding, paddingMode, dilation }: { stride: ops.Pair; padding: ops.Padding; paddingMode: PaddingMode; dilation: ops.Pair },
): { value: Value; padding: ops.Padding } {
  if (paddingMode === 'zeros') return { value: x, padding };
  const reach = ops.reachOf(kernelSize, ops.pairOf(layer, 'dilation', dilation, 1));
  const size = [x.shape[1]!, x.shape[2]!] as const;
  const [top, bottom, left, right] = ops.paddingOf(layer, padding, size, reach, ops.pairOf(layer, 'stride', stride, 1));
  return { value: ops.pad(x, [0, top!, left!, 0], [0, bottom!, right!, 0], paddingMode), padding: 'valid' };
}

/** One number for all sides, [vertical, horizontal], or [top, bottom, left, right]. */
export type Sides = number | readonly [number, number] | readonly [number, number, number, number];

const imagePadding =
  (name: string, value: number | ops.PadMode) =>
  (sides: Sides): Pool => {
    const [top, bottom, left, right] = ops.paddingOf(name, sides, [0, 0], [1, 1], [1, 1]);
    return Object.defineProperty(
      (x: Tensor) => {
        requireImage(name, x);
        return wrap(ops.pad(x.value, [0, top!, left!, 0], [0, bottom!, right!, 0], value));
      },
      'name',
      { value: name },
    ) as unknown as Pool;
  };

const sequencePadding =
  (name: string, value: number | ops.PadMode) =>
  (sides: number | readonly [before: number, after: number]): Pool1d => {
    const [before, after] = ops.pairOf(name, 'padding', sides, 0);
    return Object.defineProperty(
      (x: Tensor) => {
        requireSequenceOf(name, x);
        return wrap(ops.pad(x.value, [0, before, 0], [0, after, 0], value));
      },
      'name',
      { value: name },
    ) as unknown as Pool1d;
  };

/** A function that surrounds images [N, H, W, C] with zeros. */
export const zeroPad2d = imagePadding('zeroPad2d', 0);
/** A function that surrounds images with their mirror image, the border itself not repeated. */
export const reflectionPad2d = imagePadding('reflectionPad2d', 'reflect');
/** A function that repeats the border of images. */
export const replicationPad2d = imagePadding('replicationPad2d', 'replicate');
/** A function that continues images at their other end. */
export const circularPad2d = imagePadding('circularPad2d', 'circular');
/** A function that puts zeros before and after sequences [N, L, C]. */
export const zeroPad1d = sequencePadding('zeroPad1d', 0);
/** Pads sequences [N, L, C] by their mirror image, the element at the border not repeated. */
export const reflectionPad1d = sequencePadding('reflectionPad1d', 'reflect');
/** Pads sequences [N, L, C] by the element at the border. */
export const replicationPad1d = sequencePadding('replicationPad1d', 'replicate');
/** Pads sequences [N, L, C] by what lies at their other end. */
export const circularPad1d = sequencePadding('circularPad1d', 'circular');

/** A function that surrounds images with a number. */
export const constantPad2d = (sides: Sides, value: number): Pool => imagePadding('constantPad2d', value)(sides);
