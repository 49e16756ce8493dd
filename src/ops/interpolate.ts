// Images of another size: each output pixel is a weighted sum of a few input pixels, the weights being the product of one for its row
// and one for its column. Nearest, linear and cubic interpolation and averages over windows of unequal size are all of this kind.
import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { applyOne, defineRecord } from './define.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';
import { IMAGE, imageOf, pairOf, sequenceOf } from './window.js';
import type { Pair } from './window.js';

type ResampleAttributes = {
  readonly method: string;
  readonly alignCorners: boolean;
  /** Input pixels for each output pixel, down and across. */
  readonly ratio: readonly number[];
};
type ForwardAttributes = ResampleAttributes & { readonly outputSize: readonly number[] };
type GradientAttributes = ResampleAttributes & { readonly inputSize: readonly number[] };

const resampleOf = ({ method, alignCorners, ratio }: ResampleAttributes): ResampleAttributes => ({ method, alignCorners, ratio });

/** How many pixels an output reads along an axis. */
const tapsOf = (method: string, input: number, output: number): number =>
  method === 'bicubic' ? 4 : method === 'bilinear' ? 2 : method === 'area' ? Math.ceil(input / output) + 1 : 1;

const work = (image: Type, resampled: Type, { method }: ResampleAttributes): number =>
  2 *
  sizeOf(resampled.shape) *
  [1, 2].reduce((taps, axis) => taps * tapsOf(method, image.shape[axis]!, Math.max(1, resampled.shape[axis]!)), 1);

export const interpolateRecords = {
  resample2d: defineRecord<ForwardAttributes>({
    name: 'resample2d',
    cost: 'reduce',
    infer([x], { outputSize }) {
      requireDtype('resample2d', x, float);
      requireRank('resample2d', x, 4, 'x', IMAGE);
      return { shape: [x.shape[0]!, ...outputSize, x.shape[3]!], dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x], attributes }) => resampleGrad(dy, { ...resampleOf(attributes), inputSize: x.shape.slice(1, 3) }),
    flops: ([x], [y], attributes) => work(x, y, attributes),
  }),
  resample2dGrad: defineRecord<GradientAttributes>({
    name: 'resample2dGrad',
    cost: 'reduce',
    infer([dy], { inputSize }) {
      requireDtype('resample2dGrad', dy, float, 'dy');
      requireRank('resample2dGrad', dy, 4, 'dy', IMAGE);
      return { shape: [dy.shape[0]!, ...inputSize, dy.shape[3]!], dtype: dy.dtype };
    },
    gradient: ({ dy: ddx, inputs: [dy], attributes }) => resample(ddx, { ...resampleOf(attributes), outputSize: dy.shape.slice(1, 3) }),
    flops: ([dy], [x], attributes) => work(x, dy, attributes),
  }),
};

const resampleGrad = (dy: Value, attributes: GradientAttributes): Value => applyOne(interpolateRecords.resample2dGrad, [dy], attributes);
const resample = (x: Value, attributes: ForwardAttributes): Value => applyOne(interpolateRecords.resample2d, [x], attributes);

/** Averages over windows that cover the image evenly: window i is floor(i in / out) to ceil((i + 1) in / out), as in PyTorch. */
export const averageOver = (x: Value, outputSize: readonly [number, number]): Value =>
  resample(x, { method: 'area', alignCorners: false, ratio: [x.shape[1]! / outputSize[0], x.shape[2]! / outputSize[1]], outputSize });

export const interpolationModes = ['nearest', 'nearestExact', 'linear', 'bilinear', 'bicubic', 'area'] as const;
export type InterpolationMode = (typeof interpolationModes)[number];

export interface InterpolateOptions {
  /** Height and width of the output (length, for sequences). Either this or `scale`. */
  readonly size?: Pair;
  /** Output pixels for each input pixel; the size is rounded down. */
  readonly scale?: Pair;
  /**
   * 'nearest' (default; rounds down), 'nearestExact' (the pixel under the centre), 'bilinear' ('linear' for sequences), 'bicubic'
   * (Keys 1981, A = -0.75), 'area' (means of windows).
   */
  readonly mode?: InterpolationMode;
  /** Whether the corner pixels of input and output lie on each other, rather than the corners of these pixels. Default false. */
  readonly alignCorners?: boolean;
}

const scalesOf = (op: string, scale: Pair): [number, number] => {
  const [down, across] = typeof scale === 'number' ? [scale, scale] : scale;
  for (const factor of [down, across])
    if (!(factor > 0 && Number.isFinite(factor))) throw new RangeError(`${op}: scale must be greater than 0, not ${factor}`);
  return [down, across];
};

/**
 * Images [N, H, W, C] or sequences [N, L, C] of another size, as torch.nn.functional.interpolate.
 *
 * @param options size or scale, mode, alignCorners (for the linear and cubic modes)
 */
export function interpolate(x: Value, options: InterpolateOptions): Value {
  checkOptions('interpolate', options, ['size', 'scale', 'mode', 'alignCorners']);
  if (x.shape.length === 3) {
    const along = (value: Pair | undefined): Pair | undefined => (typeof value === 'number' ? [1, value] : value);
    const { size, scale, ...rest } = options;
    const [tall, far] = [along(size), along(scale)];
    return sequenceOf(interpolate(imageOf('interpolate', x), { ...rest, ...(tall && { size: tall }), ...(far && { scale: far }) }));
  }
  requireRank('interpolate', x, 4, 'x', IMAGE);
  const { size, scale, mode = 'nearest', alignCorners = false } = options;
  if ((size === undefined) === (scale === undefined)) throw new TypeError('interpolate: give either size or scale');
  if (!interpolationModes.includes(mode))
    throw new RangeError(`interpolate: mode must be one of ${interpolationModes.join(', ')}, not ${mode}`);
  const method = mode === 'linear' ? 'bilinear' : mode;
  if (alignCorners && method !== 'bilinear' && method !== 'bicubic')
    throw new TypeError(`interpolate: alignCorners has no meaning for mode '${mode}'`);
  const input = [x.shape[1]!, x.shape[2]!] as const;
  const factors = scale === undefined ? undefined : scalesOf('interpolate', scale);
  const outputSize = factors
    ? ([Math.floor(input[0] * factors[0]), Math.floor(input[1] * factors[1])] as const)
    : pairOf('interpolate', 'size', size!, 1);
  if (input.includes(0) || outputSize.includes(0))
    fail('SHAPE_MISMATCH', 'interpolate', `images of ${showShape(input)} cannot become ${showShape(outputSize)}`);
  if (sameShape(input, outputSize) && (!factors || factors.every((factor) => factor === 1))) return x;
  const ratio = [0, 1].map((axis) => {
    const [from, to] = [input[axis]!, outputSize[axis]!];
    if (alignCorners) return to > 1 ? (from - 1) / (to - 1) : 0;
    return factors && method !== 'area' ? 1 / factors[axis]! : from / to;
  });
  return resample(x, { method, alignCorners, ratio, outputSize });
}
