import type { DType } from '../../../src/graph/dtype.js';
import { isFloat } from '../../../src/graph/dtype.js';
import { sizeOf } from '../../../src/graph/op.js';
import type { Attributes, Type } from '../../../src/graph/op.js';
import type { OpName } from '../../../src/ops/index.js';
import { arrayOf, convert } from '../array.js';
import type { AttributesOf, NdArray64 } from '../array.js';

/** Numbers in [0, 1) that a seed fixes (mulberry32). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One operand of a sample: its type, and how its elements are made. */
export interface SampleInput extends Type {
  readonly fill: (random: Random, size: number) => number[];
}

/** One call of an op. */
export interface Sample<A = Attributes> {
  readonly inputs: readonly SampleInput[];
  readonly attributes: A;
  /** False where the op is not differentiable at these inputs (ties, infinities): gradients are not compared there. */
  readonly smooth?: boolean;
}

export type Samples<N extends OpName> = { readonly [K in N]: readonly Sample<AttributesOf<K>>[] };

/** The operands of a sample. Floats are float32 numbers, so that a device computes with the same ones. */
export function operandsOf({ inputs }: Sample<unknown>, seed = 1): NdArray64[] {
  const random = randomOf(seed);
  return inputs.map(({ shape, dtype, fill }) => {
    const data = fill(random, sizeOf(shape));
    return arrayOf({ shape, dtype }, isFloat(dtype) ? data.map((x) => convert(Math.fround(x), 'float32', dtype)) : data);
  });
}

const each =
  (fn: (random: Random) => number) =>
  (random: Random, size: number): number[] =>
    Array.from({ length: size }, () => fn(random));

/** Floats in [low, high), none within 0.05 of 0, where many functions have a kink or a pole. */
export const real = (shape: readonly number[], low = -2, high = 2, dtype: DType = 'float32'): SampleInput => ({
  shape,
  dtype,
  fill: each((random) => {
    const x = low + random() * (high - low);
    return Math.abs(x) < 0.05 ? 0.05 + Math.abs(x) : x;
  }),
});

/** Floats no two of which are closer than 0.05, so that it is clear which is the greatest. */
export const distinct = (shape: readonly number[]): SampleInput => ({
  shape,
  dtype: 'float32',
  fill: (random, size) => {
    const order = Array.from({ length: size }, (_, i) => ({ i, key: random() })).sort((a, b) => a.key - b.key);
    return order.map(({ i }) => (i - size / 2) * 0.07 + 0.011);
  },
});

/** Integers in [low, high). */
export const whole = (shape: readonly number[], low: number, high: number, dtype: DType = 'int32'): SampleInput => ({
  shape,
  dtype,
  fill: each((random) => low + Math.floor(random() * (high - low))),
});

export const flags = (shape: readonly number[]): SampleInput => whole(shape, 0, 2, 'bool');

/** These elements. */
export const given = (shape: readonly number[], dtype: DType, elements: readonly number[]): SampleInput => ({
  shape,
  dtype,
  fill: () => [...elements],
});

/** Shapes that find mistakes: scalar, none, one, odd, prime, and longer than any vector or tile. */
export const shapes: readonly (readonly number[])[] = [[], [0], [2, 0, 3], [1], [7], [3, 5], [2, 3, 4], [1, 1, 1, 1], [33, 67], [1031]];

/** What floats can be that is no ordinary number. */
export const special = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-30, -1e-30, 1e30, -1e30, Infinity, -Infinity, NaN];
