import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/graph/dtype.js';
import { withContext } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import * as ops from '../../src/ops/index.js';

const x = (shape: readonly number[] = [2, 3], dtype: DType = 'float32'): Value => ops.leaf(shape, dtype);

/** What is called, the class or code of the error, and what its message says. */
const cases: [name: string, call: () => unknown, code: string, message: RegExp][] = [
  ['add, shapes', () => ops.add(x([2, 3]), x([2])), 'SHAPE_MISMATCH', /^add: shapes \[2, 3\] and \[2\] do not broadcast$/],
  ['add, dtypes', () => ops.add(x(), x([2, 3], 'int32')), 'DTYPE_MISMATCH', /^add: float32 does not go with int32; cast one of them$/],
  [
    'add, storage',
    () => ops.add(x([2], 'bfloat16'), x([2], 'bfloat16')),
    'DTYPE_MISMATCH',
    /bfloat16, a storage type.*cast .* to float32 first/,
  ],
  ['add, fraction', () => ops.add(x([2], 'int32'), 0.5), 'DTYPE_MISMATCH', /^add: 0\.5 does not go with int32/],
  ['add, two numbers', () => ops.add(1, 2), 'TypeError', /add: one operand at least must be a value/],
  ['exp of integers', () => ops.exp(x([2], 'int32')), 'DTYPE_MISMATCH', /^exp: x is int32, but must be float32; cast x to float32 first$/],
  ['sum of bool', () => ops.sum(x([2], 'bool')), 'DTYPE_MISMATCH', /^sum: x is bool/],
  ['mean of integers', () => ops.mean(x([2], 'int32')), 'DTYPE_MISMATCH', /^mean: x is int32.*cast x to float32/],
  ['logicalAnd of floats', () => ops.logicalAnd(x(), x()), 'DTYPE_MISMATCH', /^logicalAnd: .* must be bool$/],
  ['where without bool', () => ops.where(x(), x(), x()), 'DTYPE_MISMATCH', /^where: the condition is float32/],
  ['reshape', () => ops.reshape(x(), [4]), 'SHAPE_MISMATCH', /^reshape: shape \[2, 3\] has 6 elements and \[4\] 4$/],
  ['reshape, -1', () => ops.reshape(x(), [4, -1]), 'SHAPE_MISMATCH', /^reshape: the 6 elements of \[2, 3\] do not fill \[4, -1\]$/],
  ['reshape, negative', () => ops.reshape(x(), [-2, -3]), 'RangeError', /\[-2, -3\] is no shape/],
  ['broadcast', () => ops.broadcast(x([3]), [4]), 'SHAPE_MISMATCH', /^broadcast: shape \[3\] does not broadcast to \[4\]$/],
  ['transpose', () => ops.transpose(x(), [0, 0]), 'SHAPE_MISMATCH', /axes \[0, 0\] are no permutation/],
  ['axis', () => ops.sum(x(), 2), 'RangeError', /^sum: axis 2 is outside a value of rank 2$/],
  ['axis twice', () => ops.sum(x(), [1, -1]), 'RangeError', /axes \[1, -1\] name an axis twice/],
  ['axis, fraction', () => ops.flip(x(), 0.5), 'TypeError', /axis 0\.5 is not an integer/],
  ['slice, step', () => ops.slice(x(), [0], [2], [0]), 'RangeError', /step 0 must be an integer other than 0/],
  ['slice, rank', () => ops.slice(x(), [0, 0, 0]), 'RangeError', /more axes than shape \[2, 3\] has/],
  ['pad, negative', () => ops.pad(x([3]), [-1], [0]), 'RangeError', /slice\(\) takes elements away/],
  ['concat', () => ops.concat([x([2, 3]), x([3, 2])], 0), 'SHAPE_MISMATCH', /shapes \[2, 3\] and \[3, 2\] differ outside axis 0/],
  ['concat of nothing', () => ops.concat([]), 'RangeError', /nothing to join/],
  ['stack', () => ops.stack([x([2]), x([3])]), 'SHAPE_MISMATCH', /shapes \[2\] and \[3\] must be equal/],
  ['split', () => ops.split(x([5]), 2), 'SHAPE_MISMATCH', /does not split into 2 equal parts/],
  ['squeeze', () => ops.squeeze(x(), 0), 'SHAPE_MISMATCH', /axis 0 of shape \[2, 3\] is not of size 1/],
  ['max of nothing', () => ops.max(x([0])), 'SHAPE_MISMATCH', /^max: shape \[0\] has no elements to choose from$/],
  ['argmax of nothing', () => ops.argmax(x([2, 0])), 'SHAPE_MISMATCH', /no elements to choose from along axis 1/],
  ['gather by floats', () => ops.gather(x(), x([2])), 'DTYPE_MISMATCH', /^gather: the index is float32.*cast the index to int32/],
  ['scatterAdd', () => ops.scatterAdd(x(), x([4], 'int32'), x([4])), 'SHAPE_MISMATCH', /updates have shape \[4\].* take \[4, 3\]/],
  ['takeAlong', () => ops.takeAlong(x(), x([3, 1], 'int32')), 'SHAPE_MISMATCH', /differ outside axis 1/],
  ['dynamicSlice', () => ops.dynamicSlice(x(), [0, 0], [3, 3]), 'SHAPE_MISMATCH', /a window of \[3, 3\] does not fit shape \[2, 3\]/],
  ['oneHot', () => ops.oneHot(x(), 3), 'DTYPE_MISMATCH', /^oneHot: the index is float32/],
  [
    'matmul',
    () => ops.matmul(x([2, 3]), x([4, 5])),
    'SHAPE_MISMATCH',
    /^matmul: shapes \[2, 3\] and \[4, 5\] do not multiply: 3 columns meet 4 rows$/,
  ],
  [
    'matmul, transposed',
    () => ops.matmul(x([2, 3]), x([3, 5]), { transposeB: true }),
    'SHAPE_MISMATCH',
    /\[3, 5\] transposed do not multiply/,
  ],
  ['matmul, batch', () => ops.matmul(x([2, 3, 4]), x([3, 4, 5])), 'SHAPE_MISMATCH', /shapes \[2\] and \[3\] do not broadcast/],
  ['matmul of a scalar', () => ops.matmul(x([]), x()), 'SHAPE_MISMATCH', /use mul/],
  ['conv2d, rank', () => ops.conv2d(x([5, 5, 1]), x([2, 3, 3, 1])), 'SHAPE_MISMATCH', /must have rank 4: images \[N, H, W, channels\]/],
  [
    'conv2d, channels',
    () => ops.conv2d(x([1, 5, 5, 3]), x([2, 3, 3, 1])),
    'SHAPE_MISMATCH',
    /has 3 channels, but the weight \[2, 3, 3, 1\] takes 1/,
  ],
  [
    'conv2d, window',
    () => ops.conv2d(x([1, 2, 5, 1]), x([2, 3, 3, 1])),
    'SHAPE_MISMATCH',
    /a window of \[3, 3\] does not fit an image of \[2, 5\]/,
  ],
  [
    'conv2d, option',
    () => ops.conv2d(x([1, 5, 5, 1]), x([2, 3, 3, 1]), { strides: 2 } as object),
    'UNKNOWN_OPTION',
    /did you mean "stride"/,
  ],
  ['conv2d, padding', () => ops.conv2d(x([1, 5, 5, 1]), x([2, 3, 3, 1]), { padding: [1, 2, 3] }), 'RangeError', /padding must be/],
  ['maxPool2d, stride', () => ops.maxPool2d(x([1, 4, 4, 1]), 2, { stride: 0 }), 'RangeError', /stride must be an integer >= 1/],
  ['maxPool2d, padding', () => ops.maxPool2d(x([1, 4, 4, 1]), 2, { padding: 2 }), 'INVALID_ARGUMENT', /must be smaller than the window/],
  ['maxPool2d, window', () => ops.maxPool2d(x([1, 20, 20, 1]), 16), 'INVALID_ARGUMENT', /more than 255 places/],
  ['softmax of a scalar', () => ops.softmax(x([])), 'RangeError', /axis -1 is outside a value of rank 0/],
  ['crossEntropy, labels', () => ops.crossEntropy(x([4, 10]), x([3], 'int32')), 'SHAPE_MISMATCH', /the labels have shape \[3\].*\[4\]$/],
  ['crossEntropy, dtype', () => ops.crossEntropy(x([4, 10]), x([4])), 'DTYPE_MISMATCH', /the labels is float32|the labels/],
  ['batchNorm', () => ops.batchNorm(x([4, 3]), x([2]), x([3])), 'SHAPE_MISMATCH', /takes scale and shift of shape \[3\], not \[2\]/],
  ['uniform, state', () => ops.uniform(x([2], 'int64'), [3], 0), 'SHAPE_MISMATCH', /must be \[seed, step, first element\]/],
  ['dropout, rate', () => ops.dropout(x(), x([3], 'int64'), 1, 0), 'RangeError', /rate 1 must be in \[0, 1\)/],
  ['constant', () => ops.constant(0.5, [2], 'int32'), 'TypeError', /0\.5 is not an integer/],
  ['cast', () => ops.cast(x(), 'float64' as DType), 'TypeError', /there is no dtype "float64"/],
  ['clamp', () => ops.clamp(x()), 'TypeError', /give low, high or both/],
  ['norm', () => ops.norm(x(), undefined, false, NaN), 'RangeError', /order NaN must be a number/],
];

