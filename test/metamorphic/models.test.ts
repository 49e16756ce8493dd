import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompileRequest, Target } from '../../src/compiler/index.js';
import { records } from '../../src/ops/index.js';
import { arrayOfBytes } from '../conformance/bytes.js';
import { openDevices } from '../conformance/devices.js';
import type { Outcome, RemoteDevice } from '../conformance/devices.js';
import { agrees, evaluateScattered } from '../conformance/tolerance.js';
import type { Bounded } from '../conformance/tolerance.js';
import { evaluate } from '../references/interpreter.js';
import { randomOf } from '../references/samples/sample.js';
import { networks, trainingStep } from './models.js';
import type { Training } from './models.js';
import { outputsOf, runOn, same, without } from './run.js';

let devices: RemoteDevice[];
let target: Target;
beforeAll(async () => {
  devices = await openDevices();
  target = await devices[0]!.target();
});
afterAll(() => {
  for (const device of devices) device.close();
});

/** Every op that has a decomposition into others. */
const composites = new Set(
  Object.values(records).flatMap(({ name, decompose }) => (decompose && !['matmul', 'conv2d', 'elementwise'].includes(name) ? [name] : [])),
);

/**
 * What the step gives in float64: results, then the states that it leaves. A tensor may be twice as far from that as the farthest of
 * eight runs whose ops are moved at random within their own rounding.
 */
function expectedOf({ results, updates, bindings, data }: Training): Bounded[] {
  const after = new Map(updates.map(({ target: state, value }) => [state, value]));
  const states = bindings.flatMap(({ value, kind }) => (kind === 'state' ? [after.get(value)!] : []));
  const roots = [...results, ...states];
  const exact = evaluate(roots, data);
  const random = randomOf(3);
  const runs = Array.from({ length: 8 }, () => evaluateScattered(roots, data, random));
  return exact.map((value, o) => {
    const farthest = runs.reduce((most, run) => value.data.reduce((m, x, i) => Math.max(m, Math.abs(x - run[o]!.data[i]!)), most), 0);
    return { value, error: value.data.map(() => 2 * farthest) };
  });
}

function expectWithin(outcome: Outcome, expected: readonly Bounded[], where: string): void {
  expect(outcome.failure, where).toBeUndefined();
  outputsOf(outcome).forEach((bytes, o) => {
    const { value, error } = expected[o]!;
    const found = arrayOfBytes(value, bytes).data;
    const wrong = found.findIndex((x, i) => !agrees(x, value.data[i]!, error[i]!));
    expect(
      wrong,
      `${where}: output ${o} [${value.shape}] element ${wrong} is ${found[wrong]}, not ${value.data[wrong]} +- ${error[wrong]}`,
    ).toBe(-1);
  });
}

describe.each(Object.keys(networks) as (keyof typeof networks)[])('a training step of a %s', (name) => {
  const training = trainingStep(networks[name]);
  const expected = expectedOf(training);
  const request = (more: Partial<CompileRequest> = {}): CompileRequest => ({ ...training, target, ...more });

  it('is known to two percent of the largest element of each tensor', () => {
    for (const { value, error } of expected) {
      const largest = value.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(error[0]! / largest).toBeGreaterThan(1e-8);
      expect(error[0]! / largest).toBeLessThan(0.02);
    }
  });

  it('is the same fused, unfused and decomposed, within rounding, on every device', async () => {
    const forms: [string, CompileRequest][] = [
      ['fused', request()],
      ['unfused', request({ options: { fuse: false } })],
      ['decomposed', request({ target: without(target, composites) })],
      ['decomposed, unfused', request({ target: without(target, composites), options: { fuse: false } })],
    ];
    for (const device of devices) {
      for (const [form, asked] of forms)
        expectWithin((await runOn(device, asked, training.data)).first, expected, `${device.title}, ${form}`);
    }
  });

  it('has the same bits on 1, 2 and 5 threads, on each run, and on an arena full of NaN', async () => {
    for (const device of devices) {
      const { first, second } = await runOn(device, request(), training.data, 1);
      expect(same(first, second), `${device.title}: run again, on another arena`).toBe(true);
      for (const threads of [2, 5]) {
        const runs = await runOn(device, request(), training.data, threads);
        expect(same(first, runs.first), `${device.title}: ${threads} threads`).toBe(true);
      }
    }
  });

  it('has the same bits where its inner values are computed again', async () => {
    const again = trainingStep(networks[name], { recomputed: true });
    for (const device of devices) {
      for (const fuse of [true, false]) {
        const stored = await runOn(device, request({ options: { fuse } }), training.data);
        const recomputed = await runOn(device, { ...again, target, options: { fuse } }, again.data);
        expect(same(stored.first, recomputed.first), `${device.title}, fuse ${fuse}`).toBe(true);
      }
    }
  });
});

it.each(['perceptron', 'CNN', 'recurrent network'] as const)(
  'gradients of k micro-batches of a %s add up to those of the batch',
  async (name) => {
    const expected = expectedOf(trainingStep(networks[name]));
    for (const parts of [2, 3, 12]) {
      const training = trainingStep(networks[name], { parts });
      for (const device of devices) {
        expectWithin((await runOn(device, { ...training, target }, training.data)).first, expected, `${device.title}, ${parts} parts`);
      }
    }
  },
);
