import { build, elementAt, placeOf } from './array.js';
import type { NdArray64, References } from './array.js';

interface Tap {
  readonly place: number;
  readonly weight: number;
}

/** Keys's cubic convolution with A = -0.75. */
const cubic = (distance: number): number => {
  const [x, a] = [Math.abs(distance), -0.75];
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
};

/**
 * What an output reads along one axis. Nearest finds its pixel in float32, as the device must: another pixel is no rounding. The method
 * 'bicubicMagnitude' has the sizes of bicubic's weights, for bounds.
 */
function tapsOf(method: string, alignCorners: boolean, ratio: number, input: number, output: number, i: number): Tap[] {
  const clamp = (place: number) => Math.min(Math.max(place, 0), input - 1);
  if (method.startsWith('nearest')) {
    const at = Math.fround(Math.fround(i + (method === 'nearest' ? 0 : 0.5)) * Math.fround(ratio));
    return [{ place: clamp(Math.floor(at)), weight: 1 }];
  }
  if (method === 'area') {
    const begin = Math.floor((i * input) / output);
    const end = Math.ceil(((i + 1) * input) / output);
    return Array.from({ length: end - begin }, (_, k) => ({ place: begin + k, weight: 1 / (end - begin) }));
  }
  const at = alignCorners ? i * ratio : (i + 0.5) * ratio - 0.5;
  if (method === 'bilinear') {
    const below = Math.floor(Math.max(at, 0));
    const rest = Math.max(at, 0) - below;
    return [
      { place: clamp(below), weight: 1 - rest },
      { place: clamp(below + 1), weight: rest },
    ];
  }
  const size = method === 'bicubicMagnitude' ? Math.abs : (x: number) => x;
  return [-1, 0, 1, 2].map((k) => ({ place: clamp(Math.floor(at) + k), weight: size(cubic(at - Math.floor(at) - k)) }));
}

interface Resampling {
  readonly method: string;
  readonly alignCorners: boolean;
  readonly ratio: readonly number[];
}

/** Calls `fn` for each pixel and weight that an output element reads. */
function forEachSource(
  { method, alignCorners, ratio }: Resampling,
  image: readonly number[],
  output: readonly number[],
  index: readonly number[],
  fn: (at: readonly number[], weight: number) => void,
): void {
  const [n, row, column, channel] = index as [number, number, number, number];
  for (const down of tapsOf(method, alignCorners, ratio[0]!, image[1]!, output[1]!, row)) {
    for (const across of tapsOf(method, alignCorners, ratio[1]!, image[2]!, output[2]!, column))
      fn([n, down.place, across.place, channel], down.weight * across.weight);
  }
}

interface Windows {
  readonly window: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** The pixel that element `index` of unfolded windows shows; undefined in the padding. */
function unfoldedFrom(image: readonly number[], { window, stride, padding, dilation }: Windows, index: readonly number[]) {
  const [n, place, element] = index as [number, number, number];
  const reach = (window[1]! - 1) * dilation[1]! + 1;
  const columns = Math.floor((image[2]! + padding[2]! + padding[3]! - reach) / stride[1]!) + 1;
  const channels = image[3]!;
  const tap = Math.floor(element / channels);
  const row = Math.floor(place / columns) * stride[0]! - padding[0]! + Math.floor(tap / window[1]!) * dilation[0]!;
  const column = (place % columns) * stride[1]! - padding[2]! + (tap % window[1]!) * dilation[1]!;
  return row < 0 || column < 0 || row >= image[1]! || column >= image[2]! ? undefined : [n, row, column, element % channels];
}

/** Adds what `visit` sends back from each element of `dy`. */
function gathered(
  dy: NdArray64,
  shape: readonly number[],
  visit: (index: readonly number[], add: (at: readonly number[], weight: number) => void) => void,
) {
  const dx = build({ shape, dtype: dy.dtype }, () => 0);
  build(dy, (index, i) => {
    visit(index, (at, weight) => {
      dx.data[placeOf(shape, at)]! += weight * dy.data[i]!;
    });
    return 0;
  });
  return dx;
}

export const imageReferences: References<'resample2d' | 'resample2dGrad' | 'unfold2d' | 'fold2d'> = {
  resample2d: ([x], attributes, [type]) => [
    build(type!, (index) => {
      let sum = 0;
      forEachSource(attributes, x!.shape, type!.shape, index, (at, weight) => {
        sum += weight * elementAt(x!, at);
      });
      return sum;
    }),
  ],
  resample2dGrad: ([dy], attributes, [type]) => [
    gathered(dy!, type!.shape, (index, add) => forEachSource(attributes, type!.shape, dy!.shape, index, add)),
  ],
  unfold2d: ([x], attributes, [type]) => [
    build(type!, (index) => {
      const at = unfoldedFrom(x!.shape, attributes, index);
      return at ? elementAt(x!, at) : 0;
    }),
  ],
  fold2d: ([y], attributes, [type]) => [
    gathered(y!, type!.shape, (index, add) => {
      const at = unfoldedFrom(type!.shape, attributes, index);
      if (at) add(at, 1);
    }),
  ],
};
