import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/graph/dtype.js';
import { reachable } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';

const bound = new Map<Value, NdArray64>();

/** A leaf that holds these elements (default: 0, 1, 2, ...). */
function array(shape: readonly number[], elements?: readonly number[], dtype: DType = 'float32'): Value {
  const value = ops.leaf(shape, dtype);
  bound.set(value, arrayOf(value, elements ?? Array.from({ length: sizeOf(shape) }, (_, i) => i)));
  return value;
}

const read = (value: Value): number[] => [...evaluate([value], bound)[0]!.data];
const slope = (f: Value, x: Value): number[] => read(ops.gradients([f], [ops.onesLike(f)], [x])[0]!);
const close = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 12));
};

describe('elementwise builders', () => {
  it('broadcast as NumPy does, and take numbers', () => {
    expect(ops.add(array([3, 1]), array([2])).shape).toEqual([3, 2]);
    expect(read(ops.add(array([3, 1]), array([2])))).toEqual([0, 1, 1, 2, 2, 3]);
    expect(read(ops.sub(10, array([3])))).toEqual([10, 9, 8]);
    expect(ops.mul(array([0, 3]), array([1])).shape).toEqual([0, 3]);
  });

  it('undo broadcasting in the gradient', () => {
    const [a, b] = [array([3, 1]), array([2])];
    expect(slope(ops.mul(a, b), a)).toEqual([1, 1, 1]);
    expect(slope(ops.mul(a, b), b)).toEqual([3, 3]);
  });

  it('turn powers into the ops that are exact', () => {
    const x = array([2], [4, 9]);
    expect([2, 0.5, -1].map((power) => ops.pow(x, power).node.op.name)).toEqual(['square', 'sqrt', 'reciprocal']);
    expect(ops.pow(x, 1)).toBe(x);
    expect(read(ops.pow(x, 1.5))).toEqual([8, 27]);
    const [zero, none] = [array([1], [0]), array([1], [0])];
    expect(slope(ops.pow(zero, none), zero)).toEqual([0]);
    expect(slope(ops.pow(zero, array([1], [2])), zero)).toEqual([0]);
  });

  it('share the gradient of a maximum between equals', () => {
    const [a, b] = [array([3], [1, 2, 5]), array([3], [1, 3, 4])];
    expect(slope(ops.maximum(a, b), a)).toEqual([0.5, 0, 1]);
    expect(slope(ops.minimum(a, b), a)).toEqual([0.5, 1, 0]);
    const x = array([4], [3, 1, 3, 2]);
    expect(slope(ops.max(x), x)).toEqual([0.5, 0, 0.5, 0]);
  });

  it('have gradient 0 where relu and abs have a kink', () => {
    const x = array([1], [0]);
    expect(slope(ops.relu(x), x)).toEqual([0]);
    expect(slope(ops.abs(x), x)).toEqual([0]);
  });

  it('take remainders with the sign of the divisor, and of the dividend', () => {
    const [a, b] = [array([4], [7, -7, 7, -7]), array([4], [3, 3, -3, -3])];
    expect(read(ops.remainder(a, b))).toEqual([1, 2, -2, -1]);
    expect(read(ops.mod(a, b))).toEqual([1, -1, 1, -1]);
  });

  it('clamp, keeping the gradient on the bounds', () => {
    const x = array([4], [-2, -1, 0.5, 3]);
    expect(read(ops.clamp(x, -1, 1))).toEqual([-1, -1, 0.5, 1]);
    expect(slope(ops.clamp(x, -1, 1), x)).toEqual([0, 1, 1, 0]);
    expect(read(ops.clamp(x, undefined, 0))).toEqual([-2, -1, 0, 0]);
  });
});

