import { checkOptions, PolluxError } from '../errors.js';
import { between, checkProbability, type ImageShape, type ImageTransform, moreWords, sameShape, scratch } from './imageTransform.js';

/** Weights of red, green and blue in what the eye sees as light (ITU-R BT.601). */
const light = [0.299, 0.587, 0.114] as const;

const clip = (value: number): number => Math.max(0, Math.min(1, value));

/** The grey value of a pixel of one or three channels. */
const greyOf = (images: Float32Array, at: number, channels: number): number =>
  channels === 3 ? light[0] * images[at]! + light[1] * images[at + 1]! + light[2] * images[at + 2]! : images[at]!;

function requireColours(where: string, shape: ImageShape, counts: readonly number[]): ImageShape {
  if (counts.includes(shape[2])) return shape;
  throw new PolluxError('SHAPE_MISMATCH', `${where}: images have ${shape[2]} channels; it is defined for ${counts.join(' or ')}.`);
}

/** Each value towards `target` where factor < 1, away from it where factor > 1; within [0, 1]. */
export function brightness(images: Float32Array, at: number, shape: ImageShape, factor: number): void {
  const end = at + shape[0] * shape[1] * shape[2];
  for (let i = at; i < end; i++) images[i] = clip(images[i]! * factor);
}

/** Away from the image's mean grey. */
export function contrast(images: Float32Array, at: number, shape: ImageShape, factor: number): void {
  const [height, width, channels] = shape;
  let mean = 0;
  for (let i = 0; i < height * width; i++) mean += greyOf(images, at + i * channels, channels);
  mean /= height * width;
  const end = at + height * width * channels;
  for (let i = at; i < end; i++) images[i] = clip(mean + (images[i]! - mean) * factor);
}

/** Away from each pixel's own grey. */
export function saturation(images: Float32Array, at: number, [height, width, channels]: ImageShape, factor: number): void {
  if (channels !== 3) return;
  for (let i = at; i < at + height * width * 3; i += 3) {
    const grey = greyOf(images, i, 3);
    for (let c = 0; c < 3; c++) images[i + c] = clip(grey + (images[i + c]! - grey) * factor);
  }
}

/** Turns the hue by `turn` of the circle, in the HSV model. */
function hue(images: Float32Array, at: number, [height, width, channels]: ImageShape, turn: number): void {
  if (channels !== 3) return;
  for (let i = at; i < at + height * width * 3; i += 3) {
    const [red, green, blue] = [images[i]!, images[i + 1]!, images[i + 2]!];
    const value = Math.max(red, green, blue);
    const chroma = value - Math.min(red, green, blue);
    if (chroma === 0) continue;
    const sixth = value === red ? (green - blue) / chroma : value === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
    const turned = (((sixth / 6 + turn) % 1) + 1) % 1;
    for (const [c, offset] of [5, 3, 1].entries()) {
      const k = (offset + turned * 6) % 6;
      images[i + c] = value - chroma * Math.max(0, Math.min(k, 4 - k, 1));
    }
  }
}

export interface ColorOptions {
  /** Factors of brightness, contrast and saturation are uniform in [1 - x, 1 + x], not below 0. Default 0. */
  brightness?: number;
  contrast?: number;
  saturation?: number;
  /** The hue turns by up to this share of the circle either way, at most 0.5. Default 0. */
  hue?: number;
}

/** Changes brightness, contrast, saturation and hue at random, in this order, of images with values in [0, 1]. */
export function colorJitter(options: ColorOptions = {}): ImageTransform<'same'> {
  checkOptions('colorJitter', options, ['brightness', 'contrast', 'saturation', 'hue']);
  const { brightness: light = 0, contrast: difference = 0, saturation: depth = 0, hue: turn = 0 } = options;
  for (const [name, value] of Object.entries({ brightness: light, contrast: difference, saturation: depth, hue: turn }))
    if (!(value >= 0 && value <= (name === 'hue' ? 0.5 : Infinity)))
      throw new RangeError(`colorJitter: ${name} is ${value}, out of its range.`);
  const factor = (word: number, by: number): number => between(word, Math.max(0, 1 - by), 1 + by);
  return {
    name: 'colorJitter',
    size: 'same',
    outputShape: (shape) => requireColours('colorJitter', shape, [1, 3]),
    apply(images, at, shape, words) {
      if (light) brightness(images, at, shape, factor(words[0]!, light));
      if (difference) contrast(images, at, shape, factor(words[1]!, difference));
      if (depth) saturation(images, at, shape, factor(words[2]!, depth));
      if (turn) hue(images, at, shape, between(words[3]!, -turn, turn));
    },
  };
}

