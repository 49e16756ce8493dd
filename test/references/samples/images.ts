import { real } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

/** Sizes whose ratios are whole, broken, below and above one. */
const resizings = [
  { x: [1, 1, 1, 1], size: [1, 1] },
  { x: [2, 4, 3, 2], size: [8, 6] },
  { x: [1, 5, 7, 3], size: [3, 11] },
  { x: [1, 6, 5, 17], size: [1, 2] },
  { x: [0, 3, 3, 2], size: [5, 5] },
];
const methods = [
  ...['nearest', 'nearestExact', 'area'].map((method) => ({ method, alignCorners: false })),
  ...['bilinear', 'bicubic'].flatMap((method) => [true, false].map((alignCorners) => ({ method, alignCorners }))),
];
const resamplings = resizings.flatMap(({ x, size }) =>
  methods.map(({ method, alignCorners }) => {
    const ratio = [0, 1].map((i) => {
      if (!alignCorners) return x[1 + i]! / size[i]!;
      return size[i]! > 1 ? (x[1 + i]! - 1) / (size[i]! - 1) : 0;
    });
    return { x, size, attributes: { method, alignCorners, ratio } };
  }),
);

const unfoldings = [
  { x: [1, 1, 1, 1], window: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], places: 1 },
  { x: [2, 5, 6, 3], window: [3, 2], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], places: 15 },
  { x: [1, 7, 5, 2], window: [2, 3], stride: [2, 1], padding: [1, 0, 2, 1], dilation: [2, 2], places: 12 },
  { x: [2, 4, 4, 17], window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0], dilation: [1, 1], places: 4 },
  { x: [0, 4, 4, 2], window: [2, 2], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], places: 9 },
];

export const imageSamples: Samples<'resample2d' | 'resample2dGrad' | 'unfold2d' | 'fold2d'> = {
  resample2d: resamplings.map(({ x, size, attributes }) => call([real(x)], { ...attributes, outputSize: size })),
  resample2dGrad: resamplings.map(({ x, size, attributes }) =>
    call([real([x[0]!, ...size, x[3]!])], { ...attributes, inputSize: x.slice(1, 3) }),
  ),
  unfold2d: unfoldings.map(({ x, places: _, ...attributes }) => call([real(x)], attributes)),
  fold2d: unfoldings.map(({ x, places, ...attributes }) =>
    call([real([x[0]!, places, attributes.window[0]! * attributes.window[1]! * x[3]!])], { ...attributes, inputSize: x.slice(1, 3) }),
  ),
};
