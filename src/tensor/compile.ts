import { checkOptions, DisposedError, PolluxError } from '../errors.js';
import { Device, type DeviceBuffer, type RunResult } from '../runtime/index.js';
import { type Argument, type ArgumentOf, ownArguments, readArguments } from './arguments.js';
import { evaluateTensors, TensorBase } from './base.js';
import { bindingOf, drawPending, planFor, type ReadyPlan, resolveDevice, storageOfResult } from './evaluate.js';
import { explainFailure } from './replay.js';
import { Group, groupOf } from './group.js';
import { nextState } from './random.js';
import type { Storage } from './storage.js';
import type { Tensor } from './tensor.js';
import { refuseInTrace, type StateSlot } from './trace.js';
import { refuseAsync, ResultNumber, type Source, type Stateful, type TracedStep, traceStep } from './tracing.js';
import { mapTree } from './tree.js';
import { wrap } from './wrap.js';

export type Precision = 'auto' | 'float32' | 'bfloat16' | 'float16';

export interface CompileOptions {
  /** Modules, optimizers, metrics (or lists of them) whose tensors the function reads and overwrites. */
  state?: Stateful | readonly Stateful[];
  /** 'cpu', 'cuda', 'cuda:1' or 'auto' (default). */
  device?: string;
  /** Type of the computation; 'auto' takes float32 on this version's CPU twin. */
  precision?: Precision;
  /** Run unfused, one record after another, and name the first op that makes a NaN or an infinity. Slow. */
  debug?: boolean;
  /** Called when a new plan is made: for new argument shapes, after a change of structure or mode. */
  onCompile?: (info: { nodes: number; steps: number; traceMilliseconds: number; compileMilliseconds: number }) => void;
}

export interface RunCallOptions {
  /** Stops the step between two of its parts; then nothing is overwritten and the promise rejects with AbortError. */
  signal?: AbortSignal;
}

/** One part of a plan: a kernel call and the time that it took. */
export interface StepMeasurement {
  readonly kernel: string;
  /** Path of the module that it belongs to, '' outside modules. */
  readonly scope: string;
  readonly nanoseconds: number;
  /** Read and written. */
  readonly bytes: number;
  readonly flops: number;
}

/** A function that runs as one plan: one asynchronous native call a step. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: { [K in keyof A]: ArgumentOf<A[K]> }): Promise<R>;
  /** The same with options. */
  run(args: { [K in keyof A]: ArgumentOf<A[K]> }, options?: RunCallOptions): Promise<R>;
  /** Runs one step and measures each part; returns a table. The step counts: state is overwritten. */
  profile(...args: { [K in keyof A]: ArgumentOf<A[K]> }): Promise<string>;
  /** `run` with the time of each part as data. */
  measure(args: { [K in keyof A]: ArgumentOf<A[K]> }, options?: RunCallOptions): Promise<{ value: R; parts: StepMeasurement[] }>;
  /** The plan of the latest call as a table: steps, fusions, bytes, FLOPs, frozen numbers, arena. Empty before the first. */
  explain(): string;
  /** Number of plans made so far. */
  readonly plans: number;
  /** Lets go of its plans; they are freed once the process's cache of plans has dropped them too. */
  dispose(): void;
}

interface Entry {
  readonly step: TracedStep;
  readonly state: readonly TensorBase[];
  ready: ReadyPlan | undefined;
  readonly making: Promise<ReadyPlan>;
}

/** Plans kept for one function: shapes of a last batch, train and eval mode, a few buckets of lengths. */
const PLANS = 16;

/** True if all data is there: no parameter still to be drawn, no lazy argument. */
function placed(state: readonly TensorBase[], list: readonly Argument[]): boolean {
  const there = (tensor: TensorBase): boolean => {
    const storage = tensor.storage();
    return storage !== undefined && !storage.pending;
  };
  return state.every(there) && list.every(({ source }) => !(source instanceof TensorBase) || there(source));
}