describe('movement builders', () => {
  it('leave out nodes that would change nothing', () => {
    const x = array([2, 3]);
    const same = [
      ops.reshape(x, [2, 3]),
      ops.broadcast(x, [2, 3]),
      ops.transpose(x, [0, 1]),
      ops.slice(x, []),
      ops.pad(x, [0, 0], [0, 0]),
      ops.concat([x]),
      ops.cast(x, 'float32'),
      ops.sum(x, []),
    ];
    for (const value of same) expect(value).toBe(x);
  });

  it('slice with bounds from the end, brought to the ends of the axis', () => {
    const x = array([6]);
    expect(read(ops.slice(x, [-3]))).toEqual([3, 4, 5]);
    expect(read(ops.slice(x, [1], [-1], [2]))).toEqual([1, 3]);
    expect(read(ops.slice(x, [-99], [99]))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(read(ops.slice(x, [4], [2]))).toEqual([]);
    expect(read(ops.sliceAxis(array([2, 3]), -1, 1, 3))).toEqual([1, 2, 4, 5]);
  });

  it('insert, remove and join axes', () => {
    const x = array([2, 3]);
    expect(ops.expandDims(x, [0, -1]).shape).toEqual([1, 2, 3, 1]);
    expect(ops.squeeze(array([1, 2, 1])).shape).toEqual([2]);
    expect(ops.squeeze(array([1, 2, 1]), -1).shape).toEqual([1, 2]);
    expect(ops.flatten(array([2, 3, 4]), 1).shape).toEqual([2, 12]);
    expect(ops.flatten(array([])).shape).toEqual([1]);
    expect(ops.reshape(x, [3, -1]).shape).toEqual([3, 2]);
    expect(ops.swapAxes(array([2, 3, 4]), 0, -1).shape).toEqual([4, 3, 2]);
    expect(ops.transpose(x).shape).toEqual([3, 2]);
  });

  it('stack, split and tile', () => {
    expect(read(ops.stack([array([2]), array([2], [7, 8])], 1))).toEqual([0, 7, 1, 8]);
    expect(ops.split(array([6]), 3).map(read)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(ops.split(array([2, 3]), [1, 2], 1).map(read)).toEqual([
      [0, 3],
      [1, 2, 4, 5],
    ]);
    expect(read(ops.tile(array([2]), [3]))).toEqual([0, 1, 0, 1, 0, 1]);
    expect(read(ops.tile(array([2]), [2, 2]))).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    expect(read(ops.tile(array([2, 1]), [1, 2]))).toEqual([0, 0, 1, 1]);
  });
});

describe('reductions made of others', () => {
  const x = array([2, 3], [1, 2, 4, -1, 0, 7]);

  it('mean, variance and standard deviation', () => {
    close(read(ops.mean(x, 1)), [7 / 3, 2]);
    close(read(ops.variance(x, 1)), [7 / 3, 19]);
    close(read(ops.variance(x, 1, true, 0)), [14 / 9, 38 / 3]);
    close(read(ops.std(x, 1)), [Math.sqrt(7 / 3), Math.sqrt(19)]);
    expect(ops.mean(x).shape).toEqual([]);
  });

  it('norms', () => {
    close(read(ops.norm(x, 1)), [Math.sqrt(21), Math.sqrt(50)]);
    close(read(ops.norm(x, 1, false, 1)), [7, 8]);
    close(read(ops.norm(x, 1, false, Infinity)), [4, 7]);
    close(read(ops.norm(x, 1, false, 3)), [73 ** (1 / 3), 344 ** (1 / 3)]);
    const zero = array([2], [0, 0]);
    expect(slope(ops.norm(zero), zero)).toEqual([0, 0]);
  });

  it('logSumExp without overflow, of infinities too', () => {
    close(read(ops.logSumExp(array([2], [1000, 1001]))), [1001 + Math.log1p(Math.exp(-1))]);
    expect(read(ops.logSumExp(array([2], [-Infinity, -Infinity])))).toEqual([-Infinity]);
    expect(ops.logSumExp(x, 0, true).shape).toEqual([1, 3]);
    close(
      slope(ops.logSumExp(x, 1), x).slice(0, 3),
      [1, 2, 4].map((a) => Math.exp(a) / (Math.exp(1) + Math.exp(2) + Math.exp(4))),
    );
  });

  it('the product has the right gradient beside zeros', () => {
    const y = array([3, 3], [2, 3, 4, 2, 0, 4, 0, 0, 5]);
    expect(slope(ops.prod(y, 1), y)).toEqual([12, 8, 6, 0, 8, 0, 0, 0, 0]);
  });
});

describe('indexing builders', () => {
  it('oneHot gives zeros outside the classes', () => {
    expect(read(ops.oneHot(array([3], [1, -1, 3], 'int32'), 3))).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(ops.oneHot(array([2], [0, 1], 'uint8'), 2, 'int32').dtype).toBe('int32');
  });

  it('dynamic windows take numbers and scalars', () => {
    const row = array([], [1], 'int64');
    expect(read(ops.dynamicSlice(array([3, 3]), [row, 0], [1, 2]))).toEqual([3, 4]);
    expect(read(ops.dynamicUpdateSlice(array([3]), array([2], [8, 9]), [5]))).toEqual([0, 8, 9]);
  });

  it('gather adds up gradients of repeated indices', () => {
    const x = array([3]);
    expect(slope(ops.gather(x, array([4], [0, -1, 2, 2], 'int32')), x)).toEqual([1, 0, 3]);
  });
});

describe('matmul', () => {
  it('takes vectors as NumPy does', () => {
    const [v, m] = [array([3]), array([3, 2])];
    expect(read(ops.matmul(v, m))).toEqual([10, 13]);
    expect(read(ops.matmul(ops.transpose(m), v))).toEqual([10, 13]);
    expect(read(ops.matmul(v, v))).toEqual([5]);
    expect(ops.matmul(v, v).shape).toEqual([]);
    expect(ops.matmul(v, array([4, 3, 2])).shape).toEqual([4, 2]);
    expect(ops.matmul(array([4, 2, 3]), v).shape).toEqual([4, 2]);
  });

  it('broadcasts leading axes, and makes one tall product of a shared matrix', () => {
    expect(ops.matmul(array([5, 1, 2, 3]), array([4, 3, 2])).shape).toEqual([5, 4, 2, 2]);
    const [x, w] = [array([2, 2, 3]), array([4, 3])];
    const y = ops.matmul(x, w, { transposeB: true });
    expect(y.shape).toEqual([2, 2, 4]);
    expect(reachable([y]).find(({ op }) => op.name === 'matmul')!.inputs[0]!.shape).toEqual([4, 3]);
    const each = ops.matmul(x, ops.broadcast(w, [2, 4, 3]), { transposeB: true });
    expect(read(y)).toEqual(read(each));
    expect(slope(y, w)).toEqual(slope(each, w));
  });
});

describe('convolution and pooling', () => {
  const image = (h: number, w: number) => array([1, h, w, 1]);
  const kernel = (h: number, w: number) => array([1, h, w, 1], new Array<number>(h * w).fill(1));

  it("padding 'same' keeps ceil(size / stride), the odd one at the bottom and the right", () => {
    expect(ops.conv2d(image(5, 6), kernel(3, 3), { padding: 'same' }).shape).toEqual([1, 5, 6, 1]);
    expect(ops.conv2d(image(5, 6), kernel(3, 3), { padding: 'same', stride: 2 }).shape).toEqual([1, 3, 3, 1]);
    expect(read(ops.conv2d(image(1, 3), kernel(1, 2), { padding: 'same' }))).toEqual([1, 3, 2]);
    expect(ops.conv2d(image(4, 4), kernel(1, 1), { padding: 'same', stride: 3 }).shape).toEqual([1, 2, 2, 1]);
  });

  it('padding is a number, a pair, or four sides', () => {
    const shapeOf = (padding: ops.Padding) => ops.conv2d(image(4, 4), kernel(2, 2), { padding }).shape.slice(1, 3);
    expect([0, 1, [0, 1], [1, 0, 2, 0]].map(shapeOf)).toEqual([
      [3, 3],
      [5, 5],
      [3, 5],
      [4, 5],
    ]);
  });

  it('relu moves behind max pooling, with the same values and gradients', () => {
    const x = array([1, 2, 4, 1], [-1, -2, 3, -4, -5, -6, 7, 8]);
    const y = ops.maxPool2d(ops.relu(x), 2);
    expect(y.node.op.name).toBe('relu');
    expect(reachable([y]).filter(({ op }) => op.name === 'relu').length).toBe(1);
    const plain = ops.maxPool2d(ops.maximum(x, 0), 2);
    expect(read(y)).toEqual(read(plain));
    expect(slope(y, x)).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it('average pooling counts padding, or leaves it out', () => {
    const x = array([1, 2, 2, 1], [1, 2, 3, 4]);
    expect(read(ops.avgPool2d(x, 2, { padding: 1, stride: 2 }))).toEqual([0.25, 0.5, 0.75, 1]);
    expect(read(ops.avgPool2d(x, 2, { padding: 1, stride: 2, countPadding: false }))).toEqual([1, 2, 3, 4]);
  });
});

describe('normalisation and loss', () => {
  it('softmax runs along any axis', () => {
    const x = array([2, 2], [0, 1, 2, 3]);
    const p = 1 / (1 + Math.exp(2));
    close(read(ops.softmax(x, 0)), [p, p, 1 - p, 1 - p]);
    close(read(ops.logSoftmax(x, 0)), [p, p, 1 - p, 1 - p].map(Math.log));
  });

  it('crossEntropy keeps leading axes, and its gradient is softmax less the label', () => {
    const logits = array([2, 1, 3], [1, 2, 3, 0, 0, 0]);
    const loss = ops.crossEntropy(logits, array([2, 1], [2, 0], 'int32'));
    expect(loss.shape).toEqual([2, 1]);
    close(read(loss), [-Math.log(Math.exp(3) / (Math.exp(1) + Math.exp(2) + Math.exp(3))), Math.log(3)]);
    close(slope(loss, logits).slice(3), [1 / 3 - 1, 1 / 3, 1 / 3]);
  });

  it('the decomposed loss refuses a label outside the classes, negative ones too', () => {
    for (const label of [-1, 3]) {
      const [loss] = ops.records.crossEntropy.decompose!([array([1, 3]), array([1], [label], 'int32')], {});
      expect(() => read(loss!)).toThrow(RangeError);
    }
  });

  it('batchNorm gives mean 0 and variance 1, and its statistics', () => {
    const { y, mean, variance } = ops.batchNorm(array([4, 1], [1, 2, 3, 6]), array([1], [1]), array([1], [0]), 0);
    close(read(mean), [3]);
    close(read(variance), [3.5]);
    close(read(ops.mean(y)), [0]);
    close(read(ops.variance(y, 0, false, 0)), [1]);
  });
});

describe('random draws', () => {
  const state = array([3], [11, 2, 0], 'int64');

  it('are uniform, normal, and true with a probability', () => {
    const numbers = read(ops.uniform(state, [4000], 5));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(numbers.reduce((a, b) => a + b) / 4000).toBeCloseTo(0.5, 1);
    const normal = read(ops.normal(state, [4000], 5));
    expect(normal.reduce((a, b) => a + b) / 4000).toBeCloseTo(0, 1);
    expect(normal.reduce((a, b) => a + b * b, 0) / 4000).toBeCloseTo(1, 1);
    expect(read(ops.bernoulli(state, [4000], 0.3, 5)).reduce((a, b) => a + b) / 4000).toBeCloseTo(0.3, 1);
  });

  it('differ between streams', () => {
    expect(read(ops.uniform(state, [8], 1))).not.toEqual(read(ops.uniform(state, [8], 2)));
  });

  it('dropout of rate 0 is the value itself', () => {
    const x = array([3]);
    expect(ops.dropout(x, state, 0, 1)).toBe(x);
  });
});

describe('programs', () => {
  it('come back from their text, special numbers too', () => {
    const program: ops.Program = {
      instructions: [NaN, Infinity, -Infinity, -0, 0.1].map((immediate) => ({ op: 'constant', dtype: 'float32', sources: [], immediate })),
      stored: [0, 4],
    };
    expect(ops.decodeProgram(ops.encodeProgram(program))).toEqual(program);
  });
});
