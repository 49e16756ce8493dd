// Bad data: the status word names it, and nothing is committed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Target } from '../../src/compiler/index.js';
import { encodePlan } from '../../src/compiler/wire/index.js';
import type { Value } from '../../src/graph/node.js';
import type { DType } from '../../src/graph/dtype.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { runOn } from '../metamorphic/run.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { bytesOf } from './bytes.js';
import { openDevices } from './devices.js';
import type { RemoteDevice } from './devices.js';
import { poisonPlan } from './poison.js';

/** PolluxStatusCode of native/backend.h. */
const NOT_FINITE = 1;
const LABEL_OUT_OF_RANGE = 2;
const INDEX_OUT_OF_RANGE = 3;
const CAPACITY_EXCEEDED = 5;

let devices: RemoteDevice[];
let target: Target;
beforeAll(async () => {
  devices = await openDevices();
  target = await devices[0]!.target();
});
afterAll(() => {
  for (const device of devices) device.close();
});

interface Failure {
  readonly code: number;
  readonly element: number;
  readonly detail: number;
}

/** A graph with two states that grow by what `make` yields; `given` are its inputs. */
async function train(given: readonly NdArray64[], make: (...inputs: Value[]) => { value: Value; check?: Value }) {
  const data = new Map<Value, NdArray64>();
  const bind = (array: NdArray64): Value => {
    const value = ops.leaf(array.shape, array.dtype);
    data.set(value, array);
    return value;
  };
  const inputs = given.map(bind);
  const { value, check } = make(...inputs);
  const first = bind(arrayOf({ shape: [3], dtype: 'float32' }, [1, 2, 3]));
  const second = bind(arrayOf({ shape: [], dtype: 'int32' }, [7]));
  const updates = [
    { target: first, value: ops.add(first, ops.sum(value)) },
    { target: second, value: ops.add(second, 1) },
  ];
  const bindings = [...data.keys()].map((leaf) => ({
    value: leaf,
    kind: leaf === first || leaf === second ? ('state' as const) : ('input' as const),
  }));
  const before = [first, second].map((state) => bytesOf(data.get(state)!));
  const outcomes = [];
  for (const device of devices) {
    for (const fuse of [true, false]) {
      for (const threads of [1, 3]) {
        const request = { results: [ops.sum(value)], updates, checks: check ? [check] : [], bindings, target, options: { fuse } };
        outcomes.push({
          where: `${device.title}, fuse ${fuse}, ${threads} threads`,
          ...(await runOn(device, request, data, threads)).first,
          before,
        });
      }
    }
  }
  return outcomes;
}

async function expectFailure(failure: Failure, ...call: Parameters<typeof train>): Promise<void> {
  for (const { where, failure: found, results, states, before } of await train(...call)) {
    expect(found, where).toMatchObject(failure);
    expect(results, where).toEqual([]);
    expect(states, `${where}: states are as they were`).toEqual(before);
  }
}

async function expectSuccess(...call: Parameters<typeof train>): Promise<void> {
  for (const { where, failure, states, before } of await train(...call)) {
    expect(failure, where).toBeUndefined();
    states.forEach((bytes, i) => expect(bytes, `${where}: state ${i} is overwritten`).not.toEqual(before[i]));
  }
}

const floats = (...shape: number[]): NdArray64 =>
  arrayOf(
    { shape, dtype: 'float32' },
    Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(0.1 + (i % 7) / 8)),
  );
const whole = (dtype: DType, ...list: number[]): NdArray64 => arrayOf({ shape: [list.length], dtype }, list);

describe('labels', () => {
  const loss = (logits: Value, labels: Value) => ({ value: ops.crossEntropy(logits, labels) });

  it.each([
    ['int32', [0, 4, -1, 2], 2, -1],
    ['int32', [0, 4, 3, 5], 3, 5],
    ['int64', [2 ** 40, 1, 2, 3], 0, 2 ** 40],
    ['uint8', [0, 255, 1, 2], 1, 255],
  ] as const)('%s %j: row %i', (dtype, labels, element, detail) =>
    expectFailure({ code: LABEL_OUT_OF_RANGE, element, detail }, [floats(4, 5), whole(dtype, ...labels)], loss),
  );

  it('at the borders are fine', () => expectSuccess([floats(4, 5), whole('int32', 0, 4, 0, 4)], loss));

  it('fail the gradient alone, too', () =>
    expectFailure(
      { code: LABEL_OUT_OF_RANGE, element: 1, detail: 9 },
      [floats(4, 5), whole('int32', 0, 9, 0, 1), floats(4)],
      (logits, labels, sums) => ({
        value: ops.gradients([ops.crossEntropy(logits, labels)], [sums], [logits])[0]!,
      }),
    ));
});