interface Outcome {
  readonly value: unknown;
  readonly nanoseconds?: Float64Array;
  readonly entry: Entry;
}

/** The data that a call saw, where other data was put in its place while the call waited; else the tensor's own. */
function storageAtCall({ tensor }: StateSlot, seen: ReadonlyMap<TensorBase, Storage> | undefined): Storage {
  return seen?.get(tensor)?.latest ?? tensor.storage()!;
}

class CompiledFunction {
  readonly #fn: (...args: never[]) => unknown;
  readonly #options: CompileOptions;
  readonly #state: readonly Stateful[];
  readonly #group: Group;
  readonly #entries = new Map<string, Entry>();
  #latest: Entry | undefined;
  #disposed = false;
  plans = 0;

  constructor(options: CompileOptions, fn: (...args: never[]) => unknown) {
    this.#fn = fn;
    this.#options = options;
    const { state = [] } = options;
    this.#state = Array.isArray(state) ? state : [state as Stateful];
    for (const owner of this.#state) {
      if (typeof owner?.visitState !== 'function')
        throw new TypeError('compile: state must be a module, an optimizer or another Stateful, or a list of them.');
    }
    this.#group = groupOf(this.#state) ?? new Group();
  }

  async run(args: readonly unknown[], options: RunCallOptions & { profile?: boolean } = {}): Promise<Outcome> {
    refuseInTrace('A compiled function');
    if (this.#disposed) throw new DisposedError('This compiled function');
    checkOptions('run', options, ['signal', 'profile']);
    let list = readArguments(args);
    for (const { source, path } of list) if (source instanceof TensorBase) source.storage()?.check(path);
    // Traced here and now: modes and structure are those of the moment of the call.
    const entry = this.#find(list) ?? this.#make(args, list);
    // A call that has to wait (a plan is being made, a failure cleared, state drawn) keeps its place and its own data.
    const group = this.#group;
    if (!group.turn && !group.clearing && entry.ready && placed(entry.state, list)) return this.#start(entry, list, options).outcome;
    list = ownArguments(list);
    const seen = new Map(entry.state.map((tensor) => [tensor, tensor.hold()]));
    const started = (group.turn ?? Promise.resolve()).then(async () => {
      await this.#prepare(entry, list, seen);
      return this.#start(entry, list, options, seen);
    });
    const turn = started.then(
      () => undefined,
      () => undefined,
    );
    group.turn = turn;
    void turn.then(() => {
      if (group.turn === turn) group.turn = undefined;
    });
    return (await started).outcome;
  }

  /** Everything slow that may come before a run: clearing a failure, drawing parameters, compiling. */
  async #prepare(entry: Entry, list: readonly Argument[], seen: ReadonlyMap<TensorBase, Storage>): Promise<void> {
    entry.ready ??= await entry.making;
    await drawPending([...seen.values()], this.#deviceName());
    const lazy = list.map((argument) => argument.source).filter((source) => source instanceof TensorBase);
    const open = lazy.filter((tensor) => !tensor.storage() || tensor.storage()!.pending);
    if (open.length) await evaluateTensors([...new Set(open)], this.#deviceName());
    while (this.#group.clearing) await this.#group.clearing;
  }

  #tensors(): TensorBase[] {
    const found: TensorBase[] = [];
    for (const owner of this.#state) owner.visitState((_, tensor) => found.push(tensor));
    return found;
  }

  #key(list: readonly Argument[]): string {
    return `${list.map(({ path, dtype, shape }) => `${path}:${dtype}[${shape}]`).join(';')}|${this.#state.map((owner) => owner.stateKey()).join('|')}`;
  }

  /** The plan for these arguments, if the state still consists of the tensors that it was traced with. */
  #find(list: readonly Argument[]): Entry | undefined {
    const entry = this.#entries.get(this.#key(list));
    if (!entry) return undefined;
    const state = this.#tensors();
    return state.length === entry.state.length && state.every((tensor, i) => tensor === entry.state[i]) ? entry : undefined;
  }

  #deviceName(): string {
    const { device, precision = 'auto' } = this.#options;
    if (precision !== 'auto' && precision !== 'float32') {
      throw new PolluxError(
        'UNSUPPORTED',
        `compile: precision '${precision}' is not computed by this version; it computes in float32 and stores bfloat16 and float16. Use 'auto' or 'float32'.`,
      );
    }
    return resolveDevice(device);
  }

