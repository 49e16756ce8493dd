import { checkWhole } from '../data/checks.js';
import { checkOptions } from '../errors.js';
import { leafTensor, type Tensor } from '../tensor/index.js';

/** How pitch is measured: 'htk', 2595 log10(1 + f / 700), or 'slaney', linear up to 1 kHz and logarithmic from there. */
export type MelScale = 'htk' | 'slaney';

export interface MelOptions {
  /** Number of filters. Default 128. */
  mels?: number;
  /** Samples a second. Default 16000. */
  sampleRate?: number;
  /** Lower end of the first filter in Hz. Default 0. */
  low?: number;
  /** Upper end of the last filter in Hz. Default sampleRate / 2. */
  high?: number;
  /** Default 'htk', as torchaudio (librosa: 'slaney'). */
  scale?: MelScale;
  /** 'slaney': triangles of area 1 over Hz; 'none' (default, as torchaudio): of height 1. */
  norm?: 'none' | 'slaney';
}

export const melOptions = ['mels', 'sampleRate', 'low', 'high', 'scale', 'norm'];

/** Slaney's scale is 3 mels for 200 Hz up to here, and multiplies by 6.4 each 27 mels beyond. */
const bend = 1000;
const bendMels = 15;
const logStep = Math.log(6.4) / 27;

/** The pitch in mels of a frequency in Hz. */
export function hertzToMel(hertz: number, scale: MelScale = 'htk'): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + hertz / 700);
  return hertz < bend ? (hertz * 3) / 200 : bendMels + Math.log(hertz / bend) / logStep;
}

/** The frequency in Hz of a pitch in mels. */
export function melToHertz(mel: number, scale: MelScale = 'htk'): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  return mel < bendMels ? (mel * 200) / 3 : bend * Math.exp(logStep * (mel - bendMels));
}

/**
 * Triangular filters whose corners are equally far apart in pitch: float32 [bins, mels], to be multiplied from the right with
 * spectra [..., bins], whose bins lie evenly from 0 to sampleRate / 2.
 */
export function melFilterbank(bins: number, options: MelOptions = {}): Tensor<readonly [number, number], 'float32'> {
  const where = 'melFilterbank';
  checkOptions(where, options, melOptions);
  checkWhole(where, 'bins', bins, 1);
  const mels = checkWhole(where, 'mels', options.mels ?? 128, 1);
  const { sampleRate = 16_000, low = 0, high = sampleRate / 2, scale = 'htk', norm = 'none' } = options;
  if (!(sampleRate > 0)) throw new RangeError(`${where}: sampleRate must be above 0, got ${sampleRate}.`);
  if (!(low >= 0 && low < high && high <= sampleRate / 2))
    throw new RangeError(`${where}: needs 0 <= low < high <= ${sampleRate / 2}, half the sample rate; got low ${low}, high ${high}.`);
  if (!['htk', 'slaney'].includes(scale)) throw new RangeError(`${where}: scale is 'htk' or 'slaney', not '${scale}'.`);
  if (!['none', 'slaney'].includes(norm)) throw new RangeError(`${where}: norm is 'none' or 'slaney', not '${norm}'.`);
  const [first, last] = [hertzToMel(low, scale), hertzToMel(high, scale)];
  const corners = Array.from({ length: mels + 2 }, (_, i) => melToHertz(first + ((last - first) * i) / (mels + 1), scale));
  const bank = new Float32Array(bins * mels);
  for (let bin = 0; bin < bins; bin++) {
    const hertz = bins === 1 ? 0 : (bin * sampleRate) / 2 / (bins - 1);
    for (let mel = 0; mel < mels; mel++) {
      const [left, middle, right] = corners.slice(mel, mel + 3) as [number, number, number];
      const height = Math.max(0, Math.min((hertz - left) / (middle - left), (right - hertz) / (right - middle)));
      bank[bin * mels + mel] = norm === 'slaney' ? (2 * height) / (right - left) : height;
    }
  }
  return leafTensor([bins, mels], 'float32', bank);
}
