import { checkOptions } from '../errors.js';
import { checkWhole } from './checks.js';
import { brightness, contrast, saturation } from './imageColor.js';
import { affineAbout, warp } from './imageGeometry.js';
import { checkFill, type Fill, type ImageShape, type ImageTransform, moreWords, sameShape, scratch } from './imageTransform.js';
import { below } from './philox.js';

type Change = (images: Float32Array, at: number, shape: ImageShape, strength: number, sign: number, fill: Fill) => void;

export interface RandAugmentOptions {
  /** Changes an image goes through. Default 2. */
  count?: number;
  /** Strength of each, of 30. Default 9. */
  magnitude?: number;
  /** What shows beyond the border. Default 0. */
  fill?: Fill;
}

/**
 * RandAugment (Cubuk et al. 2020): `count` changes drawn from fourteen, each with the strength that torchvision gives to `magnitude`
 * of 30. For images with values in [0, 1].
 */
export function randAugment(options: RandAugmentOptions = {}): ImageTransform<'same'> {
  checkOptions('randAugment', options, ['count', 'magnitude', 'fill']);
  const count = checkWhole('randAugment', 'count', options.count ?? 2, 1);
  const { magnitude = 9 } = options;
  if (!(magnitude >= 0 && magnitude <= 30)) throw new RangeError(`randAugment: magnitude must lie in [0, 30], got ${magnitude}.`);
  const fill = checkFill('randAugment', options.fill ?? 0);
  const strength = magnitude / 30;
  const changes = makeChanges();
  return {
    name: 'randAugment',
    size: 'same',
    outputShape: sameShape,
    apply(images, at, shape, words) {
      let drawn = words;
      for (let i = 0; i < count; i++) {
        drawn = moreWords(drawn);
        changes[below(drawn[0]!, changes.length)]!(images, at, shape, strength, drawn[1]! & 1 ? 1 : -1, fill);
      }
    },
  };
}

function makeChanges(): readonly Change[] {
  const room = scratch();
  const moved =
    (map: (strength: number, shape: ImageShape) => Parameters<typeof affineAbout>[1]): Change =>
    (images, at, shape, strength, sign, fill) => {
      const size = shape[0] * shape[1] * shape[2];
      const before = room(size);
      before.set(images.subarray(at, at + size));
      warp(before, shape, images, at, shape, affineAbout(shape, map(sign * strength, shape)), fill);
    };
  const each =
    (change: (value: number, strength: number) => number): Change =>
    (images, at, [height, width, channels], strength) => {
      for (let i = at; i < at + height * width * channels; i++) images[i] = change(images[i]!, strength);
    };
  const shearDegrees = (strength: number): number => (Math.atan(0.3 * strength) * 180) / Math.PI;
  return [
    () => undefined,
    moved((strength) => ({ shearX: shearDegrees(strength) })),
    moved((strength) => ({ shearY: shearDegrees(strength) })),
    moved((strength, shape) => ({ right: Math.round((150 / 331) * shape[1] * strength) })),
    moved((strength, shape) => ({ down: Math.round((150 / 331) * shape[0] * strength) })),
    moved((strength) => ({ angle: 30 * strength })),
    (images, at, shape, strength, sign) => brightness(images, at, shape, 1 + 0.9 * strength * sign),
    (images, at, shape, strength, sign) => contrast(images, at, shape, 1 + 0.9 * strength * sign),
    (images, at, shape, strength, sign) => saturation(images, at, shape, 1 + 0.9 * strength * sign),
    sharpness,
    // Fewer bits a channel, inversion above a threshold: on values that were bytes.
    each((value, strength) => {
      const bits = 8 - Math.round(4 * strength);
      const step = 2 ** (8 - bits);
      return (Math.floor((Math.round(value * 255) + 0.5) / step) * step) / 255;
    }),
    each((value, strength) => (value >= 1 - strength ? 1 - value : value)),
    autoContrast,
    equalize,
  ];
}

/** Away from a smoothed image (1 2 1 in both directions is close to the filter of the original). */
const sharpness: Change = (images, at, [height, width, channels], strength, sign) => {
  const size = height * width * channels;
  const before = images.slice(at, at + size);
  const factor = 1 + 0.9 * strength * sign;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      for (let c = 0; c < channels; c++) {
        const i = (y * width + x) * channels + c;
        let sum = 4 * before[i]!;
        for (const dy of [-1, 0, 1]) for (const dx of [-1, 0, 1]) sum += before[i + (dy * width + dx) * channels]!;
        const smooth = sum / 13;
        images[at + i] = Math.max(0, Math.min(1, smooth + (before[i]! - smooth) * factor));
      }
    }
  }
};

/** Spreads each channel over [0, 1]. */
const autoContrast: Change = (images, at, [height, width, channels]) => {
  const end = at + height * width * channels;
  for (let c = 0; c < channels; c++) {
    let [least, most] = [Infinity, -Infinity];
    for (let i = at + c; i < end; i += channels) {
      least = Math.min(least, images[i]!);
      most = Math.max(most, images[i]!);
    }
    if (!(most > least)) continue;
    for (let i = at + c; i < end; i += channels) images[i] = (images[i]! - least) / (most - least);
  }
};

/** Gives each channel's bytes a level histogram. */
const equalize: Change = (images, at, [height, width, channels]) => {
  const end = at + height * width * channels;
  const level = (value: number): number => Math.max(0, Math.min(255, Math.round(value * 255)));
  for (let c = 0; c < channels; c++) {
    const counts = new Uint32Array(256);
    for (let i = at + c; i < end; i += channels) counts[level(images[i]!)]!++;
    const last = counts.findLastIndex((count) => count > 0);
    const step = Math.floor((height * width - counts[last]!) / 255);
    if (step === 0) continue;
    const table = new Float32Array(256);
    let sum = Math.floor(step / 2);
    for (let byte = 0; byte < 256; byte++) {
      table[byte] = Math.min(255, Math.floor(sum / step)) / 255;
      sum += counts[byte]!;
    }
    for (let i = at + c; i < end; i += channels) images[i] = table[level(images[i]!)]!;
  }
};
