import { distinct, given, real, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Kernels =
  | 'matmul'
  | 'conv2d'
  | 'conv2dGradInput'
  | 'conv2dGradWeight'
  | 'maxPool2d'
  | 'maxPool2dGrad'
  | 'maxPool2dGather'
  | 'avgPool2d'
  | 'avgPool2dGrad'
  | 'conv2dMaxPool'
  | 'conv2dGradWeightUnpool'
  | 'softmax'
  | 'logSoftmax'
  | 'softmaxGrad'
  | 'logSoftmaxGrad'
  | 'crossEntropy'
  | 'crossEntropyGrad'
  | 'batchNorm'
  | 'batchNormGrad'
  | 'uniform'
  | 'normal'
  | 'dropout';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

type Product = { batch?: readonly number[]; m: number; k: number; n: number };
const products: Product[] = [
  { m: 1, k: 1, n: 1 },
  { m: 3, k: 5, n: 7 },
  { m: 1, k: 7, n: 5 },
  { m: 5, k: 7, n: 1 },
  { m: 0, k: 3, n: 2 },
  { m: 2, k: 0, n: 3 },
  { batch: [2], m: 3, k: 2, n: 4 },
  { batch: [2, 3], m: 1, k: 3, n: 2 },
  { m: 37, k: 129, n: 67 },
];
const matmuls = products.flatMap(({ batch = [], m, k, n }) =>
  [0, 1, 2, 3].map((flags) => {
    const [transposeA, transposeB] = [(flags & 1) > 0, (flags & 2) > 0];
    const a = real([...batch, ...(transposeA ? [k, m] : [m, k])]);
    const b = real([...batch, ...(transposeB ? [n, k] : [k, n])]);
    return call([a, b], { transposeA, transposeB, activation: 'none' });
  }),
);
const epilogues = ['none', 'relu'].flatMap((activation) => [
  call([real([5, 3]), real([3, 7]), real([7])], { transposeA: false, transposeB: false, activation }),
  call([real([2, 3, 5]), real([2, 7, 5]), real([7])], { transposeA: false, transposeB: true, activation }),
]);

interface Convolution {
  x: readonly number[];
  w: readonly number[];
  stride: readonly [number, number];
  padding: readonly [number, number, number, number];
  dilation?: readonly [number, number];
  groups?: number;
}
const convolutions: Convolution[] = [
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1], stride: [1, 1], padding: [0, 0, 0, 0] },
  { x: [2, 5, 6, 3], w: [4, 3, 3, 3], stride: [1, 1], padding: [0, 0, 0, 0] },
  { x: [1, 7, 7, 1], w: [5, 3, 3, 1], stride: [1, 1], padding: [1, 1, 1, 1] },
  { x: [2, 7, 5, 2], w: [3, 3, 2, 2], stride: [2, 3], padding: [1, 0, 2, 1] },
  { x: [2, 4, 4, 5], w: [7, 1, 1, 5], stride: [1, 1], padding: [0, 0, 0, 0] },
  { x: [1, 8, 8, 2], w: [3, 5, 5, 2], stride: [2, 2], padding: [2, 2, 2, 2] },
  { x: [0, 5, 5, 2], w: [3, 3, 3, 2], stride: [1, 1], padding: [0, 0, 0, 0] },
  { x: [2, 13, 11, 17], w: [19, 3, 3, 17], stride: [1, 1], padding: [1, 1, 1, 1] },
  { x: [2, 7, 8, 3], w: [5, 3, 2, 3], stride: [1, 1], padding: [1, 2, 0, 1], dilation: [2, 3] },
  { x: [1, 9, 11, 2], w: [3, 3, 3, 2], stride: [2, 3], padding: [2, 2, 1, 1], dilation: [2, 2] },
  { x: [2, 5, 6, 6], w: [4, 3, 3, 3], stride: [1, 2], padding: [1, 1, 1, 1], groups: 2 },
  { x: [1, 6, 5, 19], w: [19, 3, 3, 1], stride: [1, 1], padding: [1, 1, 1, 1], groups: 19 },
  { x: [1, 9, 9, 5], w: [5, 3, 2, 1], stride: [2, 2], padding: [1, 2, 0, 1], dilation: [1, 3], groups: 5 },
  { x: [1, 6, 6, 4], w: [8, 3, 3, 1], stride: [1, 1], padding: [0, 0, 2, 0], dilation: [2, 1], groups: 4 },
];
const convOf = ({ stride, padding, dilation = [1, 1], groups = 1 }: Convolution) => ({ stride, padding, dilation, groups });
const convolved = ({ x, w, stride, padding, dilation = [1, 1] }: Convolution): number[] => [
  x[0]!,
  ...[0, 1].map(
    (i) => Math.floor((x[1 + i]! + padding[2 * i]! + padding[2 * i + 1]! - (w[1 + i]! - 1) * dilation[i]! - 1) / stride[i]!) + 1,
  ),
  w[0]!,
];

