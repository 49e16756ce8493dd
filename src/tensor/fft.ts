// Fourier transforms. Complex numbers are pairs [real, imaginary] along a last axis of size 2.
import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

export { hamming, hann, blackman, type WindowOptions } from './windows.js';
export { istft, type InverseStftOptions, stft, type StftOptions } from './stft.js';

/** Which way is divided by the size: the inverse ('backward'), the other ('forward'), or both by its root ('ortho'). */
export type FftNorm = 'backward' | 'ortho' | 'forward';

export interface FftOptions {
  /** Length of the transform: the sequence is cut, or extended by zeros. Default: its own. */
  size?: number;
  /** Default 'backward', as PyTorch and NumPy. */
  norm?: FftNorm;
}

/** x scaled as the norm demands of a transform of this size and direction. */
function scaled(where: string, x: Value, size: number, norm: FftNorm, inverse: boolean): Value {
  if (!['backward', 'ortho', 'forward'].includes(norm))
    throw new RangeError(`${where}: norm is 'backward', 'ortho' or 'forward', not '${norm}'.`);
  if (norm === 'ortho') return ops.mul(x, 1 / Math.sqrt(size));
  return inverse === (norm === 'backward') ? ops.mul(x, 1 / size) : x;
}

/** x with `size` elements along an axis. */
function sized(where: string, x: Value, axis: number, size: number | undefined): Value {
  if (size === undefined) return x;
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`${where}: size must be an integer of at least 1, got ${size}.`);
  const at = x.shape.length + axis;
  const found = x.shape[at] ?? 0;
  if (found >= size) return found === size ? x : ops.sliceAxis(x, at, 0, size);
  const none = x.shape.map(() => 0);
  return ops.pad(x, none, none.with(at, size - found));
}

function complex(where: string, x: Tensor, options: FftOptions, inverse: boolean): Tensor {
  checkOptions(where, options, ['size', 'norm']);
  const value = tensorValue(x, where);
  const result = ops.fft(sized(where, value, -2, options.size), inverse);
  return wrap(scaled(where, result, result.shape.at(-2)!, options.norm ?? 'backward', inverse));
}

/** Discrete Fourier transform of pairs [..., n, 2] over axis -2: sum of x_j exp(-2 pi i j k / n). */
export const fft = (x: Tensor, options: FftOptions = {}): Tensor => complex('fft', x, options, false);

/** Inverse of `fft`: 1 / n times the sum with exp(+2 pi i j k / n). */
export const ifft = (x: Tensor, options: FftOptions = {}): Tensor => complex('ifft', x, options, true);

/** Transform of real x [..., n]: the bins 0 .. n / 2 as pairs, [..., floor(n / 2) + 1, 2]. The other bins mirror them. */
export function rfft(x: Tensor, options: FftOptions = {}): Tensor {
  checkOptions('rfft', options, ['size', 'norm']);
  const value = tensorValue(x, 'rfft');
  const sequence = sized('rfft', value, -1, options.size);
  return wrap(scaled('rfft', ops.rfft(sequence), sequence.shape.at(-1)!, options.norm ?? 'backward', false));
}

/** Inverse of `rfft`: [..., m, 2] to real [..., size]. The default size is 2 (m - 1); an odd one must be given. */
export function irfft(x: Tensor, options: FftOptions = {}): Tensor {
  checkOptions('irfft', options, ['size', 'norm']);
  const value = tensorValue(x, 'irfft');
  const { size = Math.max(1, 2 * ((value.shape.at(-2) ?? 1) - 1)), norm = 'backward' } = options;
  const bins = sized('irfft', value, -2, Math.floor(size / 2) + 1);
  return wrap(scaled('irfft', ops.irfft(bins, size), size, norm, true));
}

/** The frequencies of the bins of `fft`, in cycles per unit of `spacing`: [0, 1, ..., -2, -1] / (n spacing). */
export function fftFrequencies(n: number, spacing = 1): Tensor {
  const bin = ops.iota([n], 0, 'float32');
  const signed = ops.where(ops.greaterEqual(bin, Math.ceil(n / 2)), ops.sub(bin, n), bin);
  return wrap(ops.div(signed, n * spacing));
}

/** The frequencies of the bins of `rfft`: [0, 1, ..., n / 2] / (n spacing). */
export const rfftFrequencies = (n: number, spacing = 1): Tensor =>
  wrap(ops.div(ops.iota([Math.floor(n / 2) + 1], 0, 'float32'), n * spacing));
