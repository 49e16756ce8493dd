import { checkOptions } from '../errors.js';
import { checkWhole } from './checks.js';
import {
  between,
  checkFill,
  copyWindow,
  type Fill,
  type ImageShape,
  type ImageTransform,
  moreWords,
  sameShape,
  scratch,
} from './imageTransform.js';

/** From a place of the output (x, y) to one of the input: [a, b, c; d, e, f]. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Reads `source` at a place between pixels: bilinear; beyond the border there is `fill`. */
export function warp(
  source: Float32Array,
  [height, width, channels]: ImageShape,
  target: Float32Array,
  at: number,
  [outHeight, outWidth]: ImageShape,
  [a, b, c, d, e, f]: Affine,
  fill: Fill,
): void {
  const pixel = (y: number, x: number, channel: number): number => {
    if (fill === 'edge') {
      const row = Math.min(height - 1, Math.max(0, y));
      const column = Math.min(width - 1, Math.max(0, x));
      return source[(row * width + column) * channels + channel]!;
    }
    return y >= 0 && y < height && x >= 0 && x < width ? source[(y * width + x) * channels + channel]! : fill;
  };
  for (let row = 0, to = at; row < outHeight; row++) {
    for (let column = 0; column < outWidth; column++) {
      const x = a * column + b * row + c;
      const y = d * column + e * row + f;
      const left = Math.floor(x);
      const top = Math.floor(y);
      const right = x - left;
      const down = y - top;
      for (let channel = 0; channel < channels; channel++) {
        const above = pixel(top, left, channel) * (1 - right) + pixel(top, left + 1, channel) * right;
        const below = pixel(top + 1, left, channel) * (1 - right) + pixel(top + 1, left + 1, channel) * right;
        target[to++] = above * (1 - down) + below * down;
      }
    }
  }
}

/**
 * The map that turns, shears, scales and moves an image about its middle, read backwards as `warp` needs it. Angles in degrees,
 * clockwise; moves in pixels.
 */
export function affineAbout(
  [height, width]: ImageShape,
  {
    angle = 0,
    shearX = 0,
    shearY = 0,
    scale = 1,
    right = 0,
    down = 0,
  }: { angle?: number; shearX?: number; shearY?: number; scale?: number; right?: number; down?: number },
): Affine {
  const radians = Math.PI / 180;
  const [cos, sin] = [Math.cos(angle * radians) * scale, Math.sin(angle * radians) * scale];
  const [kx, ky] = [Math.tan(shearX * radians), Math.tan(shearY * radians)];
  // Forwards: turn and scale, after the shear.
  const [p, q, r, s] = [cos - sin * ky, cos * kx - sin, sin + cos * ky, sin * kx + cos];
  const determinant = p * s - q * r;
  const [a, b, d, e] = [s / determinant, -q / determinant, -r / determinant, p / determinant];
  const [x0, y0] = [(width - 1) / 2, (height - 1) / 2];
  return [a, b, x0 - a * (x0 + right) - b * (y0 + down), d, e, y0 - d * (x0 + right) - e * (y0 + down)];
}

export interface AffineOptions {
  /** Turns by up to this many degrees either way; default 0. */
  degrees?: number;
  /** Moves by up to this share of the width and of the height. Default [0, 0]. */
  translate?: readonly [x: number, y: number];
  /** Scales by a factor in this range. Default [1, 1]. */
  scale?: readonly [least: number, most: number];
  /** Shears by up to this many degrees along x and y. Default [0, 0]. */
  shear?: readonly [x: number, y: number];
  /** What shows beyond the border. Default 0. */
  fill?: Fill;
}

/** Turns, moves, scales and shears an image at random; bilinear. `randomAffine({ degrees: 15 })` only turns. */
export function randomAffine(options: AffineOptions = {}): ImageTransform<'same'> {
  checkOptions('randomAffine', options, ['degrees', 'translate', 'scale', 'shear', 'fill']);
  const { degrees = 0, translate = [0, 0], scale = [1, 1], shear = [0, 0] } = options;
  if (!(degrees >= 0)) throw new RangeError(`randomAffine: degrees must not be negative, got ${degrees}.`);
  if (!translate.every((share) => share >= 0 && share <= 1))
    throw new RangeError(`randomAffine: translate lies in [0, 1], got ${translate.join(', ')}.`);
  if (!(scale[0] > 0 && scale[1] >= scale[0]))
    throw new RangeError(`randomAffine: scale must be positive and ascending, got ${scale.join(', ')}.`);
  if (!shear.every((angle) => angle >= 0 && angle < 90))
    throw new RangeError(`randomAffine: shear lies in [0, 90), got ${shear.join(', ')}.`);
  const fill = checkFill('randomAffine', options.fill ?? 0);
  const room = scratch();
  return {
    name: 'randomAffine',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, shape, words) {
      const more = moreWords(words);
      const map = affineAbout(shape, {
        angle: between(words[0]!, -degrees, degrees),
        right: Math.round(between(words[1]!, -translate[0], translate[0]) * shape[1]),
        down: Math.round(between(words[2]!, -translate[1], translate[1]) * shape[0]),
        scale: between(words[3]!, scale[0], scale[1]),
        shearX: between(more[0]!, -shear[0], shear[0]),
        shearY: between(more[1]!, -shear[1], shear[1]),
      });
      const before = copyOf(images, at, shape, room);
      warp(before, shape, images, at, shape, map, fill);
    },
  };
}

