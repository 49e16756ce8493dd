import { describe, expect, it } from 'vitest';
import { PolluxError } from '../../src/errors.js';
import { reachable, withContext } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import {
  add,
  cast,
  checkpoint,
  constant,
  customGradient,
  defineOp,
  detach,
  dropout,
  exp,
  floor,
  gradients,
  leaf,
  matmul,
  mul,
  relu,
  sigmoid,
  sin,
  square,
  sub,
  sum,
  tanh,
} from '../../src/ops/index.js';
import { applyOne, defineRecord } from '../../src/ops/define.js';
import { arrayOf } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';

const scalar = (): Value => leaf([], 'float32');
const one = (): Value => constant(1);
const at = (value: Value, ...bound: [Value, number][]): number =>
  evaluate([value], new Map(bound.map(([leafValue, x]) => [leafValue, arrayOf(leafValue, [x])])))[0]!.data[0]!;
const slopeOf = (f: Value, x: Value): Value => gradients([f], [one()], [x])[0]!;

describe('gradients', () => {
  it('adds what shared values receive', () => {
    const x = scalar();
    const shared = exp(x);
    const f = add(mul(shared, shared), shared);
    expect(at(slopeOf(f, x), [x, 0.5])).toBeCloseTo(2 * Math.exp(1) + Math.exp(0.5), 12);
  });

  it('counts an operand that is used twice twice', () => {
    const x = scalar();
    expect(at(slopeOf(mul(x, x), x), [x, 3])).toBe(6);
  });

  it('goes to any order', () => {
    const x = scalar();
    let f = sin(x);
    for (let order = 0; order < 5; order++) f = slopeOf(f, x);
    expect(at(f, [x, 0.7])).toBeCloseTo(Math.cos(0.7), 12);
  });

  it('differentiates with respect to inner values, which stay part of the path', () => {
    const x = scalar();
    const inner = square(x);
    const f = mul(inner, inner);
    const [byInner, byX] = gradients([f], [one()], [inner, x]) as [Value, Value];
    expect(at(byInner, [x, 2])).toBe(8);
    expect(at(byX, [x, 2])).toBe(32);
  });

  it('weighs several outputs by their cotangents and leaves out those without one', () => {
    const x = scalar();
    const [slope] = gradients([square(x), sin(x), exp(x)], [constant(3), undefined, constant(2)], [x]);
    expect(at(slope!, [x, 1])).toBeCloseTo(6 + 2 * Math.E, 12);
  });

  it('gives undefined for what is not connected, and the cotangent for an output itself', () => {
    const [x, y] = [scalar(), scalar()];
    const cotangent = one();
    expect(gradients([x], [cotangent], [x, y])).toEqual([cotangent, undefined]);
  });

  it('builds nothing for operands that need no gradient', () => {
    const weight = leaf([3, 4], 'float32');
    const x = leaf([2, 3], 'float32');
    const [slope] = gradients([matmul(x, weight)], [leaf([2, 4], 'float32')], [weight]);
    const products = reachable([slope!]).filter(({ op }) => op.name === 'matmul');
    expect(products.length).toBe(1);
  });

  it('is not stopped by ops off the path that have no gradient', () => {
    const opaque = defineRecord({ name: 'opaque', cost: 'elementwise', infer: ([x]) => x });
    const [x, y] = [scalar(), scalar()];
    const f = mul(x, applyOne(opaque, [y], {}));
    expect(slopeOf(f, x).shape).toEqual([]);
  });

  it('throws NOT_DIFFERENTIABLE naming op and scope', () => {
    const opaque = defineRecord({ name: 'opaque', cost: 'elementwise', infer: ([x]) => x });
    const x = scalar();
    const f = withContext({ scope: 'encoder.first' }, () => applyOne(opaque, [x], {}));
    expect(() => slopeOf(f, x)).toThrow(
      expect.objectContaining({ code: 'NOT_DIFFERENTIABLE', message: expect.stringMatching(/opaque \(in encoder\.first\)/) }),
    );
  });

  it('stops at detach, at noGrad, at integers and at steps', () => {
    const x = scalar();
    expect(gradients([square(detach(x))], [one()], [x])).toEqual([undefined]);
    expect(gradients([withContext({ stopped: true }, () => square(x))], [one()], [x])).toEqual([undefined]);
    expect(gradients([floor(x)], [one()], [x])).toEqual([undefined]);
    expect(gradients([cast(cast(x, 'int32'), 'float32')], [one()], [x])).toEqual([undefined]);
    expect(at(slopeOf(mul(x, detach(x)), x), [x, 3])).toBe(3);
  });

  it('refuses a cotangent of another shape', () => {
    const x = leaf([2], 'float32');
    expect(() => gradients([square(x)], [one()], [x])).toThrow(PolluxError);
  });

  it('names the op whose rule gives a wrong shape', () => {
    const wrong = defineRecord({
      name: 'wrong',
      cost: 'reduce',
      infer: ([x]) => ({ shape: [], dtype: x.dtype }),
      gradient: ({ dy }) => dy,
    });
    const x = leaf([2], 'float32');
    expect(() => gradients([applyOne(wrong, [x], {})], [one()], [x])).toThrow(/wrong: input 0 is float32\[2\]/);
  });

  it('goes deeper than the stack of JavaScript, in a time that grows with the number of nodes', () => {
    const x = scalar();
    const depth = 100_000;
    let y = x;
    for (let i = 0; i < depth; i++) y = relu(y);
    // Processor time, which a busy machine does not stretch; it includes that of the collector and of the just-in-time compiler.
    const before = process.cpuUsage();
    const slope = slopeOf(y, x);
    const { user } = process.cpuUsage(before);
    expect(slope.shape).toEqual([]);
    expect(user / (reachable([slope]).length - depth)).toBeLessThan(40);
  }, 30_000);
});

