import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/node.js';
import { fingerprint } from '../../src/compiler/index.js';
import * as ops from '../../src/ops/index.js';
import type { NdArray64 } from '../references/index.js';
import { evaluate } from '../references/interpreter.js';
import { compile, decode, encode, execute, interpret, rounded } from './compilerExecutor.js';
import { targets } from './compilerModels.js';
import { replay } from './compilerReplay.js';
import { dataFor, lossOf, loops, modelOf, withGradients, written } from './scanModels.js';

const names = Object.keys(loops);
const near = (found: NdArray64, expected: NdArray64, tolerance: number): void => {
  expect(found.shape).toEqual(expected.shape);
  found.data.forEach((x, i) => expect(Math.abs(x - expected.data[i]!)).toBeLessThanOrEqual(tolerance * (1 + Math.abs(expected.data[i]!))));
};

describe('scan', () => {
  it.each(names)('%s: is the loop in JavaScript, to the bit', (name) => {
    const [loop, plain] = [loops[name]!(ops.scan), loops[name]!(written)];
    const data = [...dataFor(loop.inputs).values()];
    const bind = (inputs: readonly Value[]) => new Map(inputs.map((value, i) => [value, data[i]!]));
    const [found, expected] = [evaluate(loop.results, bind(loop.inputs)), evaluate(plain.results, bind(plain.inputs))];
    found.forEach((array, i) => expect([...array.data]).toEqual([...expected[i]!.data]));
  });

  it.each(names)('%s: has the gradients of that loop, first and second', (name) => {
    const [loop, plain] = [withGradients(loops[name]!(ops.scan)), withGradients(loops[name]!(written))];
    const data = [...dataFor(loop.inputs).values()];
    const bind = (inputs: readonly Value[]) => new Map(inputs.map((value, i) => [value, data[i]!]));
    const [found, expected] = [evaluate(loop.results, bind(loop.inputs)), evaluate(plain.results, bind(plain.inputs))];
    found.forEach((array, i) => near(array, expected[i]!, 1e-12));
  });

  it.each(names)('%s: has gradients that agree with differences', (name) => {
    const { inputs, results } = loops[name]!(ops.scan);
    const loss = lossOf(results);
    const slopes = ops.gradients([loss], [ops.constant(1)], inputs).map((slope, i) => slope ?? ops.zerosLike(inputs[i]!));
    const data = dataFor(inputs);
    const found = evaluate(slopes, data);
    const h = 1e-5;
    inputs.forEach((input, i) => {
      const at = (element: number, by: number): number => {
        const moved = Float64Array.from(data.get(input)!.data);
        moved[element]! += by;
        return evaluate([loss], new Map(data).set(input, { ...data.get(input)!, data: moved }))[0]!.data[0]!;
      };
      for (const element of [0, found[i]!.data.length - 1]) {
        const expected = (at(element, h) - at(element, -h)) / (2 * h);
        expect(Math.abs(found[i]!.data[element]! - expected)).toBeLessThan(1e-7 * (1 + Math.abs(expected)));
      }
    });
  });

  const cases = names.flatMap((name) => [
    { name, target: 'everything', fuse: true },
    { name, target: 'plain', fuse: false },
    ...(name === 'rnn' || name === 'odd' ? [{ name, target: 'strided', fuse: true }] : []),
  ]);

  it.each(cases)('$name: its plan computes that, on memory that holds ($target, fuse $fuse)', ({ name, target, fuse }) => {
    for (const built of [loops[name]!(ops.scan), withGradients(loops[name]!(ops.scan))]) {
      const { description } = compile({ ...modelOf(built), target: targets[target as keyof typeof targets], options: { fuse } });
      expect(replay(description)).toEqual([]);
      const data = dataFor(built.inputs);
      const bound = new Map([...data].map(([value, array]) => [value, rounded(array)]));
      const expected = interpret(built.results, bound, true);
      const { results } = execute(
        description,
        built.inputs.map((value) => encode(bound.get(value)!)),
      );
      results.forEach((bytes, i) => near(decode(bytes, expected[i]!), expected[i]!, 2e-5));
    }
  });

  it('has a plan that does not grow with its length, nor do its gradients', () => {
    const count = (length: number): { steps: number; arena: number } => {
      const [xs, w, h] = [ops.leaf([length, 2, 3], 'float32'), ops.leaf([3, 3], 'float32'), ops.leaf([2, 3], 'float32')];
      const { carry } = ops.scan(([h], [x]) => ({ carry: [ops.tanh(ops.matmul(ops.add(h!, x!), w))], y: [] }), [h], [xs], { length });
      const slopes = ops.gradients([ops.sum(carry[0]!)], [ops.constant(1)], [w]);
      const plan = compile({ ...modelOf({ inputs: [xs, w, h], results: [carry[0]!, slopes[0]!] }), target: targets.everything });
      return {
        steps: plan.steps.length,
        arena: compile({ ...modelOf({ inputs: [xs, w, h], results: [carry[0]!] }), target: targets.everything }).arenaBytes,
      };
    };
    expect(count(1000)).toEqual(count(10));
    expect(count(10).steps).toBeLessThan(16);
  });

  it('runs the loop once that its gradients keep more of', () => {
    for (const name of ['rnn', 'gru', 'cumulative']) {
      const built = loops[name]!(ops.scan);
      const slopes = ops.gradients([lossOf(built.results)], [ops.constant(1)], built.inputs);
      const { description } = compile({
        ...modelOf({ ...built, results: [...built.results, ...(slopes as Value[])] }),
        target: targets.everything,
      });
      expect(description.loops!.length).toBe(2);
    }
  });

  it('computes once what is the same in every iteration, and leaves out what nobody reads', () => {
    const [xs, w, h] = [ops.leaf([5, 2], 'float32'), ops.leaf([2, 2], 'float32'), ops.leaf([2], 'float32')];
    const { carry, ys } = ops.scan(
      ([h, unread], [x]) => ({
        carry: [ops.add(h!, ops.mul(x!, ops.sum(ops.exp(w)))), ops.mul(unread!, ops.sin(x!))],
        y: [ops.cos(x!)],
      }),
      [h, h],
      [xs],
      { length: 5 },
    );
    expect(ys.length).toBe(1);
    const { description } = compile({ ...modelOf({ inputs: [xs, w, h], results: [carry[0]!] }), target: targets.everything });
    const inside = description.steps.slice(description.steps.findIndex(({ loop }) => loop !== undefined) + 1);
    const programs = (steps: typeof inside): string[] => steps.flatMap(({ program }) => program?.instructions.map(({ op }) => op) ?? []);
    expect(programs(inside).sort()).toEqual(['add', 'mul']);
    expect(programs([...description.steps])).toContain('exp');
    expect(JSON.stringify(description.steps)).not.toMatch(/"(sin|cos)"/);
  });

  it('overwrites a carry where it may', () => {
    const plan = (next: (rows: Value, x: Value) => Value): number => {
      const [xs, rows] = [ops.leaf([9, 1, 64], 'float32'), ops.leaf([100, 64], 'float32')];
      const { carry } = ops.scan(([rows], [x]) => ({ carry: [next(rows!, x!)], y: [] }), [rows], [xs], { length: 9 });
      return compile({ ...modelOf({ inputs: [xs, rows], results: [carry[0]!] }), target: targets.everything }).arenaBytes;
    };
    const start = (): Value => ops.iota([2]);
    expect(plan((rows, x) => ops.dynamicUpdateSlice(rows, x, start()))).toBeLessThan(1000);
    expect(plan((rows, x) => ops.dynamicUpdateSlice(ops.flip(rows, [0]), x, start()))).toBeGreaterThanOrEqual(100 * 64 * 4);
  });

  it('is known again by what its body does', () => {
    const request = (factor: number) => {
      const [xs, h] = [ops.leaf([5, 2], 'float32'), ops.leaf([2], 'float32')];
      const { carry } = ops.scan(([h], [x]) => ({ carry: [ops.add(h!, ops.mul(x!, factor))], y: [] }), [h], [xs], { length: 5 });
      return { ...modelOf({ inputs: [xs, h], results: [carry[0]!] }), target: targets.plain };
    };
    expect(fingerprint(request(2))).toBe(fingerprint(request(2)));
    expect(fingerprint(request(2))).not.toBe(fingerprint(request(3)));
  });

  it('does nothing where there is nothing to run over', () => {
    const h = ops.leaf([2], 'float32');
    const { carry, ys } = ops.scan(([h], [x]) => ({ carry: [ops.add(h!, x!)], y: [ops.exp(h!)] }), [h], [ops.constant(0, [0, 2])], {
      length: 0,
    });
    expect(carry).toEqual([h]);
    expect(ys[0]!.shape).toEqual([0, 2]);
  });
});
