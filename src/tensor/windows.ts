import { checkOptions } from '../errors.js';
import { leafTensor } from './create.js';
import type { Tensor } from './tensor.js';

export interface WindowOptions {
  /** As one period of an endless sequence, for spectra (default, as PyTorch); false: symmetric, for filters. */
  periodic?: boolean;
}

/** The sum of c[k] cos(2 pi k i / period), computed in float64. */
function cosineWindow(
  where: string,
  size: number,
  coefficients: readonly number[],
  options: WindowOptions,
): Tensor<readonly [number], 'float32'> {
  checkOptions(where, options, ['periodic']);
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`${where}: size must be an integer of at least 1, got ${size}.`);
  const period = (options.periodic ?? true) ? size : size - 1;
  const at = (i: number): number => coefficients.reduce((sum, c, k) => sum + c * Math.cos((2 * Math.PI * k * i) / Math.max(1, period)), 0);
  return leafTensor(
    [size],
    'float32',
    Float32Array.from({ length: size }, (_, i) => (size === 1 ? 1 : at(i))),
  );
}

/** 0.5 - 0.5 cos(2 pi i / size) */
export const hann = (size: number, options: WindowOptions = {}): Tensor<readonly [number], 'float32'> =>
  cosineWindow('hann', size, [0.5, -0.5], options);

/** 0.54 - 0.46 cos(2 pi i / size) */
export const hamming = (size: number, options: WindowOptions = {}): Tensor<readonly [number], 'float32'> =>
  cosineWindow('hamming', size, [0.54, -0.46], options);

/** 0.42 - 0.5 cos(2 pi i / size) + 0.08 cos(4 pi i / size) */
export const blackman = (size: number, options: WindowOptions = {}): Tensor<readonly [number], 'float32'> =>
  cosineWindow('blackman', size, [0.42, -0.5, 0.08], options);