describe('errors of ops name the op, the types and the remedy', () => {
  it.each(cases)('%s', (_, call, code, message) => {
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Error);
    expect((error as { code?: string }).code ?? (error as Error).name).toBe(code);
    expect((error as Error).message).toMatch(message);
  });

  it('name the module, where one is known', () => {
    expect(() => withContext({ scope: 'decoder.attention' }, () => ops.add(x([2]), x([3])))).toThrow(/\(in decoder\.attention\)$/);
  });
});

describe('records refuse what builders would not hand them', () => {
  const { records } = ops;
  it.each<[string, () => unknown, RegExp]>([
    ['add', () => records.add.infer([x([2]), x([1])], {}), /shapes \[2\] and \[1\] must be equal; broadcast one of them/],
    ['slice', () => records.slice.infer([x([3])], { start: [0], stop: [4], step: [1] }), /0:4:1 is outside axis 0/],
    [
      'conv2dGradInput',
      () =>
        records.conv2dGradInput.infer([x([1, 2, 2, 4]), x([4, 3, 3, 1])], {
          stride: [1, 1],
          padding: [0, 0, 0, 0],
          dilation: [1, 1],
          groups: 1,
          inputSize: [5, 5],
        }),
      /dy has shape \[1, 2, 2, 4\], but the convolution \[1, 3, 3, 4\]/,
    ],
    [
      'maxPool2dGrad',
      () =>
        records.maxPool2dGrad.infer([x([1, 2, 2, 1]), x([1, 2, 2, 1], 'int32')], {
          window: [2, 2],
          stride: [2, 2],
          padding: [0, 0, 0, 0],
          inputSize: [4, 4],
        }),
      /the index is int32, but must be uint8/,
    ],
    [
      'sgdUpdate',
      () =>
        records.sgdUpdate.infer([x([2]), x([2]), x([2]), x([]), x([]), x([])], {
          momentum: 0,
          dampening: 0,
          nesterov: false,
          weightDecay: 0,
        }),
      /without momentum the buffer has shape \[0\], not \[2\]/,
    ],
    [
      'adamUpdate',
      () =>
        records.adamUpdate.infer([x([2]), x([2]), x([2]), x([2]), x([1]), x([]), x([])], {
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0,
          decoupled: false,
        }),
      /learningRate has shape \[1\], but must be a scalar/,
    ],
    [
      'elementwise',
      () => records.elementwise.infer([x([2])], { shape: [3], program: ops.encodeProgram({ instructions: [], stored: [0] }) }),
      /an input has shape \[2\], but the program runs over \[3\]/,
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
