import { describe, expect, test } from 'vitest';
import { Device, DeviceBuffer } from '../../src/runtime/index.js';
import { PlanBuilder, accumulatePlan, longPlan, smallPlan } from './plans.js';

const floats = (data: ArrayBuffer | DeviceBuffer): number[] => [...new Float32Array(data as ArrayBuffer)];

describe.each(['cpu', 'async'])('plans on %s', (name) => {
  const device = Device.open(name);

  test('runs end to end, small results as ArrayBuffers', async () => {
    using plan = device.load(smallPlan(4).encode());
    const { results } = await plan.run([new Float32Array([1, 2, 3, -4])]);
    expect(floats(results[0]!)).toEqual([2, 6, 12, 12]);
    expect(plan.arenaBytes).toBe(64);
    expect(plan.scratchBytes).toBeGreaterThanOrEqual(0);
  });

  test('large results are device buffers, which the next run takes', async () => {
    const length = 5000;
    using plan = device.load(smallPlan(length).encode());
    const first = await plan.run([Float32Array.from({ length }, (_, i) => i % 3)]);
    using buffer = first.results[0] as DeviceBuffer;
    expect(buffer).toBeInstanceOf(DeviceBuffer);
    expect(buffer.bytes).toBe(4 * length);
    const second = await plan.run([buffer]);
    using again = second.results[0] as DeviceBuffer;
    expect(floats(await again.read()).slice(0, 6)).toEqual([0, 6, 42, 0, 6, 42]);
  });

  test('state is overwritten by commit steps', async () => {
    using plan = device.load(accumulatePlan().encode());
    using state = device.upload(new Float32Array([1, 2, 3, 4]));
    const runs = Array.from({ length: 5 }, () => plan.run([new Float32Array([1, 1, 1, 1]), state]));
    const last = (await Promise.all(runs)).at(-1)!;
    expect(floats(last.results[0]!)).toEqual([-6, -7, -8, -9]);
    expect(floats(await state.read())).toEqual([6, 7, 8, 9]);
  });

  test('a failed run leaves state alone, says where, and gives its inputs back', async () => {
    using plan = device.load(accumulatePlan().encode());
    using state = device.upload(new Float32Array([1, 2, 3, 4]));
    const { failure, results } = await plan.run([new Float32Array([0, 0, NaN, 0]), state]);
    expect(failure).toMatchObject({ code: 1, step: 1, element: 2 });
    expect(results).toEqual([]);
    expect(floats(failure!.inputs[0]!)).toEqual([0, 0, NaN, 0]);
    expect(failure!.inputs[1]).toBeUndefined();
    expect(floats(await state.read())).toEqual([1, 2, 3, 4]);
  });

  test('debug names the first step, output and element that is not finite', async () => {
    const builder = new PlanBuilder();
    const x = builder.input(3);
    const [a, b] = [builder.temporary(3), builder.temporary(3)];
    builder.apply('neg', [x], a).apply('log', [a], b).apply('neg', [b], builder.result(3));
    using plan = device.load(builder.encode());
    const { failure } = await plan.run([new Float32Array([-1, 1, -1])], { debug: true });
    expect(failure).toMatchObject({ code: 1, step: 1, operand: 0, element: 1 });
  });

  test('profile measures each step', async () => {
    using plan = device.load(smallPlan().encode());
    const { stepNanoseconds } = await plan.run([new Float32Array(8)], { profile: true });
    expect(stepNanoseconds).toHaveLength(2);
    expect(Math.min(...stepNanoseconds!)).toBeGreaterThan(0);
  });

  test('buffers are zeroed, written and read in the order of the calls', async () => {
    using buffer = device.allocate(1 << 20);
    expect(new Uint8Array(await buffer.read()).every((byte) => byte === 0)).toBe(true);
    const data = new Uint8Array(1 << 20).fill(7);
    const written = buffer.write(data);
    data.fill(9);
    const read = buffer.read();
    await written;
    expect(new Uint8Array(await read)[12345]).toBe(7);
  });

  test('host data is copied at the call: detaching or changing it afterwards does no harm', async () => {
    const length = 1 << 16;
    using plan = device.load(longPlan(4, length).encode());
    const expected = Math.fround(-Math.sin(Math.sin(Math.sin(Math.sin(1)))));
    const runs = Array.from({ length: 4 }, () => {
      const data = new Float32Array(length).fill(1);
      const run = plan.run([data], { inline: false });
      data.fill(5);
      structuredClone(data.buffer, { transfer: [data.buffer] });
      return run;
    });
    for (const { results } of await Promise.all(runs)) {
      using buffer = results[0] as DeviceBuffer;
      const values = new Float32Array(await buffer.read());
      expect(values[0]).toBeCloseTo(expected, 5);
      expect(values[length - 1]).toBe(values[0]);
    }
  });

  test('a SharedArrayBuffer is borrowed', async () => {
    using plan = device.load(smallPlan(4).encode());
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const { results } = await plan.run([shared]);
    expect(floats(results[0]!)).toEqual([2, 6, 12, 20]);
  });

  test('buffers disposed with a run in flight live until it has settled', async () => {
    const length = 1 << 16;
    using plan = device.load(longPlan(8, length).encode());
    const buffer = device.upload(new Float32Array(length).fill(0.5));
    const run = plan.run([buffer]);
    buffer.dispose();
    buffer.dispose();
    expect(buffer.disposed).toBe(true);
    const other = device.upload(new Float32Array(length).fill(-9));
    const { results } = await run;
    expect(new Float32Array(await (results[0] as DeviceBuffer).read())[7]).toBeLessThan(0);
    (results[0] as DeviceBuffer).dispose();
    other.dispose();
    await expect(buffer.read()).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  test('a plan disposed with runs in flight lets them settle', async () => {
    const plan = device.load(longPlan(4, 1 << 14).encode());
    const data = new Float32Array(1 << 14);
    const runs = [plan.run([data]), plan.run([data]), plan.run([data])];
    plan.dispose();
    const settled = await Promise.allSettled(runs);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((settled[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'DISPOSED' });
    await expect(plan.run([data])).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
