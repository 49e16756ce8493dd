import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { arrayOf, forEachIndex, placeOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';

/** The sum over all values of all letters, straight from the definition. */
function naive(inputs: readonly string[], output: string, arrays: readonly NdArray64[], sizes: Readonly<Record<string, number>>): number[] {
  const letters = [...new Set([...inputs.join(''), ...output])];
  const shape = [...output].map((letter) => sizes[letter]!);
  const result = new Float64Array(sizeOf(shape));
  const at: Record<string, number> = {};
  forEachIndex(
    letters.map((letter) => sizes[letter]!),
    (index) => {
      letters.forEach((letter, i) => {
        at[letter] = index[i]!;
      });
      const product = arrays.reduce((all, array, k) => {
        // An axis of size 1 broadcasts.
        const place = [...inputs[k]!].map((letter, axis) => (array.shape[axis] === 1 ? 0 : at[letter]!));
        return all * array.data[placeOf(array.shape, place)]!;
      }, 1);
      result[
        placeOf(
          shape,
          [...output].map((letter) => at[letter]!),
        )
      ]! += product;
    },
  );
  return [...result];
}

const bound = new Map<Value, NdArray64>();
let next = 1;
function array(shape: readonly number[]): Value {
  const value = ops.leaf(shape, 'float32');
  const data = Array.from({ length: sizeOf(shape) }, () => (next = (next * 48271) % 2147483647) / 2 ** 30 - 1);
  bound.set(value, arrayOf(value, data));
  return value;
}
const read = (value: Value): number[] => [...evaluate([value], bound)[0]!.data];
const close = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((x, i) => expect(Math.abs(x - expected[i]!)).toBeLessThanOrEqual(1e-11 * (1 + Math.abs(expected[i]!))));
};

