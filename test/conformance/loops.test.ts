// Loops on every device: what a loop computes, with its gradients, agrees with the float64 interpreter, on any number of threads.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scan } from '../../src/ops/index.js';
import type { NdArray64 } from '../references/index.js';
import { evaluate } from '../references/interpreter.js';
import { rounded } from '../unit/compilerExecutor.js';
import { dataFor, loops, withGradients } from '../unit/scanModels.js';
import { arrayOfBytes, bytesOf } from './bytes.js';
import { planOf } from './conform.js';
import { openDevices } from './devices.js';
import type { RemoteDevice } from './devices.js';

let devices: RemoteDevice[];
beforeAll(async () => {
  devices = await openDevices();
}, 60_000);
afterAll(() => {
  for (const device of devices) device.close();
});

/** Sums of at most a few hundred products of numbers below 30, in float32. */
const agree = (found: Float64Array, expected: NdArray64): boolean =>
  found.length === expected.data.length &&
  found.every((x, i) => Math.abs(x - expected.data[i]!) <= 3e-5 * (1 + Math.abs(expected.data[i]!)));

it.each(Object.keys(loops))(
  '%s',
  async (name) => {
    const { inputs, results } = withGradients(loops[name]!(scan));
    const bound = new Map([...dataFor(inputs)].map(([value, array]) => [value, rounded(array)]));
    const expected = evaluate(results, bound);
    const roots = results.map((value) => ({ value }));
    for (const device of devices) {
      const bits: string[] = [];
      for (const fuse of [true, false]) {
        const plan = planOf({ roots, bound }, await device.target(), fuse);
        for (const threads of [1, 2]) {
          const { first, second } = await device.run(plan, [...bound.values()].map(bytesOf), [], threads);
          for (const outcome of [first, second]) {
            const wrong = expected.filter((array, i) => !agree(arrayOfBytes(array, outcome.results[i]!).data, array));
            expect(wrong, `${device.title}, fuse ${fuse}, ${threads} threads`).toEqual([]);
            bits.push(`${fuse} ${Buffer.concat(outcome.results).toString('base64')}`);
          }
        }
      }
      expect(new Set(bits).size, `${device.title}: bits depend on threads, or on what the arena held`).toBe(2);
    }
  },
  60_000,
);
