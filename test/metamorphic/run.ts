import { compileGraph } from '../../src/compiler/index.js';
import type { CompileRequest, Target } from '../../src/compiler/index.js';
import { encodePlan } from '../../src/compiler/wire/index.js';
import type { Value } from '../../src/graph/node.js';
import type { NdArray64 } from '../references/array.js';
import { bytesOf } from '../conformance/bytes.js';
import type { Outcome, RemoteDevice, Runs } from '../conformance/devices.js';

export function planOf(request: CompileRequest): ArrayBuffer {
  const passes = compileGraph(request);
  for (;;) {
    const turn = passes.next();
    if (turn.done) return encodePlan(turn.value.description);
  }
}

/** A target without the kernels and instructions of these names: what they do is decomposed. */
export const without = (target: Target, names: ReadonlySet<string>): Target => ({
  name: target.name,
  kernel: (name) => (names.has(name) ? undefined : target.kernel(name)),
  instruction: (op) => (names.has(op) ? undefined : target.instruction(op)),
});

export const runOn = (
  device: RemoteDevice,
  request: CompileRequest,
  data: ReadonlyMap<Value, NdArray64>,
  threads?: number,
): Promise<Runs> =>
  device.run(
    planOf(request),
    request.bindings.map(({ value }) => bytesOf(data.get(value)!)),
    request.bindings.flatMap(({ kind }, i) => (kind === 'state' ? [i] : [])),
    threads,
  );

/** All that a run has made, in the order of results and states. */
export const outputsOf = ({ results, states }: Outcome): Uint8Array[] => [...results, ...states];
export const same = (a: Outcome, b: Outcome): boolean => {
  const others = outputsOf(b);
  return outputsOf(a).every((bytes, i) => Buffer.compare(bytes, others[i]!) === 0);
};
