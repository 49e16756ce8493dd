import { compileGraph, type CompiledPlan, type CompileRequest, fingerprintInSlices, PlanCache, slices } from '../compiler/index.js';
import { encodeInSlices } from '../compiler/wire/index.js';
import { PolluxError } from '../errors.js';
import { reachable, type Value } from '../graph/node.js';
import { show, sizeOf } from '../graph/op.js';
import { Device, DeviceBuffer, type LoadedPlan } from '../runtime/index.js';
import { statusError } from './failure.js';
import { typedArray } from './host.js';
import { Storage, storageOf } from './storage.js';

/** Host data larger than this is moved to the device once; smaller data travels with each run. */
const UPLOAD_BYTES = 1 << 16;

let deviceName = process.env.POLLUX_DEVICE ?? 'cpu';

/** The device that new work runs on when its operands do not say: 'cpu' unless changed (or set by POLLUX_DEVICE). */
export const defaultDevice = (): string => deviceName;

/** Changes the default device for what is evaluated from now on. Throws BACKEND_UNAVAILABLE if it is not there. */
export function setDefaultDevice(name: string): void {
  deviceName = Device.open(resolveDevice(name)).name;
}

/** 'auto' takes the best device that this version can use. */
export const resolveDevice = (name: string | undefined): string => (name === undefined ? defaultDevice() : name === 'auto' ? 'cpu' : name);

/** Runs a pass pipeline to its end, giving the event loop a turn between slices. */
export async function inSlices<R>(work: Generator<void, R>): Promise<R> {
  for (;;) {
    const turn = work.next();
    if (turn.done) return turn.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A plan that is ready to run. */
export interface ReadyPlan {
  readonly compiled: CompiledPlan;
  readonly loaded: LoadedPlan;
}

function* makePlan(request: CompileRequest, device: Device): Generator<void, ReadyPlan> {
  const compiled = yield* compileGraph(request);
  const wire = yield* encodeInSlices(compiled.description, slices());
  yield;
  return { compiled, loaded: device.load(wire) };
}

const CACHE_SIZE = 256;
const caches = new Map<string, PlanCache<Promise<ReadyPlan>>>();

/** Compiles a request for a device, or finds the plan of an equal one. */
export async function planFor(request: CompileRequest, device: Device): Promise<ReadyPlan> {
  let cache = caches.get(device.name);
  if (!cache) caches.set(device.name, (cache = new PlanCache(CACHE_SIZE)));
  const key = await inSlices(fingerprintInSlices(request, slices()));
  const known = cache.get(key);
  if (known) return known;
  const made = inSlices(makePlan(request, device));
  cache.set(key, made);
  made.catch(() => cache.delete(key));
  return made;
}

/** Forgets cached plans and frees what they hold; running plans end first. */
export function clearPlans(): void {
  caches.clear();
}

/** The one device that the storages live on. */
function commonDevice(storages: readonly Storage[], wanted: string | undefined): Device {
  let placed: string | undefined = wanted;
  for (const storage of storages) {
    const device = storage.device;
    if (!device || device === placed) continue;
    if (placed) {
      throw new PolluxError(
        'DEVICE_MISMATCH',
        `An expression mixes tensors on '${placed}' and on '${device}' (${show(storage.leaf)}). Move one of them first: await x.to('${placed}').`,
      );
    }
    placed = device;
  }
  return Device.open(placed ?? defaultDevice());
}

/** What a storage gives to a run: its buffer, or its host data (moved to the device for good if it is large). */
export function bindingOf(storage: Storage, device: Device): DeviceBuffer | ArrayBufferView {
  storage.check();
  if (storage.buffer) return storage.buffer;
  if (storage.host!.byteLength <= UPLOAD_BYTES) return storage.host!;
  storage.buffer = device.upload(storage.host!);
  storage.host = undefined;
  return storage.buffer;
}

/** A storage over what a run returned. */
export function storageOfResult(result: ArrayBuffer | DeviceBuffer, type: { shape: readonly number[]; dtype: Value['dtype'] }): Storage {
  if (result instanceof DeviceBuffer) return new Storage(type.shape, type.dtype, { buffer: result });
  return new Storage(type.shape, type.dtype, { host: typedArray(type.dtype, result, 0, sizeOf(type.shape)) });
}

/** Evaluates values in one plan, off the main thread. Leaves come back as they are. */
export async function evaluateValues(values: readonly Value[], wanted?: string): Promise<Storage[]> {
  const out = new Map<Value, Storage>();
  for (const value of values) {
    const storage = storageOf(value);
    storage?.check();
    if (storage && !storage.pending) out.set(value, storage);
  }
  const roots = [...new Set(values)].filter((value) => !out.has(value));
  if (roots.length) {
    const nodes = reachable(roots);
    const leaves = nodes.map((node) => storageOf(node.outputs[0]!)).filter((storage) => storage !== undefined);
    if (leaves.length < nodes.filter(({ op }) => op.name === 'leaf').length) {
      throw new PolluxError(
        'CAPTURED_TENSOR',
        'An expression reads a tensor that stands for a value inside of a loop, in one of its iterations. Return it from the body of the scan instead.',
      );
    }
    for (const storage of leaves) storage.check();
    await drawPending(leaves, wanted);
    const open = roots.filter((root) => !storageOf(root));
    for (const root of roots) if (storageOf(root)) out.set(root, storageOf(root)!);
    if (open.length) {
      const device = commonDevice(leaves, wanted);
      const request: CompileRequest = {
        results: open,
        updates: [],
        checks: [],
        bindings: leaves.map((storage) => ({ value: storage.leaf, kind: 'input' as const })),
        target: device,
      };
      const plan = await planFor(request, device);
      const run = await plan.loaded.run(leaves.map((storage) => bindingOf(storage, device)));
      if (run.failure) throw statusError(run.failure, plan.compiled);
      run.results.forEach((result, i) => out.set(open[i]!, storageOfResult(result, open[i]!)));
    }
  }
  return values.map((value) => out.get(value)!);
}

/** Draws the parameters among the leaves that were not used before. */
export async function drawPending(leaves: readonly Storage[], wanted?: string): Promise<void> {
  const fresh = leaves.filter((storage) => storage.pending);
  if (!fresh.length) return;
  const drawn = await evaluateValues(
    fresh.map((storage) => storage.pending!),
    wanted,
  );
  fresh.forEach((storage, i) => {
    if (!storage.pending) return; // another evaluation was faster; the bits are the same
    storage.pending = undefined;
    storage.buffer = drawn[i]!.buffer;
    storage.host = drawn[i]!.host;
  });
}

/** The elements of a storage, on the host. The array is the caller's own. */
export async function readStorage(storage: Storage): Promise<ReturnType<typeof typedArray>> {
  storage.check();
  if (storage.pending) await drawPending([storage]);
  const { shape, dtype } = storage.leaf;
  if (storage.host) return storage.host.slice();
  return typedArray(dtype, await storage.buffer!.read(), 0, sizeOf(shape));
}
