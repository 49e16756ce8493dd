// A process that runs plans on one device at one instruction-set level, which POLLUX_ISA fixes when a twin is first opened. The
// tests compile and judge; this side only runs.
import { encodePlan } from '../../src/compiler/wire/index.js';
import { Device, setThreads } from '../../src/runtime/index.js';
import type { DeviceBuffer } from '../../src/runtime/index.js';
import type { Answer, Question } from './devices.js';
import { poisonPlan } from './poison.js';

const device = Device.open(process.argv[2]!);
let serving: Promise<unknown> = Promise.resolve();

const bytesOf = async (result: ArrayBuffer | DeviceBuffer): Promise<Uint8Array> => {
  if (result instanceof ArrayBuffer) return new Uint8Array(result);
  const bytes = new Uint8Array(await result.read());
  result.dispose();
  return bytes;
};

/** Fills the device's arena with ones in every bit: NaN to a float, -1 or 255 to an integer. */
async function poison(bytes: number): Promise<void> {
  const plan = device.load(encodePlan(poisonPlan(bytes)));
  await plan.run([new Uint8Array(bytes).fill(0xff)]);
  plan.dispose();
}

async function run({ wire, inputs, states, threads }: Extract<Question, { kind: 'run' }>): Promise<Answer> {
  if (threads) setThreads(threads);
  const plan = device.load(wire);
  const buffers: DeviceBuffer[] = [];
  // A state lives on the device, so it is uploaded anew for each run.
  const bindings = () =>
    inputs.map((bytes, i) => {
      if (!states.includes(i)) return bytes;
      const buffer = device.upload(bytes);
      buffers.push(buffer);
      return buffer;
    });
  const once = async () => {
    const bound = bindings();
    const { results, failure } = await plan.run(bound);
    const after = await Promise.all(states.map((i) => (bound[i] as DeviceBuffer).read().then((bytes) => new Uint8Array(bytes))));
    return {
      results: await Promise.all(results.map(bytesOf)),
      states: after,
      failure: failure && { code: failure.code, step: failure.step, element: failure.element, detail: failure.detail },
    };
  };
  const first = await once();
  await poison(plan.arenaBytes + plan.scratchBytes + 4096);
  const second = await once();
  plan.dispose();
  for (const buffer of buffers) buffer.dispose();
  return { first, second };
}

function describe(names: readonly string[]): Answer {
  const kernels = names.flatMap((name) => {
    const kernel = device.kernel(name);
    return kernel ? [[name, kernel] as const] : [];
  });
  const instructions = names.flatMap((name) => {
    const instruction = device.instruction(name);
    return instruction ? [[name, instruction] as const] : [];
  });
  return { level: device.level, kernels: new Map(kernels), instructions: new Map(instructions) };
}

process.on('message', ({ id, question }: { id: number; question: Question }) => {
  serving = serving
    .then(() => (question.kind === 'describe' ? describe(question.names) : run(question)))
    .then(
      (answer) => process.send!({ id, answer }),
      (error: unknown) => process.send!({ id, error: String((error as Error).stack ?? error) }),
    );
});
