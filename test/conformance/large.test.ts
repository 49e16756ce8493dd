// Shapes beyond any block, panel or chunk of a kernel, odd on every side: where loops meet their ends.
import type { OpName } from '../../src/ops/index.js';
import type { Sample, SampleInput } from '../references/samples.js';
import { recurrentSamplesOf, wideRecurrences } from '../references/samples/recurrent.js';
import { flags, real, whole } from '../references/samples/sample.js';
import { conform } from './conform.js';

const call = (inputs: readonly SampleInput[], attributes: Sample['attributes'] = {}): Sample => ({ inputs, attributes });
const LONG = [50_021];
const MATRIX = [301, 263];

const matmul = (m: number, k: number, n: number, transposeA: boolean, transposeB: boolean): Sample =>
  call([real(transposeA ? [k, m] : [m, k]), real(transposeB ? [n, k] : [k, n])], { transposeA, transposeB, activation: 'none' });
const convolution = (x: readonly number[], w: readonly number[], padding: number, dilation = 1, groups = 1): Sample =>
  call([real(x), real(w)], {
    stride: [1, 1],
    padding: [padding, padding, padding, padding],
    dilation: [dilation, dilation],
    groups,
    activation: 'none',
  });
const reduced = (x: SampleInput, ...axes: number[]): Sample => call([x], { axes, keepDims: false });
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, decoupled: true };

const samples: Partial<Record<OpName, readonly Sample[]>> = {
  matmul: [
    ...[0, 1, 2, 3].map((bits) => matmul(133, 521, 151, (bits & 1) > 0, (bits & 2) > 0)),
    matmul(1, 4099, 67, false, true),
    matmul(515, 3, 129, true, false),
  ],
  conv2d: [
    convolution([3, 28, 28, 1], [33, 3, 3, 1], 0),
    convolution([1, 15, 13, 35], [37, 3, 3, 35], 1),
    convolution([2, 33, 35, 3], [17, 5, 5, 3], 2),
    convolution([1, 19, 21, 5], [33, 3, 3, 5], 2, 2),
    convolution([1, 11, 13, 66], [46, 3, 3, 33], 1, 1, 2),
    convolution([1, 21, 37, 35], [35, 3, 3, 1], 1, 1, 35),
  ],
  maxPool2d: [call([real([3, 31, 33, 35])], { window: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] })],
  avgPool2d: [call([real([3, 31, 33, 35])], { window: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1], countPadding: false })],
  sum: [
    reduced(real(LONG), 0),
    reduced(real(MATRIX), 0),
    reduced(real(MATRIX), 1),
    reduced(real([17, 37, 67]), 0, 2),
    reduced(whole(LONG, -99, 99, 'int64'), 0),
  ],
  max: [reduced(whole(MATRIX, -(2 ** 20), 2 ** 20), 0), reduced(whole(LONG, -(2 ** 30), 2 ** 30), 0)],
  all: [reduced(flags(LONG), 0), reduced(flags(MATRIX), 1)],
  argmax: [call([real(LONG)], { axis: 0, keepDims: false }), call([real(MATRIX)], { axis: 0, keepDims: true })],
  softmax: [call([real([5, 10_007], -4, 4)]), call([real([1031, 10], -4, 4)])],
  crossEntropy: [call([real([67, 1009], -4, 4), whole([67], 0, 1009)]), call([real([1031, 10], -4, 4), whole([1031], 0, 10)])],
  batchNorm: [call([real([5, 29, 31, 13]), real([13]), real([13])], { epsilon: 1e-5 })],
  exp: [call([real(LONG, -9, 9)])],
  add: [call([real(LONG), real(LONG)]), call([whole(LONG, -99, 99), whole(LONG, -99, 99)])],
  where: [call([flags(LONG), real(LONG), real(LONG)])],
  cast: [
    call([real(LONG, -300, 300)], { dtype: 'int8' }),
    call([real(LONG)], { dtype: 'bfloat16' }),
    call([whole(LONG, -9, 9, 'int64')], { dtype: 'float32' }),
  ],
  dropout: [call([real([9001]), whole([3], 1, 99, 'int64')], { rate: 0.3, stream: 5 })],
  transpose: [call([real(MATRIX)], { axes: [1, 0] }), call([real([37, 41, 29])], { axes: [2, 0, 1] })],
  pad: [call([real(MATRIX)], { low: [3, 1], high: [0, 5], value: 2 })],
  concat: [call([real(MATRIX), real([301, 5]), real(MATRIX)], { axis: 1 })],
  gather: [
    call([real([701, 33]), whole([1009], -701, 701)], { axis: 0 }),
    call([real([3, 20_011]), whole([997], 0, 20_011, 'int64')], { axis: 1 }),
  ],
  cumulativeSum: [
    call([real([140_001])], { axis: 0, reverse: true, exclusive: false }),
    call([real([7, 131, 263])], { axis: 1, reverse: false, exclusive: true }),
  ],
  cumulativeProduct: [call([real([140_001], 0.999, 1.001)], { axis: 0, reverse: false, exclusive: true })],
  cumulativeMax: [false, true].map((reverse) => call([whole([1031], -99, 99)], { axis: 0, reverse })),
  cumulativeMin: [call([real([140_001])], { axis: 0, reverse: true }), call([real(MATRIX)], { axis: 0, reverse: false })],
  linearRecurrence: [call([real([2, 131_073], -0.9, 0.9), real([2, 131_073])], { axis: 1, reverse: true })],
  sort: [
    call([real([70_001])], { descending: true }),
    call([real([3, 9001])], { descending: false }),
    call([whole([70_001], -(2 ** 50), 2 ** 50, 'int64')], { descending: false }),
  ],
  topK: [call([real([3, 9001])], { k: 1000, largest: true }), call([real([70_001])], { k: 9000, largest: false })],
  scatterReduce: [call([real([101, 33]), whole([1009, 33], -101, 101), real([1009, 33])], { axis: 0, rule: 'set' })],
  scatterAdd: [call([real([101, 33]), whole([1009], -101, 101), real([1009, 33])], { axis: 0 })],
  adamUpdate: [
    call(
      [real(LONG), real(LONG), real(LONG), real(LONG, 0.1, 2), real([], 0.01, 0.02), whole([], 3, 9, 'float32'), real([], 0.5, 1)],
      adam,
    ),
  ],
  ...recurrentSamplesOf(wideRecurrences),
};

conform(Object.keys(samples) as OpName[], samples);
