import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Target } from '../../src/compiler/index.js';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import type { NdArray64 } from '../references/index.js';
import { compile, decode, encode, execute, interpret, rounded } from './compilerExecutor.js';
import type { Outcome } from './compilerExecutor.js';
import { cnnStep, mlpStep, targets } from './compilerModels.js';
import type { Model } from './compilerModels.js';
import { randomModel, seeds } from './compilerRandom.js';

type Data = ReadonlyMap<Value, NdArray64>;

const run = (model: Model, data: Data, target: Target, fuse: boolean): Outcome =>
  execute(
    compile({ ...model, target, options: { fuse } }).description,
    model.bindings.map(({ value }) => encode(rounded(data.get(value)!))),
  );

/** What the model means: its results, then its bindings after the run. */
function meaning(model: Model, data: Data, exact: boolean): NdArray64[] {
  const bound = new Map([...data].map(([value, array]) => [value, rounded(array)]));
  const final = new Map(model.updates.map(({ target, value }) => [target, value]));
  return interpret([...model.results, ...model.bindings.map(({ value }) => final.get(value) ?? value)], bound, exact);
}

/** Whole numbers from a fixed sequence, spread over [-1, 1). */
function dataOf(model: Model, labels = 10): Data {
  let seed = 1;
  const draw = (): number => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  const data = new Map<Value, NdArray64>();
  for (const { value } of model.bindings) {
    const { shape, dtype } = value;
    const element = dtype === 'int32' ? () => Math.floor(draw() * labels) : shape.length ? () => draw() * 2 - 1 : () => 0.01;
    data.set(value, { shape, dtype, data: Float64Array.from({ length: sizeOf(shape) }, element) });
  }
  // Second moments are never negative.
  model.updates.slice(1).forEach(({ target }, i) => {
    if (i % 3 === 2)
      data.get(target)!.data.forEach((x, at, all) => {
        all[at] = Math.abs(x);
      });
  });
  return data;
}

describe('a compiled plan', () => {
  it('has the bits of the graph it was made of, fused or not', () => {
    fc.assert(
      fc.property(...seeds, fc.boolean(), (seed, size, fuse) => {
        const { model, data } = randomModel(seed, size);
        const expected = meaning(model, data, false);
        for (const target of [targets.plain, targets.strided]) {
          const { results, bindings } = run(model, data, target, fuse);
          const found = [...results, ...bindings].map((bytes, i) => decode(bytes, expected[i]!));
          found.forEach((array, i) => expect([...array.data]).toEqual([...expected[i]!.data]));
        }
      }),
      { numRuns: 300 },
    );
  });

  const cases = Object.entries(targets).flatMap(([name, target]) => [true, false].map((fuse) => ({ name, target, fuse })));
  it.each(cases)('trains as the interpreter does ($name, fuse $fuse)', ({ target, fuse }) => {
    for (const model of [mlpStep(), cnnStep(), cnnStep(3, 9, 2, 4)]) {
      const data = dataOf(model);
      const expected = meaning(model, data, true);
      const { results, bindings, failed } = run(model, data, target, fuse);
      expect(failed).toBe(false);
      [...results, ...bindings].forEach((bytes, i) => {
        const scale = Math.max(1e-3, ...expected[i]!.data.map(Math.abs));
        // About ten operations in float32 lie between inputs and outputs; Adam divides by a root and magnifies once more.
        decode(bytes, expected[i]!).data.forEach((x, at) => expect(Math.abs(x - expected[i]!.data[at]!)).toBeLessThan(2e-5 * scale));
      });
    }
  });

  it.each(cases)('commits nothing if the loss is not finite ($name, fuse $fuse)', ({ target, fuse }) => {
    const model = cnnStep();
    const data = dataOf(model);
    data.get(model.bindings[0]!.value)!.data[5] = NaN;
    const { bindings, failed } = run(model, data, target, fuse);
    expect(failed).toBe(true);
    bindings.forEach((bytes, i) => expect(bytes).toEqual(encode(rounded(data.get(model.bindings[i]!.value)!))));
  });
});
