import { philox } from './philox.js';

/** Height, width and channels of one image. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/**
 * One step of `dataset.augment`. It works in place on one image at a time, in a float32 array that holds it at `at`.
 * `Size` is 'same' if images keep their shape, 'new' if they shrink.
 */
export interface ImageTransform<Size extends 'same' | 'new' = 'same' | 'new'> {
  readonly name: string;
  readonly size: Size;
  /** The shape that an image has afterwards; throws if it does not fit. */
  outputShape(shape: ImageShape): ImageShape;
  /** Changes the image at `images[at ...]`; `words` are four random 32-bit words of this image, epoch and transform alone. */
  apply(images: Float32Array, at: number, shape: ImageShape, words: Uint32Array): void;
}

export const sameShape = (shape: ImageShape): ImageShape => shape;

/** What shows where an image was moved away: a number, or 'edge' to repeat the border pixel. */
export type Fill = number | 'edge';

export function checkFill(where: string, fill: Fill): Fill {
  if (fill === 'edge' || (typeof fill === 'number' && !Number.isNaN(fill))) return fill;
  throw new TypeError(`${where}: fill must be a number or 'edge', got ${String(fill)}.`);
}

/** Four more random words of the same image and transform. */
export function moreWords(words: Uint32Array): Uint32Array {
  const more = new Uint32Array(4);
  philox(more, 0, words[0]!, words[1]!, words[2]!, words[3]!, 0x6d6f7265, 0);
  return more;
}

/** A word as a number in [least, most). */
export const between = (word: number, least: number, most: number): number => least + (word / 2 ** 32) * (most - least);

/** A probability, or a RangeError. */
export function checkProbability(where: string, probability: number): number {
  if (probability >= 0 && probability <= 1) return probability;
  throw new RangeError(`${where}: probability must lie in [0, 1], got ${probability}.`);
}

/** A scratch array of at least `size` numbers, kept from one image to the next. */
export function scratch(): (size: number) => Float32Array {
  let kept = new Float32Array(0);
  return (size) => {
    if (kept.length < size) kept = new Float32Array(size);
    return kept;
  };
}

/**
 * Writes the window of `source` whose corner is (top, left), which may lie outside, to `target[at ...]`. Each row is
 * a left border, a run of pixels and a right border: this is a training step's host work, and tests per pixel cost it tenfold.
 */
export function copyWindow(
  source: Float32Array,
  [height, width, channels]: ImageShape,
  target: Float32Array,
  at: number,
  [outHeight, outWidth]: ImageShape,
  top: number,
  left: number,
  fill: Fill,
): void {
  const value = fill === 'edge' ? 0 : fill;
  const runStart = clamp(-left, 0, outWidth);
  const runStop = clamp(width - left, runStart, outWidth);
  for (let y = 0; y < outHeight; y++) {
    const row = at + y * outWidth * channels;
    const from = clamp(y + top, 0, height - 1) * width * channels;
    const inside = fill === 'edge' || (y + top >= 0 && y + top < height);
    const start = row + (inside ? runStart : outWidth) * channels;
    const stop = row + (inside ? runStop : outWidth) * channels;
    const offset = from + left * channels - row;
    for (let i = start; i < stop; i++) target[i] = source[i + offset]!;
    if (fill === 'edge') {
      const last = from + (width - 1) * channels;
      for (let i = row; i < start; i++) target[i] = source[from + ((i - row) % channels)]!;
      for (let i = stop; i < row + outWidth * channels; i++) target[i] = source[last + ((i - row) % channels)]!;
    } else {
      for (let i = row; i < start; i++) target[i] = value;
      for (let i = stop; i < row + outWidth * channels; i++) target[i] = value;
    }
  }
}

const clamp = (i: number, least: number, most: number): number => Math.max(least, Math.min(most, i));