  #make(args: readonly unknown[], list: readonly Argument[]): Entry {
    const device = Device.open(this.#deviceName());
    const step = traceStep(this.#fn, args, list, this.#state, device, !this.#options.debug);
    const begin = performance.now();
    const key = this.#key(list);
    const making = planFor(step.request, device).then((ready) => {
      this.#options.onCompile?.({
        nodes: step.nodes,
        steps: ready.compiled.steps.length,
        traceMilliseconds: step.milliseconds,
        compileMilliseconds: performance.now() - begin,
      });
      return ready;
    });
    const entry: Entry = { step, state: this.#tensors(), ready: undefined, making };
    making.catch(() => this.#entries.delete(key));
    if (this.#entries.size >= PLANS) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, entry);
    this.plans++;
    return entry;
  }

  #binding(
    source: Source,
    list: readonly Argument[],
    device: Device,
    seen?: ReadonlyMap<TensorBase, Storage>,
  ): DeviceBuffer | ArrayBufferView {
    switch (source.from) {
      case 'argument': {
        const given = list[source.index]!.source;
        return given instanceof TensorBase ? bindingOf(given.storage()!, device) : given;
      }
      case 'state': {
        const storage = storageAtCall(source.slot, seen);
        storage.check(source.slot.path);
        if (!storage.buffer && source.updated) {
          storage.buffer = device.upload(storage.host!);
          storage.host = undefined;
        }
        return bindingOf(storage, device);
      }
      case 'constant':
        return bindingOf(source.storage, device);
      case 'random':
        return nextState();
    }
  }

  /** Hands the run over. Its outcome comes in a field, so that whoever awaits the start does not await the end. */
  #start(
    entry: Entry,
    list: readonly Argument[],
    options: RunCallOptions & { profile?: boolean },
    seen?: ReadonlyMap<TensorBase, Storage>,
  ): { outcome: Promise<Outcome> } {
    this.#latest = entry;
    const { loaded } = entry.ready!;
    const { debug } = this.#options;
    const bindings = entry.step.sources.map((source) => this.#binding(source, list, loaded.device, seen));
    this.#group.enter();
    const running = loaded.run(bindings, {
      signal: options.signal,
      group: this.#state.length ? this.#group.id : 0,
      debug,
      profile: options.profile,
    });
    // From here on lazy expressions that read the old state are stale: what they would run comes after this step.
    for (const slot of entry.step.updated) {
      const storage = storageAtCall(slot, seen);
      const replaced = storage !== slot.tensor.storage();
      const next = storage.overwritten();
      if (!replaced) slot.tensor.settle(next);
    }
    return { outcome: this.#finish(entry, list, bindings, running) };
  }

  async #finish(
    entry: Entry,
    list: readonly Argument[],
    bindings: readonly (DeviceBuffer | ArrayBufferView)[],
    running: Promise<RunResult>,
  ): Promise<Outcome> {
    const group = this.#group;
    try {
      const run = await running;
      if (run.skipped) throw await group.skipped();
      if (run.failure) {
        const cause = explainFailure(entry.step, entry.ready!, run.failure, bindings, list, this.#options.debug ?? false);
        if (this.#state.length) group.fail(cause);
        throw await cause;
      }
      return { value: this.#wrapResults(entry, run), nanoseconds: run.stepNanoseconds, entry };
    } finally {
      group.leave();
    }
  }

  #wrapResults(entry: Entry, run: RunResult): unknown {
    const { template, results } = entry.step;
    const tensors = run.results.map((result, i) => wrap(storageOfResult(result, results[i]!).leaf));
    return mapTree(
      template,
      (x) => (x instanceof ResultNumber ? tensors[x.index] : x),
      (x) => x instanceof ResultNumber,
    );
  }

  explain(nanoseconds?: Float64Array): string {
    const { step, ready } = this.#latest ?? {};
    if (!step || !ready) return '';
    return `${ready.compiled.explain(nanoseconds)}\ntrace: ${step.nodes} nodes in ${step.milliseconds.toFixed(1)} ms\n`;
  }

  dispose(): void {
    this.#disposed = true;
    this.#entries.clear();
    this.#latest = undefined;
  }
}

const partsOf = ({ compiled }: ReadyPlan, nanoseconds: Float64Array): StepMeasurement[] =>
  compiled.steps.map(({ kernel, sources }, i) => {
    const { bytes, flops } = compiled.description.steps[i]!;
    return { kernel, scope: sources.find((node) => node.scope)?.scope ?? '', nanoseconds: nanoseconds[i] ?? 0, bytes, flops };
  });

/**
 * Compiles a function of tensors into plans. It is traced once for each combination of argument shapes, modes and structure;
 * forward, backward and update inside it become one native call, off the main thread. Parameters and buffers of the modules
 * and optimizers in `state` may be read and overwritten; the overwrites are committed last, all or none.
 *
 * The function must be synchronous. Control flow is evaluated while tracing; a choice that depends on data is `where`.
 * @throws ASYNC_TRACE, CAPTURED_TENSOR, UNREGISTERED_PARAMETER, READ_IN_TRACE while tracing; NOT_FINITE, LABEL_OUT_OF_RANGE,
 *   INDEX_OUT_OF_RANGE, ABORTED from a run, which then has changed nothing.
 */
export function compile<A extends readonly Tensor[], R>(fn: (...args: A) => R): Compiled<A, R>;
export function compile<A extends readonly Tensor[], R>(options: CompileOptions, fn: (...args: A) => R): Compiled<A, R>;
export function compile<A extends readonly unknown[], R>(fn: (...args: A) => R): Compiled<A, R>;
export function compile<A extends readonly unknown[], R>(options: CompileOptions, fn: (...args: A) => R): Compiled<A, R>;
export function compile(first: CompileOptions | ((...args: never[]) => unknown), second?: (...args: never[]) => unknown): unknown {
  const options = typeof first === 'function' ? {} : first;
  const fn = typeof first === 'function' ? first : second;
  if (typeof fn !== 'function') throw new TypeError('compile: expected compile(fn) or compile({ state }, fn).');
  checkOptions('compile', options, ['state', 'device', 'precision', 'debug', 'onCompile']);
  if (fn.constructor.name === 'AsyncFunction') {
    throw refuseAsync();
  }
  const compiled = new CompiledFunction(options, fn);
  const call = async (...args: unknown[]): Promise<unknown> => (await compiled.run(args)).value;
  return Object.defineProperties(call, {
    run: { value: async (args: unknown[], options?: RunCallOptions) => (await compiled.run(args, options)).value },
    profile: {
      value: async (...args: unknown[]) => {
        const { nanoseconds } = await compiled.run(args, { profile: true });
        return compiled.explain(nanoseconds);
      },
    },
    measure: {
      value: async (args: unknown[], options?: RunCallOptions) => {
        const { value, nanoseconds, entry } = await compiled.run(args, { ...options, profile: true });
        return { value, parts: partsOf(entry.ready!, nanoseconds!) };
      },
    },
    explain: { value: () => compiled.explain() },
    plans: { get: () => compiled.plans },
    dispose: { value: () => compiled.dispose() },
  });
}
