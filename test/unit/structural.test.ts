import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { cdist, type Index, range, tensor, type Tensor } from '../../src/tensor/index.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';

const bound = new Map<Value, NdArray64>();

/** A leaf that holds these elements (default: 0, 1, 2, ...). */
function array(shape: readonly number[], elements?: readonly number[], dtype: 'float32' | 'int32' = 'float32'): Value {
  const value = ops.leaf(shape, dtype);
  bound.set(value, arrayOf(value, elements ?? Array.from({ length: sizeOf(shape) }, (_, i) => i)));
  return value;
}
const read = (value: Value): number[] => [...evaluate([value], bound)[0]!.data];
const slope = (f: Value, x: Value): number[] => read(ops.gradients([f], [ops.onesLike(f)], [x])[0]!);
const list = (x: Tensor): Promise<unknown> => x.toArray();

describe('slice', () => {
  it('takes what Python takes, whatever the bounds and the step', () => {
    const bound = fc.option(fc.integer({ min: -8, max: 8 }), { nil: undefined });
    const step = fc.integer({ min: -4, max: 4 }).filter((n) => n !== 0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), bound, bound, step, (size, start, stop, by) => {
        // CPython's PySlice_AdjustIndices.
        const [least, most] = by > 0 ? [0, size] : [-1, size - 1];
        const clip = (at: number): number => Math.min(most, Math.max(least, at < 0 ? at + size : at));
        const from = start === undefined ? (by > 0 ? 0 : size - 1) : clip(start);
        const to = stop === undefined ? (by > 0 ? size : -1) : clip(stop);
        const expected: number[] = [];
        for (let i = from; by > 0 ? i < to : i > to; i += by) expected.push(i);
        expect(read(ops.slice(array([size]), [start], [stop], [by]))).toEqual(expected);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('passes gradients through negative steps', () => {
    const x = array([5]);
    expect(slope(ops.mul(ops.slice(x, [4], [0], [-3]), array([2], [1, 7])), x)).toEqual([0, 7, 0, 0, 1]);
  });
});

describe('at()', () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  it.each<[readonly Index[], unknown]>([
    [
      [':', range(undefined, undefined, -1)],
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ],
    [[range(-1, undefined, -2), 0], [4]],
    [
      ['...', -1],
      [3, 6],
    ],
    [
      [0, '...'],
      [1, 2, 3],
    ],
    [
      [1, '...', range(2, 0, -1)],
      [6, 5],
    ],
    [
      [tensor([1, 0], 'int32'), range(2, undefined, -2)],
      [
        [6, 4],
        [3, 1],
      ],
    ],
  ])('reads %j', async (indices, expected) => {
    expect(await list(x.at(...indices).get())).toEqual(expected);
  });

  it('writes in the order of a negative step, and the last of repeated indices', async () => {
    expect(await list(x.at(0, range(undefined, undefined, -1)).set(tensor([7, 8, 9])))).toEqual([
      [9, 8, 7],
      [4, 5, 6],
    ]);
    expect(await list(x.at(tensor([1, 1], 'int32'), 0).set(tensor([7, 8])))).toEqual([
      [1, 2, 3],
      [8, 5, 6],
    ]);
  });

  it('refuses two ellipses, too many indices and a step of 0', () => {
    expect(() => x.at('...', '...')).toThrow(/once/);
    expect(() => x.at(0, 0, 0)).toThrow(/3 indices for a tensor of shape \[2, 3\]/);
    expect(() => range(0, 1, 0)).toThrow(RangeError);
  });
});

describe('rearrangements', () => {
  it('roll', () => {
    expect(read(ops.roll(array([5]), 2, 0))).toEqual([3, 4, 0, 1, 2]);
    expect(read(ops.roll(array([2, 3]), -1, 1))).toEqual([1, 2, 0, 4, 5, 3]);
    expect(read(ops.roll(array([2, 3]), 1))).toEqual([5, 0, 1, 2, 3, 4]);
    expect(read(ops.roll(array([2, 3]), [1, 4], [0, -1]))).toEqual([5, 3, 4, 2, 0, 1]);
    expect(ops.roll(array([0]), 3, 0).shape).toEqual([0]);
    expect(() => ops.roll(array([2, 3]), [1, 2], 0)).toThrow(RangeError);
  });

  it('tril and triu', () => {
    const x = array([2, 3], [1, 2, 3, 4, 5, 6]);
    expect(read(ops.tril(x))).toEqual([1, 0, 0, 4, 5, 0]);
    expect(read(ops.tril(x, 1))).toEqual([1, 2, 0, 4, 5, 6]);
    expect(read(ops.triu(x))).toEqual([1, 2, 3, 0, 5, 6]);
    expect(read(ops.triu(x, -1))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(read(ops.triu(array([2, 2, 2]), 1))).toEqual([0, 1, 0, 0, 0, 5, 0, 0]);
    expect(() => ops.tril(array([3]))).toThrow(/no two axes/);
  });

  it('diagonals, out and in', () => {
    const x = array([3, 4]);
    expect([-3, -2, 0, 1, 3, 4].map((offset) => read(ops.diagonal(x, offset)))).toEqual([[], [8], [0, 5, 10], [1, 6, 11], [3], []]);
    expect(ops.diagonal(array([2, 3, 4]), 0, 2, 0).shape).toEqual([3, 2]);
    expect(read(ops.diagonal(array([2, 3, 4]), 0, 2, 0))).toEqual([0, 13, 4, 17, 8, 21]);
    const v = array([2], [5, 6]);
    expect(read(ops.diag(v))).toEqual([5, 0, 0, 6]);
    expect(read(ops.diag(v, 1))).toEqual([0, 5, 0, 0, 0, 6, 0, 0, 0]);
    expect(read(ops.diag(v, -1))).toEqual([0, 0, 0, 5, 0, 0, 0, 6, 0]);
    expect(ops.diagonalEmbed(array([2, 3]), -2).shape).toEqual([2, 5, 5]);
    expect(read(ops.trace(array([3, 3])))).toEqual([12]);
    expect(slope(ops.diagonal(x, 1), x)).toEqual([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    for (const offset of [-2, 0, 2]) expect(read(ops.diagonal(ops.diag(v, offset), offset))).toEqual([5, 6]);
  });

  it('repeats', () => {
    expect(read(ops.repeatInterleave(array([2]), 3))).toEqual([0, 0, 0, 1, 1, 1]);
    expect(read(ops.repeatInterleave(array([2, 2]), 2, 1))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    const counts = array([3], [2, 0, 1], 'int32');
    expect(read(ops.repeatInterleave(array([3]), counts, 0, 3))).toEqual([0, 0, 2]);
    expect(() => ops.repeatInterleave(array([3]), counts)).toThrow(/total/);
  });

  it('quarter turns', () => {
    const x = array([2, 3]);
    expect(read(ops.rot90(x))).toEqual([2, 5, 1, 4, 0, 3]);
    expect(read(ops.rot90(x, 2))).toEqual([5, 4, 3, 2, 1, 0]);
    expect(read(ops.rot90(x, -1))).toEqual([3, 0, 4, 1, 5, 2]);
    expect(read(ops.rot90(x, 1, [1, 0]))).toEqual(read(ops.rot90(x, 3)));
  });

  it('grids', () => {
    const [a, b] = [array([2]), array([3])];
    expect(ops.meshgrid([a, b]).map(read)).toEqual([
      [0, 0, 0, 1, 1, 1],
      [0, 1, 2, 0, 1, 2],
    ]);
    expect(ops.meshgrid([a, b], 'xy').map(read)).toEqual([
      [0, 1, 0, 1, 0, 1],
      [0, 0, 1, 1, 2, 2],
    ]);
  });

  it('parts', () => {
    expect(ops.chunk(array([7]), 3).map(read)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(ops.chunk(array([4]), 3).map(read)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(ops.chunk(array([0]), 3).map(read)).toEqual([[]]);
    expect(ops.unbind(array([2, 2]), 1).map(read)).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  it('axes', () => {
    expect(ops.moveAxis(array([2, 3, 4]), 0, -1).shape).toEqual([3, 4, 2]);
    expect(ops.moveAxis(array([2, 3, 4, 5]), [3, 0], [0, 2]).shape).toEqual([5, 3, 2, 4]);
    expect(() => ops.moveAxis(array([2, 3]), [0, 0], [0, 1])).toThrow(RangeError);
  });
});

describe('products', () => {
  it('of vectors', () => {
    const [a, b] = [array([3], [1, 2, 3]), array([3], [4, 5, 6])];
    expect(read(ops.dot(a, b))).toEqual([32]);
    expect(read(ops.outer(a, b))).toEqual([4, 5, 6, 8, 10, 12, 12, 15, 18]);
    expect(read(ops.cross(a, b))).toEqual([-3, 6, -3]);
    expect(ops.cross(array([3, 4]), array([3, 1]), 0).shape).toEqual([3, 4]);
    expect(() => ops.dot(a, array([2]))).toThrow(/3 and 2/);
    expect(() => ops.cross(array([2]), array([2]))).toThrow(/size 3/);
  });

  it('of Kronecker', () => {
    expect(read(ops.kron(array([2, 2], [1, 2, 3, 4]), array([1, 2], [1, 10])))).toEqual([1, 10, 2, 20, 3, 30, 4, 40]);
    expect(ops.kron(array([2]), array([3, 4])).shape).toEqual([3, 8]);
  });
});

describe('linspace', () => {
  it('ends where it should', () => {
    expect(read(ops.linspace(0, 1, 5))).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(read(ops.linspace(3, 3, 1))).toEqual([3]);
    expect(read(ops.linspace(2, -1, 4))).toEqual([2, 1, 0, -1]);
    expect(read(ops.linspace(0.1, 0.7, 7)).at(-1)).toBe(0.7);
    expect(read(ops.linspace(0, 1, 0))).toEqual([]);
  });
});

describe('distances', () => {
  const points = [0, 0, 3, 4, -1, 2];
  const others = [3, 4, 1, 2];
  it.each([1, 2, 3, 0.5, Infinity])('of order %d', (p) => {
    const [a, b] = [array([3, 2], points), array([2, 2], others)];
    const expected = [0, 1, 2].flatMap((i) =>
      [0, 1].map((j) => {
        const [x, y] = [0, 1].map((k) => Math.abs(points[2 * i + k]! - others[2 * j + k]!)) as [number, number];
        return p === Infinity ? Math.max(x, y) : (x ** p + y ** p) ** (1 / p);
      }),
    );
    read(ops.cdist(a, b, p)).forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 12));
    if (p === 2) read(ops.cdist(a, b, p, false)).forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 7));
  });

  it('have gradient 0 between equal points', () => {
    for (const p of [1, 2, 3, Infinity])
      for (const direct of [true, false]) {
        const a = array([1, 2], [1, 2]);
        expect(slope(ops.cdist(a, array([1, 2], [1, 2]), p, direct), a)).toEqual([0, 0]);
      }
  });

  it('by a matrix product are as close as its rounding', async () => {
    const n = 40;
    const data = Float32Array.from({ length: n * 8 }, (_, i) => Math.sin(i * 7.3));
    const x = tensor({ data, shape: [n, 8] });
    const [fast, exact] = (await Promise.all([
      cdist(x, x, { direct: false }).data(),
      cdist(x, x, { direct: true }).data(),
    ])) as Float32Array[];
    // Squares are about 8, so their error about 8 * 2^-22; that of the root is largest at 0.
    fast!.forEach((distance, i) => expect(Math.abs(distance ** 2 - exact![i]! ** 2)).toBeLessThan(64 * 2 ** -22));
  });

  it('and cosines agree with their formulas', () => {
    const [a, b] = [array([2, 2], [3, 4, 1, 0]), array([2, 2], [4, 3, 0, 0])];
    const [first, second] = read(ops.cosineSimilarity(a, b));
    expect(first).toBeCloseTo(24 / 25, 14);
    expect(second).toBe(0);
    expect(read(ops.pairwiseDistance(a, b, 2, 0))[0]).toBeCloseTo(Math.SQRT2, 14);
    expect(ops.pairwiseDistance(a, b, 1, 1e-6, true).shape).toEqual([2, 1]);
  });
});

describe('prod', () => {
  it('has the right second derivative among several zeros', () => {
    // f = x0 x1 x2 at (0, 0, 5): only d2f / dx0 dx1 = 5 is not 0.
    const x = array([3], [0, 0, 5]);
    const first = ops.gradients([ops.prod(x)], [ops.constant(1)], [x])[0]!;
    expect(read(first)).toEqual([0, 0, 0]);
    const row = (i: number): number[] => {
      const pick = array(
        [3],
        [0, 1, 2].map((j) => Number(i === j)),
      );
      return read(ops.gradients([first], [pick], [x])[0]!);
    };
    expect([0, 1, 2].map(row)).toEqual([
      [0, 5, 0],
      [5, 0, 0],
      [0, 0, 0],
    ]);
    const matrix = array([2, 2, 2], [0, 2, 3, 4, 5, 6, 7, 0]);
    expect(slope(ops.prod(matrix, [0, 2]), matrix)).toEqual([60, 0, 0, 0, 0, 0, 0, 84]);
  });
});
