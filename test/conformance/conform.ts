// Every op of a list, on every device: what the device computes agrees with the float64 references.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileGraph } from '../../src/compiler/index.js';
import type { Target } from '../../src/compiler/index.js';
import { encodePlan } from '../../src/compiler/wire/index.js';
import type { OpName } from '../../src/ops/index.js';
import { arrayOfBytes, bytesOf } from './bytes.js';
import { casesOf } from './cases.js';
import type { Cases, Root } from './cases.js';
import { Coverage } from './coverage.js';
import { openDevices } from './devices.js';
import type { RemoteDevice } from './devices.js';
import type { Sample } from '../references/samples.js';
import { agrees } from './tolerance.js';
import { recordOf } from './variants.js';

/** The plan of all values of an op, as bytes. */
export function planOf(
  { roots, bound }: Pick<Cases, 'bound'> & { roots: readonly Pick<Root, 'value'>[] },
  target: Target,
  fuse: boolean,
): ArrayBuffer {
  const passes = compileGraph({
    results: roots.map(({ value }) => value),
    updates: [],
    checks: [],
    bindings: [...bound.keys()].map((value) => ({ value, kind: 'input' as const })),
    target,
    options: { fuse },
  });
  for (;;) {
    const turn = passes.next();
    if (turn.done) return encodePlan(turn.value.description);
  }
}

const where = ({ name }: Cases, { check, sample, dtype }: Root): string => `${name} ${check}, sample ${sample} (${dtype})`;

/** What is wrong with one value; undefined if nothing is. */
function complaint(cases: Cases, root: Root, found: Float64Array): string | undefined {
  const { value, error } = root.expected;
  const at = found.findIndex((x, i) => !agrees(x, value.data[i]!, error[i]!));
  if (at < 0) return undefined;
  const wrong = found.reduce((count, x, i) => count + Number(!agrees(x, value.data[i]!, error[i]!)), 0);
  return `${where(cases, root)}: element ${at} of [${value.shape.join(', ')}] is ${found[at]}, not ${value.data[at]} +- ${error[at]}; ${wrong} of ${found.length} are wrong`;
}

/** Plans that hold the same bytes, fused or not: no sum is taken in another order. */
const sameBits = (name: OpName): boolean => !['contraction', 'normalisation'].includes(recordOf(name).cost);

async function checkOn(
  device: RemoteDevice,
  cases: Cases,
  plans: readonly [fused: ArrayBuffer, unfused: ArrayBuffer],
  coverage: Coverage,
): Promise<string[]> {
  const inputs = [...cases.bound.values()].map(bytesOf);
  const [fused, unfused] = [await device.run(plans[0], inputs), await device.run(plans[1], inputs)];
  const complaints: string[] = [];
  for (const [how, { first, second }] of Object.entries({ fused, unfused })) {
    if (first.failure) return [`${cases.name} ${how}: the run failed with ${JSON.stringify(first.failure)}`];
    for (const [i, root] of cases.roots.entries()) {
      const bytes = first.results[i]!;
      const found = complaint(cases, root, arrayOfBytes(root.value, bytes).data);
      if (found) complaints.push(`${found} (${how})`);
      coverage.add(device.title, cases.name, root, how);
      if (Buffer.compare(bytes, second.results[i]!))
        complaints.push(`${where(cases, root)}: depends on what lay in the arena before (${how})`);
      else coverage.addCanary(device.title, cases.name);
      if (how === 'unfused' && sameBits(cases.name) && Buffer.compare(bytes, fused.first.results[i]!))
        complaints.push(`${where(cases, root)}: fused, other bits`);
    }
  }
  return complaints;
}

/**
 * Declares the tests of some ops. Ends with the table of what was covered.
 *
 * @param samples what to call each op with; the samples of the references, of which no check may be missing, if not given
 */
export function conform(names: readonly OpName[], samples?: Partial<Record<OpName, readonly Sample[]>>): void {
  const coverage = new Coverage();
  let devices: RemoteDevice[] = [];
  let target: Target;
  beforeAll(async () => {
    devices = await openDevices();
    target = await devices[0]!.target();
    for (const device of devices) coverage.addDevice(device.title);
  });
  afterAll(() => {
    for (const device of devices) device.close();
    console.log(coverage.table());
  });

  it.each(names)('%s', async (name) => {
    const cases = casesOf(name, samples?.[name]);
    coverage.addOp(cases);
    const plans = [planOf(cases, target, true), planOf(cases, target, false)] as const;
    const complaints = await Promise.all(
      devices.map(async (device) => (await checkOn(device, cases, plans, coverage)).map((text) => `[${device.title}] ${text}`)),
    );
    const all = complaints.flat();
    expect(all.slice(0, 8), `${all.length} disagreements`).toEqual([]);
  });

  describe('coverage', () => {
    it('one plan serves every level: each describes the same kernels', async () => {
      const [first, ...rest] = await Promise.all(devices.map((device) => device.describe()));
      for (const { kernels, instructions } of rest) {
        expect(kernels).toEqual(first!.kernels);
        expect(instructions).toEqual(first!.instructions);
      }
    });

    if (samples) return;
    it('has no gap without a reason', () => {
      expect(coverage.gaps()).toEqual([]);
    });
  });
}