describe('einsum', () => {
  it('is the sum of products that its equation says, for any equation', () => {
    const letters = ['i', 'j', 'k', 'L', 'm'];
    const term = fc.array(fc.constantFrom(...letters), { maxLength: 3 }).map((list) => list.join(''));
    const cases = fc.record({
      inputs: fc.array(term, { minLength: 1, maxLength: 4 }),
      sizes: fc.record(Object.fromEntries(letters.map((letter) => [letter, fc.integer({ min: 0, max: 3 })]))),
      choice: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      single: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      turned: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ inputs, sizes, choice, single, turned }) => {
        const used = letters.filter((letter) => inputs.join('').includes(letter));
        const kept = used.filter((_, i) => choice[i]);
        const output = (turned ? kept.reverse() : kept).join('');
        let axis = 0;
        // A letter that is 1 wherever it stands has size 1.
        const shapes = inputs.map((labels) => {
          const repeated = new Set(labels).size < labels.length;
          return [...labels].map((letter) => (!repeated && single[axis++ % 12] ? 1 : sizes[letter]!));
        });
        const actual = Object.fromEntries(
          letters.map((letter) => {
            const found = inputs.flatMap((labels, k) => [...labels].flatMap((l, i) => (l === letter ? [shapes[k]![i]!] : [])));
            return [letter, found.find((size) => size !== 1) ?? 1];
          }),
        );
        const operands = shapes.map(array);
        const value = ops.einsum(`${inputs.join(',')}->${output}`, ...operands);
        expect(value.shape).toEqual([...output].map((letter) => actual[letter]!));
        const arrays = operands.map((operand) => bound.get(operand)!);
        close(read(value), naive(inputs, output, arrays, actual));
        bound.clear();
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  it('finds an output of its own: letters that occur once, in alphabetical order, behind the ellipsis', () => {
    const [a, b] = [array([2, 3]), array([3, 4])];
    expect(ops.einsum('ij,jk', a, b).shape).toEqual([2, 4]);
    expect(ops.einsum('ba', a).shape).toEqual([3, 2]);
    expect(read(ops.einsum('ba', a))).toEqual(read(ops.transpose(a)));
    expect(ops.einsum('ii', array([3, 3])).shape).toEqual([]);
    expect(ops.einsum('...z,a', array([5, 6, 2]), array([7])).shape).toEqual([5, 6, 7, 2]);
  });

  it('broadcasts under an ellipsis', () => {
    const [a, b] = [array([4, 1, 2, 3]), array([5, 3, 2])];
    const found = ops.einsum('...ij,...jk->...ik', a, b);
    expect(found.shape).toEqual([4, 5, 2, 2]);
    close(read(found), read(ops.matmul(a, b)));
    expect(ops.einsum('i...->...', a).shape).toEqual([1, 2, 3]);
    close(read(ops.einsum('...ij->...ji', a)), read(ops.swapAxes(a, -1, -2)));
  });

  it('becomes matrix products, and multiplies as little as it can', () => {
    const [a, b, c] = [array([2, 50]), array([50, 50]), array([50, 2])];
    const chain = ops.einsum('ij,jk,kl->il', a, b, c);
    const flops = (value: Value): number => {
      const { op, inputs, attributes, outputs } = value.node;
      const own = op.name === 'matmul' ? op.flops!(inputs, outputs, attributes) : 0;
      return own + inputs.map(flops).reduce((x, y) => x + y, 0);
    };
    expect(flops(chain)).toBe(2 * (2 * 50 * 50 + 2 * 50 * 2));
    const many = Array.from({ length: 10 }, () => array([2, 2]));
    const labels = 'abcdefghijk';
    const equation = many.map((_, i) => labels.slice(i, i + 2)).join(',');
    close(read(ops.einsum(`${equation}->ak`, ...many)), read(many.reduce((x, y) => ops.matmul(x, y))));
  });

  it('serves integers', () => {
    const value = ops.leaf([2, 2], 'int64');
    bound.set(value, arrayOf(value, [1, 2, 3, 4]));
    expect(read(ops.einsum('ij,jk->ik', value, value))).toEqual([7, 10, 15, 22]);
  });

  it('has the gradient of what it computes', () => {
    const [a, b] = [array([2, 3]), array([3, 4])];
    const weights = array([2, 4]);
    const [da, db] = ops.gradients([ops.einsum('ij,jk->ik', a, b)], [weights], [a, b]);
    close(read(da!), read(ops.einsum('ik,jk->ij', weights, b)));
    close(read(db!), read(ops.einsum('ij,ik->jk', a, weights)));
  });

  it.each([
    ['ij->i', [[2]], /names 2 axes, but its operand has 1/],
    ['ij,jk', [[2, 3]], /describes 2 operands, but there are 1/],
    [
      'ij,jk',
      [
        [2, 3],
        [4, 5],
      ],
      /"j" is 3 and 4/,
    ],
    ['ij->ijk', [[2, 3]], /no operand has the output's "k"/],
    ['ij->ii', [[2, 3]], /the output names "i" twice/],
    ['i1->i', [[2, 3]], /"1" in "i1" is no letter/],
    ['i->j->k', [[2]], /more than one arrow/],
    ['......i', [[2]], /more than one ellipsis/],
    ['...ij', [[2]], /names 2 axes/],
  ])('refuses %s for %j', (equation, shapes, message) => {
    expect(() => ops.einsum(equation, ...shapes.map(array))).toThrow(message);
  });
});

describe('tensordot', () => {
  it('sums over the last axes of one and the first of the other, or over pairs', () => {
    const [a, b] = [array([2, 3, 4]), array([3, 4, 5])];
    close(read(ops.tensordot(a, b)), read(ops.einsum('ijk,jkl->il', a, b)));
    close(
      read(
        ops.tensordot(a, b, [
          [2, 1],
          [1, 0],
        ]),
      ),
      read(ops.einsum('ijk,jkl->il', a, b)),
    );
    close(read(ops.tensordot(a, b, [[1], [0]])), read(ops.einsum('ijk,jlm->iklm', a, b)));
    expect(ops.tensordot(a, b, 0).shape).toEqual([2, 3, 4, 3, 4, 5]);
    expect(() => ops.tensordot(a, b, 1)).toThrow(/do not pair/);
    expect(() => ops.tensordot(a, b, 4)).toThrow(RangeError);
  });
});
