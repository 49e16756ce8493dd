import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Device, DeviceBuffer, acknowledge, setThreads, threads, type RunResult } from '../../src/runtime/index.js';
import { PlanBuilder, accumulatePlan, longPlan, smallPlan } from './plans.js';

const device = Device.open('cpu');
const floats = async (buffer: DeviceBuffer): Promise<number[]> => [...new Float32Array(await buffer.read())];
const dispose = ({ results }: RunResult): void => results.forEach((result) => result instanceof DeviceBuffer && result.dispose());

test('runs settle in the order of their calls, waiting ones included', async () => {
  const length = 1 << 14;
  using plan = device.load(longPlan(2, length).encode());
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 7 }, async (_, i) => {
      dispose(await plan.run([new Float32Array(length)], { inline: false }));
      order.push(i);
    }),
  );
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('an abort between steps rejects with AbortError and leaves state untouched', async () => {
  const length = 1 << 18;
  const builder = longPlan(5_000, length); // far longer than a late timer takes to abort it
  const state = builder.input(1, 'state');
  const one = builder.temporary(1);
  builder.step('elementwise', [], [one], {
    program: { instructions: [{ op: 'constant', dtype: 'float32', sources: [], immediate: 1 }], stored: [0] },
  });
  builder.step('elementwise', [one], [state], { program: { instructions: [], stored: [0] }, commit: true });
  using plan = device.load(builder.encode());
  using buffer = device.allocate(4);
  const controller = new AbortController();
  const data = new Float32Array(length);
  const runs = [0, 1, 2].map(() => plan.run([data, buffer], { signal: controller.signal }));
  setTimeout(() => controller.abort(new Error('enough')), 5);
  for (const { status, ...rest } of await Promise.allSettled(runs)) {
    expect(status).toBe('rejected');
    expect((rest as PromiseRejectedResult).reason).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
  }
  expect(await floats(buffer)).toEqual([0]);
  await expect(plan.run([data, buffer], { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  dispose(await plan.run([data, buffer]));
  expect(await floats(buffer)).toEqual([1]);
});

test('after a failure the runs of its group are skipped until it is acknowledged', async () => {
  using plan = device.load(accumulatePlan().encode());
  using state = device.upload(new Float32Array(4));
  const good = new Float32Array(4).fill(1);
  const bad = new Float32Array(4).fill(Infinity);
  const group = 42;
  const [first, failed, queued, waiting] = await Promise.all(
    [good, bad, good, good].map((data) => plan.run([data, state], { group, inline: false })),
  );
  expect(first!.failure).toBeUndefined();
  expect(failed!.failure).toMatchObject({ code: 1, element: 0 });
  expect([queued!.skipped, waiting!.skipped]).toEqual([true, true]);
  expect(await floats(state)).toEqual([1, 1, 1, 1]);
  const other = await plan.run([good, state], { group: 7 });
  expect(other.skipped).toBeUndefined();
  acknowledge(group);
  await plan.run([good, state], { group });
  expect(await floats(state)).toEqual([3, 3, 3, 3]);
});

test('wrong bindings are named', async () => {
  using plan = device.load(accumulatePlan().encode());
  using state = device.allocate(16);
  const x = new Float32Array(4);
  await expect(plan.run([x])).rejects.toThrow('The plan has 2 bindings, 1 were given');
  await expect(plan.run([new Float32Array(5), state])).rejects.toThrow('Binding 0 of the plan takes 16 bytes, 20 were given');
  await expect(plan.run([x, new Float32Array(4)])).rejects.toThrow('must be a device buffer');
  using elsewhere = Device.open('async').allocate(16);
  await expect(plan.run([x, elsewhere])).rejects.toMatchObject({ code: 'DEVICE_MISMATCH' });
  expect((await plan.run([x, state])).results).toHaveLength(1);
});

test('a plan that cannot be trusted is refused with a reason', () => {
  const wire = smallPlan().encode();
  expect(() => device.load(wire.slice(0, 100))).toThrow('cut short');
  expect(() => device.load(wire.slice(0, wire.byteLength - 1))).toThrow('the buffer has');
  expect(() => device.load(new ArrayBuffer(4096))).toThrow('no plan');
  const outside = smallPlan().description();
  const [first, ...rest] = outside.tensors;
  const bent = new PlanBuilder();
  Object.assign(bent, outside, { tensors: [{ ...first!, strides: [2] }, ...rest] });
  expect(() => device.load(bent.encode())).toThrow('tensor 0 reaches outside its memory of 32 bytes');
  const unknown = new PlanBuilder();
  unknown.step('levitate', [unknown.input(1)], [unknown.result(1)]);
  expect(() => device.load(unknown.encode())).toThrow(/no kernel 'levitate'/);
  const early = new PlanBuilder();
  const x = early.input(1);
  early.apply('neg', [x], early.input(1, 'state'));
  expect(() => device.load(early.encode())).toThrow('is no commit step');
});

test('out of memory is an error that leaves the plan and the device usable', async () => {
  expect(() => device.allocate(2 ** 46)).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY', message: expect.stringContaining(`${2 ** 46} bytes`) }),
  );
  const builder = smallPlan();
  builder.arenaBytes = 2 ** 46;
  using plan = device.load(builder.encode());
  await expect(plan.run([new Float32Array(8)])).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  await expect(plan.run([new Float32Array(8)], { inline: true })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  using modest = device.load(smallPlan().encode());
  expect((await modest.run([new Float32Array(8)])).results).toHaveLength(1);
});

test('a buffer crosses as a ticket that is good once', async () => {
  const buffer = device.upload(new Float32Array([1, 2]));
  const id = buffer.share();
  buffer.dispose();
  using received = DeviceBuffer.receive(id);
  expect(await floats(received)).toEqual([1, 2]);
  expect(() => DeviceBuffer.receive(id)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
});

test('bits do not depend on the number of threads', async () => {
  const length = 1 << 18;
  using plan = device.load(longPlan(3, length).encode());
  const data = Float32Array.from({ length }, (_, i) => Math.sin(i) * 10);
  const before = threads();
  const outputs: Buffer[] = [];
  for (const count of [1, 2, 5, 2]) {
    setThreads(count);
    expect(threads()).toBe(count);
    const { results } = await plan.run([data]);
    using result = results[0] as DeviceBuffer;
    outputs.push(Buffer.from(await result.read()));
  }
  setThreads(before);
  for (const output of outputs) expect(output.equals(outputs[0]!)).toBe(true);
});

test('memory is flat over 10,000 steps', { timeout: 60_000 }, async () => {
  using plan = device.load(smallPlan(2000).encode());
  using state = device.upload(new Float32Array(2000));
  let early = 0;
  for (let step = 1; step <= 10_000; step++) {
    dispose(await plan.run([state], step % 2 ? {} : { inline: false }));
    if (step === 1000) early = device.memory().live;
  }
  expect(device.memory().live).toBe(early);
});

test('buffers that nobody disposes of are freed by the collector', { timeout: 60_000 }, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const before = device.memory().live;
  for (let i = 0; i < 100; i++) device.allocate(1 << 20);
  // How many collections the last garbage takes is V8's affair: ask until it is gone, or the test times out.
  const deadline = performance.now() + 20_000;
  while (device.memory().live - before >= 50 << 20 && performance.now() < deadline) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(device.memory().live - before).toBeLessThan(50 << 20);
});

test.each([true, false])('every await passes through a macrotask (inline: %s)', async (inline) => {
  using plan = device.load(smallPlan().encode());
  let fired = 0;
  const timer = setInterval(() => fired++, 1);
  const end = performance.now() + 50;
  while (performance.now() < end) await plan.run([new Float32Array(8)], { inline });
  clearInterval(timer);
  expect(fired).toBeGreaterThan(2);
});

test('overhead of an empty plan', { timeout: 30_000 }, async () => {
  using plan = device.load(new PlanBuilder().encode());
  const measure = async (inline: boolean): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 3000; i++) {
      const start = performance.now();
      await plan.run([], { inline });
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[1500]! * 1000;
  };
  await measure(false);
  const handedOver = await measure(false);
  const inline = await measure(true);
  console.log(`empty plan, p50: handed over ${handedOver.toFixed(1)} us (target 30), inline ${inline.toFixed(1)} us`);
  expect(handedOver).toBeLessThan(1000);
});
