import { describe, expect, it } from 'vitest';
import { compileGraph, fingerprint, fingerprintInSlices, PlanCache } from '../../src/compiler/index.js';
import type { CompiledPlan, CompileRequest } from '../../src/compiler/index.js';
import { encodeInSlices, encodePlan } from '../../src/compiler/wire/index.js';
import type { PolluxError } from '../../src/errors.js';
import { withContext } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import * as ops from '../../src/ops/index.js';
import { compile, decode, encode, execute } from './compilerExecutor.js';
import { cnnStep, fakeTarget, mlpStep, targets } from './compilerModels.js';
import { replay } from './compilerReplay.js';

const kernels = (plan: CompiledPlan): string[] => plan.steps.map(({ kernel }) => kernel);

function request(results: readonly Value[], leaves: readonly Value[], more: Partial<CompileRequest> = {}): CompileRequest {
  return {
    results,
    updates: [],
    checks: [],
    bindings: leaves.map((value) => ({ value, kind: 'input' as const })),
    target: targets.everything,
    ...more,
  };
}

describe('simplify', () => {
  const x = ops.leaf([2, 3], 'float32');
  const programs = (y: Value): string[] =>
    compile(request([y], [x])).description.steps.flatMap(({ program }) => program!.instructions.map(({ op }) => op));

  it('computes equal expressions once', () => {
    expect(programs(ops.add(ops.exp(x), ops.exp(x)))).toEqual(['exp', 'add']);
  });

  it('drops only what changes no bit', () => {
    expect(programs(ops.mul(ops.sub(ops.exp(x), 0), 1))).toEqual(['exp']);
    // -0 + 0 is 0.
    expect(programs(ops.add(ops.exp(x), 0))).toEqual(['constant', 'exp', 'add'].sort((a, b) => Number(b === 'exp') - Number(a === 'exp')));
  });

  it('keeps what is computed again apart from the original', () => {
    const again = withContext({ recomputed: 1 }, () => ops.exp(x));
    expect(programs(ops.add(ops.exp(x), again)).filter((op) => op === 'exp')).toHaveLength(2);
  });

  it('merges draws of one stream and never those of two', () => {
    const state = ops.leaf([3], 'int64');
    const sum = (a: number, b: number): CompiledPlan =>
      compile(request([ops.add(ops.uniform(state, [4], a), ops.uniform(state, [4], b))], [state]));
    expect(kernels(sum(1, 1)).filter((name) => name === 'uniform')).toHaveLength(1);
    expect(kernels(sum(1, 2)).filter((name) => name === 'uniform')).toHaveLength(2);
  });
});

describe('fusion', () => {
  it('makes the CNN step of the kernels it should be made of', () => {
    const names = kernels(compile({ ...cnnStep(), target: targets.everything }));
    expect(names.filter((name) => name.startsWith('conv') || name.startsWith('maxPool'))).toEqual([
      'conv2dMaxPool',
      'conv2dGradWeightUnpool',
    ]);
    // Bias and relu are in the products: what is left between the layers is the mask of relu.
    expect(names.slice(0, 4)).toEqual(['conv2dMaxPool', 'matmul', 'matmul', 'crossEntropy']);
  });

  it('uses no epilogue that the target does not name', () => {
    const plan = compile({ ...cnnStep(), target: targets.plain });
    for (const { kernel, inputs, attributes } of plan.description.steps) {
      if (kernel !== 'matmul' && kernel !== 'conv2d') continue;
      expect(inputs).toHaveLength(2);
      expect(attributes['activation']).toBe('none');
    }
  });

  it('does not make a step wait for itself', () => {
    const x = ops.leaf([4], 'float32');
    const a = ops.exp(x);
    // sum(a) lies between a and the product: the three cannot be one program.
    const y = ops.mul(a, ops.broadcast(ops.sum(a), [4]));
    expect(kernels(compile(request([y], [x])))).toEqual(['elementwise', 'sum', 'elementwise']);
  });

  it('reads transposes and broadcasts in place', () => {
    const x = ops.leaf([2, 3], 'float32');
    const y = ops.leaf([3, 1], 'float32');
    expect(kernels(compile(request([ops.add(ops.transpose(x), y)], [x, y])))).toEqual(['elementwise']);
  });
});

