// Windows of an image laid side by side (im2col), and the sum that puts them back (col2im); and pixels that change places with channels.
import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { reshape } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import { transpose } from './movement.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';
import { IMAGE, outputSize, paddingOf, pairOf, reachOf } from './window.js';
import type { Padding, Pair } from './window.js';

type UnfoldAttributes = {
  readonly window: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
};
type FoldAttributes = UnfoldAttributes & { readonly inputSize: readonly number[] };

function unfoldedShape(op: string, x: Type, { window, stride, padding, dilation }: UnfoldAttributes): number[] {
  requireDtype(op, x, float);
  requireRank(op, x, 4, 'x', IMAGE);
  const places = outputSize(op, [x.shape[1]!, x.shape[2]!], window, stride, padding, dilation);
  return [x.shape[0]!, sizeOf(places), sizeOf(window) * x.shape[3]!];
}

export const unfoldRecords = {
  unfold2d: defineRecord<UnfoldAttributes>({
    name: 'unfold2d',
    cost: 'move',
    infer: ([x], attributes) => ({ shape: unfoldedShape('unfold2d', x, attributes), dtype: x.dtype }),
    gradient: ({ dy, inputs: [x], attributes }) => folded(dy, { ...attributes, inputSize: x.shape.slice(1, 3) }),
  }),
  fold2d: defineRecord<FoldAttributes>({
    name: 'fold2d',
    cost: 'reduce',
    infer([y], attributes) {
      requireRank('fold2d', y, 3, 'x', 'windows [N, places, kH * kW * channels]');
      const { window, inputSize } = attributes;
      const x: Type = { shape: [y.shape[0]!, ...inputSize, Math.floor(y.shape[2]! / sizeOf(window))], dtype: y.dtype };
      const expected = unfoldedShape('fold2d', x, attributes);
      if (!sameShape(expected, y.shape)) {
        fail(
          'SHAPE_MISMATCH',
          'fold2d',
          `x has shape ${showShape(y.shape)}, but windows of ${showShape(window)} over images of ${showShape(inputSize)} have ${showShape(expected)}`,
        );
      }
      return x;
    },
    gradient: ({ dy, attributes: { window, stride, padding, dilation } }) => unfolded(dy, { window, stride, padding, dilation }),
    flops: ([y]) => sizeOf(y.shape),
  }),
};

const unfolded = (x: Value, attributes: UnfoldAttributes): Value => applyOne(unfoldRecords.unfold2d, [x], attributes);
const folded = (x: Value, attributes: FoldAttributes): Value => applyOne(unfoldRecords.fold2d, [x], attributes);

export interface UnfoldOptions {
  /** Default 1. */
  readonly stride?: Pair;
  /** Zeros around the image. Default 'valid'. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: Pair;
}

function attributesOf(op: string, size: readonly [number, number], window: Pair, options: UnfoldOptions): UnfoldAttributes {
  checkOptions(op, options, ['stride', 'padding', 'dilation']);
  const places = pairOf(op, 'the window', window, 1);
  const stride = pairOf(op, 'stride', options.stride ?? 1, 1);
  const dilation = pairOf(op, 'dilation', options.dilation ?? 1, 1);
  return { window: places, stride, dilation, padding: paddingOf(op, options.padding ?? 'valid', size, reachOf(places, dilation), stride) };
}

/**
 * The windows of images: [N, H, W, C] -> [N, oH * oW, kH * kW * C]. Places are in row-major order; of a window, the pixels are, with
 * the channels of each together. (PyTorch's [N, C * kH * kW, oH * oW] has the channels outside and the places last.)
 */
export function unfold(x: Value, window: Pair, options: UnfoldOptions = {}): Value {
  requireRank('unfold', x, 4, 'x', IMAGE);
  return unfolded(x, attributesOf('unfold', [x.shape[1]!, x.shape[2]!], window, options));
}

/** The sum of windows at their places: [N, oH * oW, kH * kW * C] -> [N, ...size, C]. The adjoint of `unfold`, not its inverse. */
export function fold(x: Value, size: Pair, window: Pair, options: UnfoldOptions = {}): Value {
  const inputSize = pairOf('fold', 'size', size, 1);
  return folded(x, { ...attributesOf('fold', inputSize, window, options), inputSize });
}

/**
 * Channels become pixels: [N, H, W, C * r * r] -> [N, H * r, W * r, C] (Shi et al. 2016). As in PyTorch channel c * r * r + i * r + j
 * goes to channel c of the pixel (i, j) of its block.
 */
export function pixelShuffle(x: Value, factor: number): Value {
  requireRank('pixelShuffle', x, 4, 'x', IMAGE);
  const [r] = pairOf('pixelShuffle', 'the factor', factor, 1);
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  if (channels % (r * r) !== 0) fail('SHAPE_MISMATCH', 'pixelShuffle', `${channels} channels do not fall into blocks of ${r} x ${r}`);
  const apart = reshape(x, [n, height, width, channels / (r * r), r, r]);
  return reshape(transpose(apart, [0, 1, 4, 2, 5, 3]), [n, height * r, width * r, channels / (r * r)]);
}

/** The inverse of `pixelShuffle`: [N, H * r, W * r, C] -> [N, H, W, C * r * r]. */
export function pixelUnshuffle(x: Value, factor: number): Value {
  requireRank('pixelUnshuffle', x, 4, 'x', IMAGE);
  const [r] = pairOf('pixelUnshuffle', 'the factor', factor, 1);
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  if (height % r !== 0 || width % r !== 0)
    fail('SHAPE_MISMATCH', 'pixelUnshuffle', `images of ${showShape([height, width])} do not fall into blocks of ${r} x ${r}`);
  const apart = reshape(x, [n, height / r, r, width / r, r, channels]);
  return reshape(transpose(apart, [0, 1, 3, 5, 2, 4]), [n, height / r, width / r, channels * r * r]);
}
