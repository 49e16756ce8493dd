import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlanDescription } from '../../src/compiler/index.js';
import * as ops from '../../src/ops/index.js';
import { compile } from './compilerExecutor.js';
import { cnnStep, mlpStep, targets } from './compilerModels.js';
import { randomModel, seeds } from './compilerRandom.js';
import { replay } from './compilerReplay.js';
import { loops, modelOf } from './scanModels.js';

const withOptions = Object.entries(targets).flatMap(([name, target]) => [true, false].map((fuse) => ({ name, target, fuse })));

describe('memory of a plan', () => {
  it.each(withOptions)('holds in training steps ($name, fuse $fuse)', ({ target, fuse }) => {
    for (const model of [mlpStep(), cnnStep()]) {
      const { description } = compile({ ...model, target, options: { fuse } });
      // The step counter is read again by the optimizer, which wants its new value.
      const counter = model.bindings.findIndex(({ value }) => value === model.updates[0]!.target);
      expect(replay(description, { rereads: [counter] })).toEqual([]);
    }
  });

  it('holds in random graphs', () => {
    fc.assert(
      fc.property(...seeds, fc.boolean(), (seed, size, fuse) => {
        const { model } = randomModel(seed, size);
        const everything = model.bindings.map((_, i) => i);
        for (const target of Object.values(targets)) {
          expect(replay(compile({ ...model, target, options: { fuse } }).description, { rereads: everything })).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('is shared: a chain of products needs two buffers, however long', () => {
    const x = ops.leaf([8, 8], 'float32');
    let y = x;
    for (let i = 0; i < 50; i++) y = ops.matmul(y, x);
    const plan = compile({ results: [y], updates: [], checks: [], bindings: [{ value: x, kind: 'input' }], target: targets.plain });
    expect(plan.arenaBytes).toBe(2 * 8 * 8 * 4);
  });
});

describe('the checker itself', () => {
  const plan = compile({ ...mlpStep(), target: targets.plain }).description;
  const spoil = (change: (plan: PlanDescription) => PlanDescription): string => replay(change(plan), { rereads: [8] }).join('\n');
  const moved = (number: number, offset: number): PlanDescription['tensors'] =>
    plan.tensors.map((tensor, i) => (i === number ? { ...tensor, location: { ...tensor.location, offset } } : tensor));

  it('sees a buffer that is overwritten while it lives', () => {
    const saved = plan.steps.findIndex(({ kernel }) => kernel === 'matmul');
    const output = plan.steps[saved]!.outputs[0]!;
    const [other] = plan.steps[saved + 1]!.outputs;
    const found = [...Array(plan.arenaBytes / 4).keys()].some(
      (i) => i * 4 !== plan.tensors[output]!.location.offset && spoil((p) => ({ ...p, tensors: moved(other!, i * 4) })) !== '',
    );
    expect(found).toBe(true);
  });

  it('sees a state that is written outside the commit phase', () => {
    expect(spoil((p) => ({ ...p, steps: p.steps.map((step) => ({ ...step, commit: false })) }))).toMatch(/no commit step/);
  });

  it('sees a check that comes too late', () => {
    const check = plan.steps.find(({ kernel }) => kernel === 'checkFinite')!;
    expect(spoil((p) => ({ ...p, steps: [...p.steps.filter((step) => step !== check), check] }))).toMatch(/may fail after/);
  });

  it('sees what a loop gets wrong', () => {
    const { inputs, results } = loops['rnn']!(ops.scan);
    const { description } = compile({ ...modelOf({ inputs, results }), target: targets.plain });
    const change = (what: Partial<PlanDescription>): string => replay({ ...description, ...what }).join('\n');
    const moves = description.moves!;
    const [carry, slice] = [moves.findIndex(({ first }) => first !== undefined), moves.findIndex(({ stride }) => stride !== 0)];
    expect(replay(description)).toEqual([]);
    // A carry that is written where it is read, one that is read where nothing was written, and slices that do not advance.
    const swap = { even: moves[carry]!.odd, odd: moves[carry]!.even };
    expect(change({ moves: moves.with(carry, { ...moves[carry]!, ...swap }) })).toMatch(/written over|never written|overwritten/);
    expect(change({ moves: moves.with(carry, { ...moves[carry]!, first: undefined }) })).toMatch(/never written/);
    const yielded = moves.findIndex(({ stride, even }) => stride !== 0 && description.tensors[even]!.location.kind === 'result');
    expect(change({ moves: moves.with(yielded, { ...moves[yielded]!, stride: 0 }) })).toMatch(/not written whole/);
    expect(change({ moves: moves.with(slice, { ...moves[slice]!, stride: 1 << 20 }) })).toMatch(/lies outside/);
  });

  it('sees what was never written', () => {
    expect(spoil((p) => ({ ...p, steps: p.steps.slice(1) }))).toMatch(/never written/);
  });
});