const copyOf = (
  images: Float32Array,
  at: number,
  [height, width, channels]: ImageShape,
  room: (size: number) => Float32Array,
): Float32Array => {
  const size = height * width * channels;
  const before = room(size);
  before.set(images.subarray(at, at + size));
  return before;
};

/** The map from a window of the input [top, left, height, width] to an output of another size, pixel middles on pixel middles. */
const windowMap = (top: number, left: number, height: number, width: number, [outHeight, outWidth]: ImageShape): Affine => {
  const [down, right] = [height / outHeight, width / outWidth];
  return [right, 0, left + (right - 1) / 2, 0, down, top + (down - 1) / 2];
};

/** A size [height, width] that images shrink to: in this chain they share an array with what they were. */
function smaller(where: string, size: readonly [number, number]): (shape: ImageShape) => ImageShape {
  checkWhole(where, 'height', size[0], 1);
  checkWhole(where, 'width', size[1], 1);
  return (shape) => {
    if (size[0] <= shape[0] && size[1] <= shape[1]) return [size[0], size[1], shape[2]];
    throw new RangeError(
      `${where}: ${size.join(' x ')} is larger than images of ${shape[0]} x ${shape[1]}. Decode them larger: { size } of imageFolder.`,
    );
  };
}

/** Scales an image down to `size` [height, width]; bilinear. Decoding scales better, and up: see imageFolder. */
export function resize(size: readonly [number, number]): ImageTransform<'new'> {
  const outputShape = smaller('resize', size);
  const room = scratch();
  return {
    name: 'resize',
    size: 'new',
    outputShape,
    apply(images, at, shape) {
      const out = outputShape(shape);
      warp(copyOf(images, at, shape, room), shape, images, at, out, windowMap(0, 0, shape[0], shape[1], out), 'edge');
    },
  };
}

/** The middle of an image, `size` [height, width]. */
export function centerCrop(size: readonly [number, number]): ImageTransform<'new'> {
  const outputShape = smaller('centerCrop', size);
  const room = scratch();
  return {
    name: 'centerCrop',
    size: 'new',
    outputShape,
    apply(images, at, shape) {
      const out = outputShape(shape);
      const top = Math.round((shape[0] - out[0]) / 2);
      const left = Math.round((shape[1] - out[1]) / 2);
      copyWindow(copyOf(images, at, shape, room), shape, images, at, out, top, left, 0);
    },
  };
}

/**
 * A random window of the image, scaled to `size` (Szegedy et al. 2015, as torchvision's RandomResizedCrop): its area is a share in
 * `scale` (default [0.08, 1]) of the image's, its width to its height as `ratio` (default [3/4, 4/3]) says, log-uniform.
 */
export function randomResizedCrop(
  size: readonly [number, number],
  options: { scale?: readonly [number, number]; ratio?: readonly [number, number] } = {},
): ImageTransform<'new'> {
  checkOptions('randomResizedCrop', options, ['scale', 'ratio']);
  const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = options;
  for (const [name, [least, most]] of Object.entries({ scale, ratio }))
    if (!(least > 0 && most >= least))
      throw new RangeError(`randomResizedCrop: ${name} must be positive and ascending, got ${least}, ${most}.`);
  const outputShape = smaller('randomResizedCrop', size);
  const room = scratch();
  return {
    name: 'randomResizedCrop',
    size: 'new',
    outputShape,
    apply(images, at, shape, words) {
      const area = between(words[0]!, scale[0], scale[1]) * shape[0] * shape[1];
      const shapeRatio = Math.exp(between(words[1]!, Math.log(ratio[0]), Math.log(ratio[1])));
      const width = Math.max(1, Math.min(shape[1], Math.round(Math.sqrt(area * shapeRatio))));
      const height = Math.max(1, Math.min(shape[0], Math.round(Math.sqrt(area / shapeRatio))));
      const top = Math.floor(between(words[2]!, 0, shape[0] - height + 1));
      const left = Math.floor(between(words[3]!, 0, shape[1] - width + 1));
      const out = outputShape(shape);
      warp(copyOf(images, at, shape, room), shape, images, at, out, windowMap(top, left, height, width, out), 'edge');
    },
  };
}
