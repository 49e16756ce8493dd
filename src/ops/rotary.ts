import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { reshape } from './broadcast.js';
import { cast } from './cast.js';
import { applyOne, defineRecord } from './define.js';
import { constant, iota } from './leaf.js';
import { concat, sliceAxis, stack } from './movement.js';
import { fail, float, indexTypes, requireDtype, requireRank, showShape } from './support.js';
import { cos, exp, sin } from './unary.js';

type RotaryAttributes = {
  readonly base: number;
  /** How many numbers of each head are turned, from the first on; even. */
  readonly dimension: number;
  /** Pairs (0, 1), (2, 3), ... as GPT-J has them; else (0, d / 2), (1, d / 2 + 1), ... as Llama. */
  readonly interleaved: boolean;
  /** Turns back: the gradient. */
  readonly inverse: boolean;
};

export const rotaryRecords = {
  rotary: defineRecord<RotaryAttributes>({
    name: 'rotary',
    cost: 'normalisation',
    infer([x, offset], { base, dimension }) {
      requireDtype('rotary', x, float);
      requireRank('rotary', x, 4, 'x', '[batch, length, heads, size]');
      requireDtype('rotary', offset, indexTypes, 'the offset');
      if (!sameShape(offset.shape, [x.shape[0]!]))
        fail(
          'SHAPE_MISMATCH',
          'rotary',
          `the offset has shape ${showShape(offset.shape)}, but must be one number a sample: [${x.shape[0]}]`,
        );
      if (!Number.isInteger(dimension) || dimension < 2 || dimension % 2 || dimension > x.shape[3]!)
        throw new RangeError(`rotary: dimension ${dimension} must be an even number from 2 to the size of a head, ${x.shape[3]}`);
      if (!(base > 0)) throw new RangeError(`rotary: base ${base} must be above 0`);
      return x;
    },
    gradient: ({ dy, inputs: [, offset], attributes }) => turn(dy, offset, { ...attributes, inverse: !attributes.inverse }),
    decompose([x, offset], { base, dimension, interleaved, inverse }) {
      const [batch, length, heads, size] = x.shape as [number, number, number, number];
      const half = dimension / 2;
      const place = add(reshape(cast(offset, 'int32'), [batch, 1, 1, 1]), iota([1, length, 1, 1], 1));
      const frequency = exp(mul(iota([1, 1, 1, half], 3, 'float32'), -Math.log(base) / half));
      const angle = mul(cast(place, 'float32'), frequency);
      const cosine = cos(angle);
      const sine = inverse ? neg(sin(angle)) : sin(angle);
      const turned = sliceAxis(x, 3, 0, dimension);
      const pairs = reshape(turned, interleaved ? [batch, length, heads, half, 2] : [batch, length, heads, 2, half]);
      const axis = interleaved ? 4 : 3;
      const part = (i: number): Value => reshape(sliceAxis(pairs, axis, i, i + 1), [batch, length, heads, half]);
      const [a, b] = [part(0), part(1)];
      const y = reshape(stack([sub(mul(a, cosine), mul(b, sine)), add(mul(b, cosine), mul(a, sine))], axis), turned.shape);
      return dimension === size ? y : concat([y, sliceAxis(x, 3, dimension, size)], 3);
    },
    flops: ([x], _, { dimension }) => 3 * sizeOf(x.shape.slice(0, 3)) * dimension,
  }),
};

const turn = (x: Value, offset: Value, attributes: RotaryAttributes): Value => applyOne(rotaryRecords.rotary, [x, offset], attributes);

export interface RotarySettings {
  /** The longest wave is 2 pi base. Default 10000. */
  readonly base?: number;
  /** How many numbers of each head are turned. Default: all. */
  readonly dimension?: number;
  /** Pairs of neighbours (GPT-J) instead of halves (Llama, GPT-NeoX). Default false. */
  readonly interleaved?: boolean;
  /** int32 [batch]: the place of each sample's first row. Default 0. */
  readonly offset?: Value;
}

/**
 * Rotary positions (Su et al. 2021): the row at place p of x [batch, length, heads, size] has its i-th pair of numbers turned by
 * the angle p base^(-2i / dimension), so that products of queries and keys depend on their distance alone.
 */
export function rotary(x: Value, settings: RotarySettings = {}): Value {
  const { base = 10_000, dimension = x.shape[3] ?? 0, interleaved = false } = settings;
  const { offset = constant(0, [x.shape[0] ?? 0], 'int32') } = settings;
  return turn(x, offset, { base, dimension, interleaved, inverse: false });
}
