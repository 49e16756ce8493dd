import { AbortError, DisposedError, PolluxError } from '../errors.js';
import { addon, type Handle, type NativeOutcome } from './addon.js';
import type { Device, DeviceBuffer } from './device.js';
import { handleOf } from './handle.js';

export interface RunOptions {
  /** Looked at between steps: before the commit phase it stops the run, later it has no effect. */
  signal?: AbortSignal;
  /** After a failed run, queued and later runs of the same group are skipped until `acknowledge(group)`. 0: none. */
  group?: number;
  /** Stop at the first step that yields a non-finite float32, and say which. Slow. */
  debug?: boolean;
  /** Measure each step. On an asynchronous device this waits after each. */
  profile?: boolean;
  /** true: on the calling thread whenever the device is idle. false: never. Default: if the plan is estimated under 20 us. */
  inline?: boolean;
}

/** Why a run failed: the status word, and what is needed to replay it. */
export interface RunFailure {
  /** PolluxStatusCode of native/backend.h. */
  readonly code: number;
  readonly step: number;
  /** Row-major index in the offending operand. */
  readonly element: number;
  readonly detail: number;
  /** With `debug`: which output of the step. */
  readonly operand?: number;
  /** Copies of the bindings that came as host data; undefined for device buffers. */
  readonly inputs: readonly (ArrayBuffer | undefined)[];
}

export interface RunResult {
  /** Empty unless the run succeeded. Results of up to 4096 bytes are ArrayBuffers. */
  readonly results: (ArrayBuffer | DeviceBuffer)[];
  readonly failure?: RunFailure;
  /** An earlier run of the same group failed: nothing was run. */
  readonly skipped?: true;
  readonly stepNanoseconds?: Float64Array;
}

const mostInFlight = 2;
const flagBits = { debug: 1, profile: 2, inline: 4, queued: 8 } as const;

type Binding = DeviceBuffer | ArrayBufferView;

interface Call {
  bindings: (Handle | ArrayBufferView)[];
  options: RunOptions;
  resolve(result: RunResult): void;
  reject(error: unknown): void;
  /** Set while the call is known to the native side. */
  id?: number;
  stopListening?: () => void;
}

let nextId = 1;

