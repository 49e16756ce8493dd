import fc from 'fast-check';
import type { Value } from '../../src/graph/node.js';
import { sameShape, sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import type { NdArray64 } from '../references/index.js';
import { ModelBuilder } from './compilerModels.js';
import type { Model } from './compilerModels.js';

export interface RandomModel {
  readonly model: Model;
  readonly data: ReadonlyMap<Value, NdArray64>;
}

/** Numbers that bring out mistakes: both zeros, ones, what does not fit, what is no number. */
const special = [0, -0, 1, -1, 2, 0.5, -3, 1e30, Infinity, -Infinity, NaN];

/** Draws whole numbers below a bound, one after the other. */
type Draw = (bound: number) => number;

const unary = [
  'neg',
  'abs',
  'square',
  'relu',
  'tanh',
  'sigmoid',
  'exp',
  'sqrt',
  'reciprocal',
  'floor',
  'identity',
  'detach',
  'copy',
] as const;
const binary = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
const neutral = [0, -0, 1, 2, -1, 0.1];

/** One op on values drawn from `pool`, all of them float32. */
function grow(pool: readonly Value[], draw: Draw): Value {
  const pick = (): Value => pool[draw(pool.length)]!;
  const x = pick();
  const rank = x.shape.length;
  const fitting = (): Value => {
    const others = pool.filter((y) => sameShape(x.shape, y.shape));
    return others[draw(others.length)]!;
  };
  switch (draw(14)) {
    case 0:
    case 1:
      return ops[unary[draw(unary.length)]!](x);
    case 2:
    case 3:
      return ops[binary[draw(binary.length)]!](x, fitting());
    case 4:
      return ops[binary[draw(binary.length)]!](x, neutral[draw(neutral.length)]!);
    case 5:
      return ops.where(ops.greater(x, fitting()), fitting(), x);
    case 6:
      return rank
        ? ops.transpose(
            x,
            Array.from({ length: rank }, (_, i) => (i + 1) % rank),
          )
        : ops.reshape(x, [1, 1]);
    case 7:
      return ops.reshape(x, draw(2) ? [sizeOf(x.shape)] : [...x.shape].reverse());
    case 8:
      return rank ? ops.flip(x, [draw(rank)]) : ops.neg(x);
    case 9: {
      if (!rank || !sizeOf(x.shape)) return ops.abs(x);
      const start = x.shape.map((size) => draw(size));
      return ops.slice(
        x,
        start,
        [...x.shape],
        x.shape.map(() => 1 + draw(2)),
      );
    }
    case 10:
      return sizeOf(x.shape) > 40 ? ops.sum(x) : ops.broadcast(x, [1 + draw(3), ...x.shape]);
    case 11:
      return rank ? ops.sum(x, [draw(rank)], draw(2) === 1) : ops.square(x);
    case 12:
      return rank && sizeOf(x.shape) <= 40 ? ops.concat([x, fitting(), x], draw(rank)) : ops.neg(x);
    default:
      return rank === 2 ? ops.matmul(x, x, { transposeB: true }) : ops.add(x, ops.sum(x));
  }
}

/** A random graph of `size` ops over float32, with states that are updated by anything of their shape. */
export function randomModel(seed: number, size: number): RandomModel {
  let state = seed + 1;
  const draw: Draw = (bound) => {
    state = (state * 48271) % 2147483647;
    return Math.floor((state / 2147483647) * bound);
  };
  const builder = new ModelBuilder();
  const data = new Map<Value, NdArray64>();
  const shapes = [[2, 3], [3, 2], [6], [], [2, 3], [1, 3], [0, 3]];
  const pool: Value[] = [];
  for (let i = 0; i < 5; i++) {
    const shape = shapes[draw(shapes.length)]!;
    const value = draw(2) ? builder.state(shape) : builder.input(shape);
    const elements = Float64Array.from({ length: sizeOf(shape) }, () => (draw(4) ? draw(17) / 4 - 2 : special[draw(special.length)]!));
    data.set(value, { shape, dtype: 'float32', data: elements });
    pool.push(value);
  }
  for (let i = 0; i < size; i++) pool.push(grow(pool, draw));
  for (const { value, kind } of builder.bindings) {
    if (kind !== 'state' || draw(4) === 0) continue;
    // Other states, views of states and the state itself are values like any other: swaps and aliases arise by themselves.
    const fitting = pool.filter((candidate) => sameShape(candidate.shape, value.shape));
    builder.updates.push({ target: value, value: fitting[draw(fitting.length)]! });
  }
  const results = Array.from({ length: 1 + draw(3) }, () => pool[draw(pool.length)]!);
  return { model: { results, updates: builder.updates, checks: [], bindings: builder.bindings }, data };
}

/** Seeds and sizes; a failure shrinks to the smallest graph of its seed. */
export const seeds = [fc.integer({ min: 0, max: 2 ** 30 }), fc.integer({ min: 1, max: 40 })] as const;
