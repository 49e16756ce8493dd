// Transposed convolution: the gradient of a convolution by its images, as an op of its own. It makes images larger by its stride.
import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { reshape } from './broadcast.js';
import { conv2dGradInput, requireGroups } from './conv.js';
import { pad } from './movement.js';
import { fail, requireRank, showShape } from './support.js';
import { across, IMAGE, imageOf, pairOf, reachOf, sequenceOf } from './window.js';
import type { Pair } from './window.js';

interface TransposeOptions<P> {
  /** Output pixels for each input pixel. Default 1. */
  readonly stride?: P;
  /** Taken away from the border of the output: the padding of the convolution that this one is the transpose of. Default 0. */
  readonly padding?: P;
  /** Added to the size of the output at its end, since a stride leaves that open. Default 0. */
  readonly outputPadding?: P;
  /** Distance of neighbouring taps. Default 1. */
  readonly dilation?: P;
  /** Into how many parts the channels fall, each with kernels of its own. Default 1. */
  readonly groups?: number;
}
export type ConvTransposeOptions = TransposeOptions<Pair>;
export type ConvTranspose1dOptions = TransposeOptions<number>;

const names = ['stride', 'padding', 'outputPadding', 'dilation', 'groups'];

/**
 * Transposed convolution of images [N, H, W, in] with kernels [in, kH, kW, out / groups] -> [N, H', W', out], where
 * H' = (H - 1) stride - 2 padding + dilation (kH - 1) + outputPadding + 1, as in PyTorch.
 *
 * @param options stride, padding, outputPadding (less than stride or dilation), dilation and groups
 */
export function convTranspose2d(x: Value, w: Value, options: ConvTransposeOptions = {}): Value {
  const op = 'convTranspose2d';
  checkOptions(op, options, names);
  requireRank(op, x, 4, 'x', IMAGE);
  requireRank(op, w, 4, 'the weight', 'a kernel [in, kH, kW, out / groups]');
  const groups = requireGroups(op, options.groups ?? 1);
  const stride = pairOf(op, 'stride', options.stride ?? 1, 1);
  const dilation = pairOf(op, 'dilation', options.dilation ?? 1, 1);
  const padding = pairOf(op, 'padding', options.padding ?? 0, 0);
  const more = pairOf(op, 'outputPadding', options.outputPadding ?? 0, 0);
  if (w.shape[0] !== x.shape[3])
    fail(
      'SHAPE_MISMATCH',
      op,
      `x ${showShape(x.shape)} has ${x.shape[3]} channels, but the weight ${showShape(w.shape)} takes ${w.shape[0]}`,
    );
  more.forEach((count, i) => {
    if (count >= Math.max(stride[i]!, dilation[i]!))
      throw new RangeError(`${op}: outputPadding ${count} must be less than the stride ${stride[i]} or the dilation ${dilation[i]}`);
  });
  const reach = reachOf([w.shape[1]!, w.shape[2]!], dilation);
  // Rows at the end that less than a stride adds come by themselves; then those that the padding took are left; the rest is zero.
  const free = more.map((count, i) => Math.min(count, stride[i]! - 1));
  const left = more.map((count, i) => Math.min(count - free[i]!, padding[i]!));
  const inputSize = [0, 1].map((i) => (x.shape[1 + i]! - 1) * stride[i]! - 2 * padding[i]! + reach[i]! + free[i]! + left[i]!);
  if (inputSize.some((size) => size < 1))
    fail('SHAPE_MISMATCH', op, `padding ${showShape(padding)} leaves nothing of the output of ${showShape(x.shape)}`);
  const sides = [0, 1].flatMap((i) => [padding[i]!, padding[i]! - left[i]!]);
  const y = conv2dGradInput(x, w, { stride, padding: sides, dilation, groups, inputSize });
  const [below, behind] = more.map((count, i) => count - free[i]! - left[i]!);
  return pad(y, [0, 0, 0, 0], [0, below!, behind!, 0]);
}

/** Transposed convolution of sequences [N, L, in] with kernels [in, k, out / groups] -> [N, L', out]; see convTranspose2d. */
export function convTranspose1d(x: Value, w: Value, options: ConvTranspose1dOptions = {}): Value {
  const op = 'convTranspose1d';
  checkOptions(op, options, names);
  requireRank(op, w, 3, 'the weight', 'a kernel [in, k, out / groups]');
  const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
  const [into, taps, out] = w.shape as [number, number, number];
  const y = convTranspose2d(imageOf(op, x), reshape(w, [into, 1, taps, out]), {
    stride: across(stride),
    padding: [0, padding],
    outputPadding: [0, outputPadding],
    dilation: across(dilation),
    groups,
  });
  return sequenceOf(y);
}