/** Bytes that nothing else can change: what JavaScript holds on an ordinary ArrayBuffer it may detach, resize or write. */
function ownCopy(view: ArrayBufferView): ArrayBufferView {
  return view.buffer instanceof SharedArrayBuffer ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

/** A plan that a device has checked and prepared; run it as often as wanted, also before earlier runs have ended. */
export class LoadedPlan {
  #handle: Handle | undefined;
  readonly #wrap: (handle: Handle, bytes: number) => DeviceBuffer;
  readonly #bindingBytes: readonly number[];
  readonly #waiting: Call[] = [];
  #inFlight = 0;
  readonly arenaBytes: number;

  constructor(
    readonly device: Device,
    handle: Handle,
    wrap: (handle: Handle, bytes: number) => DeviceBuffer,
  ) {
    this.#handle = handle;
    this.#wrap = wrap;
    [this.arenaBytes, this.#bindingBytes] = addon().planSizes(handle);
  }

  /** Scratch memory of the largest step. Waits until the steps are prepared, a few milliseconds after `load`. */
  get scratchBytes(): number {
    return addon().planScratch(this.#live());
  }

  /**
   * Runs the plan. Host data on ordinary ArrayBuffers is copied at the call; SharedArrayBuffers and device buffers are
   * borrowed until the run settles. At most two runs are queued natively; further ones wait here, in order.
   * A run whose data fails (a non-finite loss, a label out of range) resolves with `failure`; nothing was overwritten.
   * @throws AbortError if `signal` fires before the commit phase; PolluxError OUT_OF_MEMORY, DEVICE_MISMATCH,
   *   INVALID_ARGUMENT (wrong number or bytes of bindings), DISPOSED.
   */
  run(bindings: readonly Binding[], options: RunOptions = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      this.#live();
      if (options.signal?.aborted) throw new AbortError('The run was aborted before it began.', options.signal.reason);
      const call: Call = { bindings: this.#check(bindings), options, resolve, reject };
      if (this.#inFlight < mostInFlight) {
        this.#start(call);
      } else {
        call.bindings = call.bindings.map((binding) => (ArrayBuffer.isView(binding) ? ownCopy(binding) : binding));
        this.#waiting.push(call);
      }
      if (options.signal) this.#listen(call, options.signal);
    });
  }

  /** Gives back what the plan holds once the runs in flight have settled; runs that still wait are rejected. */
  dispose(): void {
    if (!this.#handle) return;
    for (const call of this.#waiting.splice(0)) this.#finish(call, () => call.reject(new DisposedError('This plan')));
    addon().disposePlan(this.#handle);
    this.#handle = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #live(): Handle {
    if (!this.#handle) throw new DisposedError('This plan');
    return this.#handle;
  }

  #check(bindings: readonly Binding[]): (Handle | ArrayBufferView)[] {
    const expected = this.#bindingBytes;
    if (bindings.length !== expected.length) {
      throw new PolluxError('INVALID_ARGUMENT', `The plan has ${expected.length} bindings, ${bindings.length} were given.`);
    }
    return bindings.map((binding, i) => {
      const host = ArrayBuffer.isView(binding);
      const bytes = host ? binding.byteLength : binding.bytes;
      if (bytes !== expected[i]) {
        throw new PolluxError('INVALID_ARGUMENT', `Binding ${i} of the plan takes ${expected[i]} bytes, ${bytes} were given.`);
      }
      if (host) return binding;
      if (binding.device !== this.device) {
        throw new PolluxError(
          'DEVICE_MISMATCH',
          `Binding ${i} lies on ${binding.device.name}, the plan runs on ${this.device.name}. Move the tensor there first.`,
        );
      }
      return binding[handleOf];
    });
  }

  /** Hands a call to the native side. Whatever it answers, the caller hears of it in a later macrotask. */
  #start(call: Call): void {
    const { debug, profile, inline, group = 0 } = call.options;
    const flags =
      (debug ? flagBits.debug : 0) |
      (profile ? flagBits.profile : 0) |
      (inline === true ? flagBits.inline : 0) |
      (inline === false ? flagBits.queued : 0);
    call.id = nextId++;
    this.#inFlight++;
    let answer: NativeOutcome | Promise<NativeOutcome>;
    try {
      answer = addon().run(this.#live(), call.bindings, group, flags, call.id);
    } catch (error) {
      this.#inFlight--;
      throw error;
    }
    if (answer instanceof Promise) {
      answer.then(
        (outcome) => this.#settle(call, outcome),
        (error: unknown) => this.#settle(call, undefined, error),
      );
    } else {
      setImmediate(() => this.#settle(call, answer as NativeOutcome));
    }
  }

  #settle(call: Call, outcome: NativeOutcome | undefined, error?: unknown): void {
    this.#inFlight--;
    while (this.#waiting.length && this.#inFlight < mostInFlight) {
      const next = this.#waiting.shift()!;
      try {
        this.#start(next);
      } catch (failure) {
        this.#finish(next, () => next.reject(failure));
      }
    }
    this.#finish(call, () => {
      if (!outcome) call.reject(error);
      else if (outcome.error) call.reject(new PolluxError(outcome.error, outcome.message!));
      else if (outcome.aborted)
        call.reject(new AbortError('The run was aborted between two steps; no state was changed.', call.options.signal?.reason));
      else call.resolve(this.#result(outcome));
    });
  }

  #result({ results = [], failure, skipped, stepNanoseconds }: NativeOutcome): RunResult {
    const wrapped = results.map((result) => (result instanceof ArrayBuffer ? result : this.#wrap(result, addon().bufferBytes(result))));
    return { results: wrapped, ...(failure && { failure }), ...(skipped && { skipped }), ...(stepNanoseconds && { stepNanoseconds }) };
  }

  #finish(call: Call, how: () => void): void {
    call.stopListening?.();
    how();
  }

  #listen(call: Call, signal: AbortSignal): void {
    const abort = (): void => {
      if (call.id !== undefined) return addon().cancel(call.id);
      this.#waiting.splice(this.#waiting.indexOf(call), 1);
      this.#finish(call, () => call.reject(new AbortError('The run was aborted before it began.', signal.reason)));
    };
    signal.addEventListener('abort', abort, { once: true });
    call.stopListening = () => signal.removeEventListener('abort', abort);
  }
}

/** Lets the runs of a group go on after a failed one. Call it once the failure has been dealt with. */
export function acknowledge(group: number): void {
  addon().acknowledge(group);
}