describe('decomposition', () => {
  const swish = defineOp<{ readonly beta: number }>({
    name: 'swish',
    infer: ([x]) => [x!],
    decompose: ([x], { beta }) => [mul(x!, sigmoid(mul(x!, beta)))],
  });

  it('is differentiated where an op has no rule, to the second order', () => {
    const x = scalar();
    const f = swish([x], { beta: 2 })[0]!;
    const plain = mul(x, sigmoid(mul(x, 2)));
    expect(at(slopeOf(f, x), [x, 0.3])).toBeCloseTo(at(slopeOf(plain, x), [x, 0.3]), 13);
    expect(at(slopeOf(slopeOf(f, x), x), [x, 0.3])).toBeCloseTo(at(slopeOf(slopeOf(plain, x), x), [x, 0.3]), 13);
  });

  it('treats operands as independent even if one depends on the other', () => {
    const product = defineOp({ name: 'product', infer: ([a]) => [a!], decompose: ([a, b]) => [mul(a!, b!)] });
    const x = scalar();
    const f = product([x, exp(x)], {})[0]!;
    expect(at(slopeOf(f, x), [x, 0.4])).toBeCloseTo(1.4 * Math.exp(0.4), 13);
    const twice = product([x, x], {})[0]!;
    expect(at(slopeOf(twice, x), [x, 5])).toBe(10);
  });

  it('is differentiated inside noGrad too, where gradients are asked for', () => {
    const x = scalar();
    const f = swish([x], { beta: 1 })[0]!;
    const slope = withContext({ stopped: true }, () => slopeOf(f, x));
    expect(at(slope, [x, 0])).toBe(0.5);
  });

  it('needs a name', () => {
    expect(() => defineOp({ name: '', infer: ([x]) => [x!], decompose: ([x]) => [x!] })).toThrow(/needs a name/);
  });
});

describe('customGradient', () => {
  it('calls the rule instead of differentiating, and differentiates what the rule builds', () => {
    const clipped = customGradient(
      (x) => square(x!),
      (dy, [x], y) => [add(mul(dy, mul(x!, 10)), mul(y, 0))],
    );
    const x = scalar();
    const f = clipped(x);
    expect(at(f, [x, 3])).toBe(9);
    const slope = slopeOf(f, x);
    expect(at(slope, [x, 3])).toBe(30);
    expect(at(slopeOf(slope, x), [x, 3])).toBe(10);
  });

  it('lets nothing through for an input whose rule gives undefined', () => {
    const first = customGradient(
      (a, b) => mul(a!, b!),
      (dy, [, b]) => [mul(dy, b!), undefined],
    );
    const [a, b] = [scalar(), scalar()];
    const [byA, byB] = gradients([first(a, b)], [one()], [a, b]);
    expect(at(byA!, [b, 4])).toBe(4);
    expect(byB).toBeUndefined();
  });
});

describe('checkpoint', () => {
  const layer = (x: Value, weight: Value): Value => tanh(mul(sin(x), weight));

  it('gives the same gradients from recomputed values, and keeps no original of the region', () => {
    const [x, weight] = [scalar(), scalar()];
    const plain = layer(layer(x, weight), weight);
    const inner = checkpoint((a, w) => layer(a!, w!), [x, weight]);
    const f = checkpoint((a, w) => layer(a!, w!), [inner, weight]);
    const bound: [Value, number][] = [
      [x, 0.8],
      [weight, 1.7],
    ];
    const expected = gradients([plain], [one()], [x, weight]);
    const found = gradients([f], [one()], [x, weight]);
    found.forEach((slope, i) => expect(at(slope!, ...bound)).toBe(at(expected[i]!, ...bound)));

    // The backward pass reads what enters and leaves a region, but no original from within.
    const nodes = reachable(found as Value[]);
    const read = nodes.filter(({ region }) => region === 0).flatMap(({ inputs }) => inputs.filter(({ node }) => node.region !== 0));
    expect(read.filter((value) => value !== inner && value !== f)).toEqual([]);
    const copies = nodes.filter(({ recomputed, op }) => recomputed === f.node.region && op.name === 'tanh');
    expect(copies.length).toBe(1);
  });

  it('recomputes draws from the same state', () => {
    const x = leaf([8], 'float32');
    const state = leaf([3], 'int64');
    const f = checkpoint((a) => square(dropout(a!, state, 0.5, 9)), [x]);
    const [slope] = gradients([sum(f)], [one()], [x]);
    const data = new Map([
      [x, arrayOf(x, [1, 2, 3, 4, 5, 6, 7, 8])],
      [state, arrayOf(state, [1, 2, 0])],
    ]);
    const [y, dx] = evaluate([f, slope!], data);
    expect([...dx!.data]).toEqual([...y!.data].map((value, i) => (2 * value) / (i + 1)));
    expect([...y!.data].some((value) => value === 0) && [...y!.data].some((value) => value > 0)).toBe(true);
  });

  it('makes one region of a checkpoint inside another', () => {
    const x = scalar();
    let within = 0;
    const f = checkpoint(
      (a) => {
        const y = checkpoint((b) => exp(b!), [a!]);
        within = y.node.region;
        return sub(y, 1);
      },
      [x],
    );
    expect(within).toBe(f.node.region);
    expect(at(slopeOf(f, x), [x, 0.25])).toBeCloseTo(Math.exp(0.25), 13);
  });
});
