import { PolluxError, checkOptions } from '../errors.js';
import { checkWhole } from './checks.js';
import { checkFill, copyWindow, type Fill, type ImageTransform, sameShape } from './imageTransform.js';
import { below } from './philox.js';

export type { Fill, ImageShape, ImageTransform } from './imageTransform.js';
export { colorJitter, gaussianBlur, randomErasing, randomGrayscale } from './imageColor.js';
export { centerCrop, randomAffine, randomResizedCrop, resize } from './imageGeometry.js';
export { randAugment } from './randAugment.js';

/** Subtracts the mean and divides by the standard deviation: one number for all channels, or one per channel. */
export function normalize(options: { mean: number | readonly number[]; std: number | readonly number[] }): ImageTransform<'same'> {
  checkOptions('normalize', options, ['mean', 'std']);
  const means = [options.mean].flat();
  const scales = [options.std].flat().map((std) => 1 / std);
  if (means.length === 0 || !means.every(Number.isFinite) || scales.length === 0 || !scales.every((s) => s > 0 && s < Infinity)) {
    throw new RangeError('normalize: mean must be finite and std positive.');
  }
  const fits = (count: number, channels: number): boolean => count === 1 || count === channels;
  return {
    name: 'normalize',
    size: 'same',
    outputShape(shape) {
      if (fits(means.length, shape[2]) && fits(scales.length, shape[2])) return shape;
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `normalize: ${means.length} means and ${scales.length} deviations for images of ${shape[2]} channels; give one, or one per channel.`,
      );
    },
    apply(images, at, [height, width, channels]) {
      for (let c = 0; c < channels; c++) {
        const mean = means[means.length === 1 ? 0 : c]!;
        const scale = scales[scales.length === 1 ? 0 : c]!;
        const end = at + height * width * channels;
        for (let i = at + c; i < end; i += channels) images[i] = (images[i]! - mean) * scale;
      }
    },
  };
}

/** Moves an image by up to `pixels` up or down and left or right, every offset equally likely. */
export function randomShift(pixels: number, options: { fill?: Fill } = {}): ImageTransform<'same'> {
  checkWhole('randomShift', 'pixels', pixels, 0);
  checkOptions('randomShift', options, ['fill']);
  const fill = checkFill('randomShift', options.fill ?? 0);
  const choices = 2 * pixels + 1;
  let previous = new Float32Array(0);
  return {
    name: 'randomShift',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, shape, words) {
      const down = below(words[0]!, choices) - pixels;
      const right = below(words[1]!, choices) - pixels;
      if (down === 0 && right === 0) return;
      const size = shape[0] * shape[1] * shape[2];
      if (previous.length < size) previous = new Float32Array(size);
      previous.set(images.subarray(at, at + size));
      copyWindow(previous, shape, images, at, shape, -down, -right, fill);
    },
  };
}

/**
 * Cuts a window of `size` [height, width] at a random place out of the image widened by `padding` pixels on each side.
 * @throws RangeError if the window is larger than the image itself.
 */
export function randomCrop(size: readonly [number, number], options: { padding?: number; fill?: Fill } = {}): ImageTransform<'new'> {
  checkOptions('randomCrop', options, ['padding', 'fill']);
  const height = checkWhole('randomCrop', 'height', size[0], 1);
  const width = checkWhole('randomCrop', 'width', size[1], 1);
  const padding = checkWhole('randomCrop', 'padding', options.padding ?? 0, 0);
  const fill = checkFill('randomCrop', options.fill ?? 0);
  let previous = new Float32Array(0);
  return {
    name: 'randomCrop',
    size: 'new',
    outputShape(shape) {
      if (height <= shape[0] && width <= shape[1]) return [height, width, shape[2]];
      throw new RangeError(`randomCrop: a window of ${height} x ${width} does not fit into images of ${shape[0]} x ${shape[1]}.`);
    },
    apply(images, at, shape, words) {
      const top = below(words[0]!, shape[0] + 2 * padding - height + 1) - padding;
      const left = below(words[1]!, shape[1] + 2 * padding - width + 1) - padding;
      const count = shape[0] * shape[1] * shape[2];
      if (previous.length < count) previous = new Float32Array(count);
      previous.set(images.subarray(at, at + count));
      copyWindow(previous, shape, images, at, [height, width, shape[2]], top, left, fill);
    },
  };
}

/** Mirrors an image left to right, with the given probability. */
export function randomFlip(options: { probability?: number } = {}): ImageTransform<'same'> {
  checkOptions('randomFlip', options, ['probability']);
  const { probability = 0.5 } = options;
  if (!(probability >= 0 && probability <= 1)) throw new RangeError(`randomFlip: probability must lie in [0, 1], got ${probability}.`);
  return {
    name: 'randomFlip',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, [height, width, channels], words) {
      if (words[0]! >= probability * 2 ** 32) return;
      for (let y = 0; y < height; y++) {
        const row = at + y * width * channels;
        for (let left = 0, right = width - 1; left < right; left++, right--) {
          for (let c = 0; c < channels; c++) {
            const kept = images[row + left * channels + c]!;
            images[row + left * channels + c] = images[row + right * channels + c]!;
            images[row + right * channels + c] = kept;
          }
        }
      }
    },
  };
}