describe('the commit phase', () => {
  const values = (bytes: Uint8Array): number[] => [...decode(bytes, { shape: [2], dtype: 'float32' }).data];
  const bytes = (...data: number[]): Uint8Array => encode({ shape: [2], dtype: 'float32', data: Float64Array.from(data) });
  const state = (): Value => ops.leaf([2], 'float32');
  const run = (pairs: [Value, Value][], results: Value[] = []) => {
    const made = request(results, [], {
      bindings: pairs.map(([value]) => ({ value, kind: 'state' })),
      updates: pairs.map(([target, value]) => ({ target, value })),
    });
    const plan = compile(made);
    const outcome = execute(
      plan.description,
      pairs.map((_, i) => bytes(10 * i + 1, 10 * i + 2)),
    );
    return { plan, states: outcome.bindings.map(values), results: outcome.results.map(values) };
  };

  it('swaps two states', () => {
    const [a, b] = [state(), state()];
    expect(
      run([
        [a, b],
        [b, a],
      ]).states,
    ).toEqual([
      [11, 12],
      [1, 2],
    ]);
  });

  it('turns a state round', () => {
    const a = state();
    expect(run([[a, ops.flip(a, [0])]]).states).toEqual([[2, 1]]);
  });

  it('updates in place, and lets others read the old value first', () => {
    const [a, b] = [state(), state()];
    const { plan, states, results } = run(
      [
        [a, ops.add(a, 1)],
        [b, ops.mul(a, b)],
      ],
      [ops.exp(ops.mul(a, 0)), a],
    );
    expect(states).toEqual([
      [2, 3],
      [11, 24],
    ]);
    expect(results).toEqual([
      [1, 1],
      [1, 2],
    ]);
    expect(plan.description.steps.filter(({ commit }) => commit)).toHaveLength(2);
  });

  it('copies where in place would need the old value afterwards', () => {
    const [a, b] = [state(), state()];
    const next = ops.add(a, b);
    // b' reads the old a and the new one.
    expect(
      run([
        [a, next],
        [b, ops.mul(a, next)],
      ]).states,
    ).toEqual([
      [12, 14],
      [12, 28],
    ]);
  });

  it('gives one value to two states and to a result', () => {
    const [a, b] = [state(), state()];
    const next = ops.add(a, b);
    const { states, results } = run(
      [
        [a, next],
        [b, next],
      ],
      [next, next],
    );
    expect([...states, ...results]).toEqual(Array(4).fill([12, 14]));
  });

  it('keeps what may fail before the first overwrite', () => {
    const [a, indices] = [state(), ops.leaf([1], 'int32')];
    const next = ops.add(a, 1);
    const picked = ops.gather(next, indices);
    const plan = compile(
      request([picked], [], {
        bindings: [
          { value: a, kind: 'state' },
          { value: indices, kind: 'input' },
        ],
        updates: [{ target: a, value: next }],
        checks: [picked],
      }),
    );
    expect(replay(plan.description)).toEqual([]);
    expect(plan.steps.at(-1)!.label).toMatch(/^copy/);
  });
});

describe('decomposition', () => {
  it('names op, types and backend where nothing helps', () => {
    const x = ops.leaf([2, 2], 'float32');
    const lacking = fakeTarget({ name: 'abacus', lacks: ['matmul'] });
    let error: PolluxError | undefined;
    try {
      compile(request([ops.matmul(x, x)], [x], { target: lacking }));
    } catch (caught) {
      error = caught as PolluxError;
    }
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(/matmul.*abacus.*float32\[2, 2\]/) });
  });
});

describe('fingerprint', () => {
  it('is that of the content, not of the objects', () => {
    const key = (make: () => ReturnType<typeof mlpStep>): string => fingerprint({ ...make(), target: targets.plain });
    expect(key(() => mlpStep())).toBe(key(() => mlpStep()));
    const others = [() => mlpStep(5), () => mlpStep(4, 6), () => cnnStep()].map(key);
    expect(new Set([key(() => mlpStep()), ...others]).size).toBe(4);
  });

  it('tells constants, kinds of bindings and the order of results apart', () => {
    const x = ops.leaf([2], 'float32');
    const y = ops.exp(x);
    const keys = [
      request([ops.add(x, 0)], [x]),
      request([ops.add(x, -0)], [x]),
      request([x, y], [x]),
      request([y, x], [x]),
      request([x, y], [], { bindings: [{ value: x, kind: 'state' }] }),
      request([x, y], [x], { checks: [y] }),
    ].map(fingerprint);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('PlanCache', () => {
  it('drops the plan that was used longest ago', () => {
    const dropped: number[] = [];
    const cache = new PlanCache<number>(2, (plan) => dropped.push(plan));
    cache.set('a', 1);
    cache.set('b', 2);
    cache.get('a');
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
    expect(dropped).toEqual([2]);
  });
});

describe('compiling', () => {
  it('yields: a graph of thousands of ops takes many short slices', () => {
    const x = ops.leaf([16, 16], 'float32');
    let y = x;
    for (let i = 0; i < 1500; i++) y = i % 2 ? ops.tanh(ops.add(y, x)) : ops.matmul(y, x);
    const passes = compileGraph(request([y], [x]));
    let slices = 1;
    while (!passes.next().done) slices++;
    expect(slices).toBeGreaterThan(1);
  });

  it('yields before and behind the passes: the key and the wire may stop at every node and step', () => {
    const given = { ...mlpStep(), target: targets.everything };
    const plan = compile(given);
    const count = <R>(work: Generator<void, R>): { yields: number; value: R } => {
      for (let yields = 0; ; yields++) {
        const turn = work.next();
        if (turn.done) return { yields, value: turn.value };
      }
    };
    const key = count(fingerprintInSlices(given, () => true));
    const nodes = key.value.split('\n').length - given.bindings.length - 4;
    expect(key.value).toBe(fingerprint(given));
    expect(key.yields).toBeGreaterThanOrEqual(2 * nodes); // once to find it, once to describe it
    const wire = count(encodeInSlices(plan.description, () => true));
    expect(Buffer.compare(Buffer.from(wire.value), Buffer.from(encodePlan(plan.description)))).toBe(0);
    expect(wire.yields).toBeGreaterThanOrEqual(2 * (plan.steps.length + plan.description.tensors.length));
  });

  it('explains itself', () => {
    const plan = compile({ ...cnnStep(), target: targets.everything });
    const text = plan.explain(Float64Array.from(plan.steps, () => 1000));
    for (const part of ['conv2dMaxPool', 'conv2d+add+maxPool2d+relu', 'commit', 'arena', 'frozen numbers', 'ms'])
      expect(text).toContain(part);
    expect(text.split('\n').length).toBeGreaterThan(plan.steps.length);
  });
});