/** Takes the colour out of an image of three channels, with the given probability (default 0.1). */
export function randomGrayscale(options: { probability?: number } = {}): ImageTransform<'same'> {
  checkOptions('randomGrayscale', options, ['probability']);
  const probability = checkProbability('randomGrayscale', options.probability ?? 0.1);
  return {
    name: 'randomGrayscale',
    size: 'same',
    outputShape: (shape) => requireColours('randomGrayscale', shape, [3]),
    apply(images, at, shape, words) {
      if (words[0]! < probability * 2 ** 32) saturation(images, at, shape, 0);
    },
  };
}

export interface ErasingOptions {
  /** Default 0.5; 1 and a fixed share make it the cutout of DeVries and Taylor 2017. */
  probability?: number;
  /** Share of the image that is erased. Default [0.02, 0.33]. */
  scale?: readonly [least: number, most: number];
  /** Height to width. Default [0.3, 3.3]. */
  ratio?: readonly [least: number, most: number];
  /** Default 0. */
  value?: number;
}

/** Fills a random rectangle (Zhong et al. 2020; torchvision's RandomErasing). */
export function randomErasing(options: ErasingOptions = {}): ImageTransform<'same'> {
  checkOptions('randomErasing', options, ['probability', 'scale', 'ratio', 'value']);
  const { scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 } = options;
  const probability = checkProbability('randomErasing', options.probability ?? 0.5);
  for (const [name, [least, most]] of Object.entries({ scale, ratio }))
    if (!(least > 0 && most >= least))
      throw new RangeError(`randomErasing: ${name} must be positive and ascending, got ${least}, ${most}.`);
  return {
    name: 'randomErasing',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, [height, width, channels], words) {
      if (words[0]! >= probability * 2 ** 32) return;
      const more = moreWords(words);
      const area = between(words[1]!, scale[0], scale[1]) * height * width;
      const tall = Math.exp(between(words[2]!, Math.log(ratio[0]), Math.log(ratio[1])));
      const rows = Math.max(1, Math.min(height, Math.round(Math.sqrt(area * tall))));
      const columns = Math.max(1, Math.min(width, Math.round(Math.sqrt(area / tall))));
      const top = Math.floor(between(more[0]!, 0, height - rows + 1));
      const left = Math.floor(between(more[1]!, 0, width - columns + 1));
      for (let y = top; y < top + rows; y++) {
        const from = at + (y * width + left) * channels;
        images.fill(value, from, from + columns * channels);
      }
    },
  };
}

/** Blurs by a Gaussian whose deviation in pixels is uniform in `sigma` (default [0.1, 2]); beyond the border the edge repeats. */
export function gaussianBlur(
  options: { sigma?: readonly [least: number, most: number]; probability?: number } = {},
): ImageTransform<'same'> {
  checkOptions('gaussianBlur', options, ['sigma', 'probability']);
  const { sigma = [0.1, 2] } = options;
  const probability = checkProbability('gaussianBlur', options.probability ?? 1);
  if (!(sigma[0] > 0 && sigma[1] >= sigma[0]))
    throw new RangeError(`gaussianBlur: sigma must be positive and ascending, got ${sigma.join(', ')}.`);
  const room = scratch();
  return {
    name: 'gaussianBlur',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, shape, words) {
      if (words[1]! >= probability * 2 ** 32) return;
      const deviation = between(words[0]!, sigma[0], sigma[1]);
      const radius = Math.max(1, Math.ceil(3 * deviation));
      const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * deviation ** 2)));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      blurAlong(images, at, shape, weights, sum, 0, room);
      blurAlong(images, at, shape, weights, sum, 1, room);
    },
  };
}

/** One direction of a separable blur: axis 0 is down, 1 is across. */
function blurAlong(
  images: Float32Array,
  at: number,
  [height, width, channels]: ImageShape,
  weights: Float64Array,
  sum: number,
  axis: 0 | 1,
  room: (size: number) => Float32Array,
): void {
  const size = height * width * channels;
  const before = room(size);
  before.set(images.subarray(at, at + size));
  const radius = (weights.length - 1) / 2;
  const length = axis === 0 ? height : width;
  const stride = axis === 0 ? width * channels : channels;
  for (let i = 0; i < size; i++) {
    const place = Math.floor(i / stride) % length;
    let total = 0;
    for (let j = -radius; j <= radius; j++) {
      const other = Math.max(0, Math.min(length - 1, place + j));
      total += weights[j + radius]! * before[i + (other - place) * stride]!;
    }
    images[at + i] = total / sum;
  }
}