interface Pooling {
  x: readonly number[];
  window: readonly [number, number];
  stride: readonly [number, number];
  padding: readonly [number, number, number, number];
}
const poolings: Pooling[] = [
  { x: [1, 2, 2, 1], window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
  { x: [2, 6, 4, 3], window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
  { x: [2, 7, 5, 3], window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
  { x: [1, 5, 7, 2], window: [3, 2], stride: [1, 2], padding: [1, 1, 0, 1] },
  { x: [1, 7, 7, 17], window: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
  { x: [0, 4, 4, 2], window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
];
const pooled = ({ x, window, stride, padding }: Pooling): number[] => [
  x[0]!,
  ...[0, 1].map((i) => Math.floor((x[1 + i]! + padding[2 * i]! + padding[2 * i + 1]! - window[i]!) / stride[i]!) + 1),
  x[3]!,
];
const poolOf = ({ window, stride, padding }: Pooling) => ({ window, stride, padding });
const gradOf = (pooling: Pooling) => ({ ...poolOf(pooling), inputSize: pooling.x.slice(1, 3) });

/** A place of each window that lies inside the image. */
const indexOf = (pooling: Pooling): SampleInput => {
  const shape = pooled(pooling);
  const { x, window, stride, padding } = pooling;
  return {
    shape,
    dtype: 'uint8',
    fill: (random, size) =>
      Array.from({ length: size }, (_, flat) => {
        const column = Math.floor(flat / shape[3]!) % shape[2]!;
        const row = Math.floor(flat / (shape[3]! * shape[2]!)) % shape[1]!;
        const pick = (axis: 0 | 1, at: number): number => {
          const first = at * stride[axis] - padding[2 * axis]!;
          const low = Math.max(0, -first);
          const high = Math.min(window[axis], x[1 + axis]! - first);
          return low + Math.floor(random() * (high - low));
        };
        return pick(0, row) * window[1] + pick(1, column);
      }),
  };
};

/** Convolutions whose output is pooled by 2 x 2. */
const fused: Convolution[] = [convolutions[1]!, convolutions[2]!, { ...convolutions[7]!, x: [1, 9, 7, 17] }, { ...convolutions[6]! }];
const fusedPooling = (convolution: Convolution): Pooling => ({
  x: convolved(convolution),
  window: [2, 2],
  stride: [2, 2],
  padding: [0, 0, 0, 0],
});

const rows = [[1], [7], [3, 5], [2, 3, 4], [0, 5], [3, 1], [33, 67], [2, 1031]];
const classes: [samples: number, classes: number][] = [
  [1, 1],
  [3, 5],
  [7, 10],
  [0, 4],
  [33, 67],
];
const normalised = [
  [4, 3],
  [5, 1],
  [2, 3, 4, 5],
  [3, 2, 2, 17],
  [67, 33],
];
const epsilon = { epsilon: 1e-3 };

const state = (seed: number, step: number, first: number): SampleInput => given([3], 'int64', [seed, step, first]);
const states = [state(0, 0, 0), state(42, 7, 0), state(2 ** 40 + 3, 2 ** 33 + 1, 6), state(-5, 1, 2 ** 34 + 4)];
const draws = states.flatMap((input, i) =>
  [[], [1], [7], [0], [3, 5], [1031]].map((shape) => call([input], { shape, stream: i === 0 ? 0 : 0xdeadbeef })),
);

export const kernelSamples: Samples<Kernels> = {
  matmul: [...matmuls, ...epilogues],
  conv2d: [
    ...convolutions.map((c) => call([real(c.x), real(c.w)], { ...convOf(c), activation: 'none' })),
    ...[1, 8, 11].flatMap((i) => {
      const c = convolutions[i]!;
      return ['none', 'relu'].map((activation) => call([real(c.x), real(c.w), real([c.w[0]!])], { ...convOf(c), activation }));
    }),
  ],
  conv2dGradInput: convolutions.map((c) => call([real(convolved(c)), real(c.w)], { ...convOf(c), inputSize: c.x.slice(1, 3) })),
  conv2dGradWeight: convolutions.map((c) => call([real(c.x), real(convolved(c))], { ...convOf(c), kernelSize: c.w.slice(1, 3) })),
  maxPool2d: [
    ...poolings.map((pooling) => call([distinct(pooling.x)], poolOf(pooling))),
    { ...call([given([1, 2, 4, 1], 'float32', [1, 1, NaN, 2, 1, 1, 3, NaN])], poolOf(poolings[0]!)), smooth: false },
  ],
  maxPool2dGrad: poolings.map((pooling) => call([real(pooled(pooling)), indexOf(pooling)], gradOf(pooling))),
  maxPool2dGather: poolings.map((pooling) => call([real(pooling.x), indexOf(pooling)], poolOf(pooling))),
  avgPool2d: poolings.flatMap((pooling) =>
    [true, false].map((countPadding) => call([real(pooling.x)], { ...poolOf(pooling), countPadding })),
  ),
  avgPool2dGrad: poolings.flatMap((pooling) =>
    [true, false].map((countPadding) => call([real(pooled(pooling))], { ...gradOf(pooling), countPadding })),
  ),
  conv2dMaxPool: fused.flatMap((c) =>
    ['none', 'relu'].map((activation) =>
      call([real(c.x), real(c.w), real([c.w[0]!])], { stride: c.stride, padding: c.padding, window: [2, 2], activation }),
    ),
  ),
  conv2dGradWeightUnpool: fused.map((c) => {
    const pooling = fusedPooling(c);
    const { stride, padding } = c;
    return call([real(c.x), real(pooled(pooling)), indexOf(pooling)], {
      stride,
      padding,
      kernelSize: c.w.slice(1, 3),
      window: [2, 2],
      outputSize: pooling.x.slice(1, 3),
    });
  }),
  softmax: rows.map((shape) => call([real(shape, -4, 4)], {})),
  logSoftmax: rows.map((shape) => call([real(shape, -4, 4)], {})),
  softmaxGrad: rows.map((shape) => call([real(shape), real(shape, 0.05, 1)], {})),
  logSoftmaxGrad: rows.map((shape) => call([real(shape), real(shape, -4, -0.1)], {})),
  crossEntropy: classes.flatMap(([n, c]) =>
    (['int32', 'int64', 'uint8'] as const).map((dtype) => call([real([n, c], -4, 4), whole([n], 0, c, dtype)], {})),
  ),
  crossEntropyGrad: classes.map(([n, c]) => call([real([n]), real([n, c]), whole([n], 0, c), real([n], 2, 3)], {})),
  batchNorm: normalised.map((shape) => call([real(shape), real(shape.slice(-1)), real(shape.slice(-1))], epsilon)),
  batchNormGrad: normalised.map((shape) =>
    call([real(shape), real(shape), real(shape.slice(-1)), real(shape.slice(-1), -0.3, 0.3), real(shape.slice(-1), 0.5, 2)], epsilon),
  ),
  uniform: draws,
  normal: draws,
  dropout: [[], [1], [7], [0], [3, 5], [1031]].flatMap((shape, i) =>
    [0, 0.25, 0.5].map((rate) => call([real(shape), states[i % states.length]!], { rate, stream: 77 + i })),
  ),
};