describe('indices', () => {
  const x = floats(6, 3);
  const calls: Record<string, (x: Value, indices: Value) => Value> = {
    gather: (from, at) => ops.gather(from, at, 0),
    takeAlong: (from, at) => ops.takeAlong(from, ops.broadcast(ops.reshape(at, [3, 1]), [3, 3]), 0),
    scatterAdd: (to, at) => ops.scatterAdd(to, at, ops.constant(1, [3, 3], 'float32'), 0),
    scatterAlong: (to, at) => ops.scatterAlong(to, ops.broadcast(ops.reshape(at, [3, 1]), [3, 3]), ops.constant(1, [3, 3], 'float32'), 0),
  };
  const along = (name: string): boolean => name.endsWith('Along');

  describe.each(Object.keys(calls))('of %s', (name) => {
    const make = (from: Value, at: Value) => ({ value: calls[name]!(from, at) });
    it.each([
      ['int32', 6],
      ['int32', -7],
      ['int64', 2 ** 33],
    ] as const)('out of range: %s %i', (dtype, bad) =>
      expectFailure({ code: INDEX_OUT_OF_RANGE, element: along(name) ? 6 : 2, detail: bad }, [x, whole(dtype, 5, -6, bad)], make),
    );
    it('at the borders are fine', () => expectSuccess([x, whole('int32', 5, -6, 0)], make));
  });
});

describe('a cache', () => {
  const update = (cache: Value, rows: Value, position: Value) => ({ value: ops.cacheUpdate(cache, rows, position) });
  it.each([
    ['int32', [0, 3], 1, 3],
    ['int32', [-1, 9], 0, -1],
    ['int64', [2, 2 ** 33], 1, 2 ** 33],
  ] as const)('without room: %s %j', (dtype, positions, element, detail) =>
    expectFailure({ code: CAPACITY_EXCEEDED, element, detail }, [floats(2, 4, 3), floats(2, 2, 3), whole(dtype, ...positions)], update),
  );
  it('at the borders is fine', () => expectSuccess([floats(2, 4, 3), floats(2, 2, 3), whole('int32', 0, 2)], update));
});

describe('checks', () => {
  const size = 150_000; // many chunks
  const big = (...bad: [number, number][]): NdArray64 => {
    const array = floats(size);
    for (const [at, x] of bad) array.data[at] = x;
    return array;
  };
  const checked = (x: Value) => ({ value: ops.neg(x), check: x });
  const computed = (x: Value) => {
    const value = ops.mul(x, 0.5);
    return { value, check: value };
  };

  it.each([
    ['NaN', NaN, 1],
    ['infinity', Infinity, 149_999],
    ['-infinity', -Infinity, 131_072],
  ])('find a %s', async (_, x, at) => {
    await expectFailure({ code: NOT_FINITE, element: at, detail: 0 }, [big([at, x])], checked);
    await expectFailure({ code: NOT_FINITE, element: at, detail: 0 }, [big([at, x])], computed);
  });

  it('name the first of several, on any number of threads', () =>
    expectFailure({ code: NOT_FINITE, element: 70_000, detail: 0 }, [big([140_000, NaN], [70_000, Infinity], [100_000, NaN])], computed));

  it('let the largest numbers pass', () =>
    expectSuccess([big([5, 3e38], [6, -3e38], [7, 1e-45])], (x) => ({ value: ops.sign(x), check: x })));
});

it('an elementwise step without a program is refused, not run', async () => {
  const plan = poisonPlan(64);
  const wire = encodePlan({ ...plan, steps: plan.steps.map(({ program: _, ...step }) => step) });
  for (const device of devices) await expect(device.run(wire, [new Uint8Array(64)])).rejects.toThrow('step 0 has no program');
});
