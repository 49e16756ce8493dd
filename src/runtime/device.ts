import { DisposedError, PolluxError } from '../errors.js';
import { dtypes, type DType } from '../graph/dtype.js';
import { addon, twinFolder, type Handle, type NativeKernel } from './addon.js';
import { handleOf } from './handle.js';
import { LoadedPlan } from './plan.js';

/** What a device can do with one kernel. */
export interface KernelSupport {
  /** Dtypes of its first input (of its output, if it has none). */
  readonly dtypes: ReadonlySet<DType>;
  /** Takes inputs of any strides. */
  readonly stridedInputs: boolean;
  /** Takes inputs whose last two axes are swapped. */
  readonly matrixInputs: boolean;
  readonly stridedOutputs: boolean;
  readonly fusions: ReadonlySet<string>;
}

/** Bytes that a device holds for this process, over all environments. */
export interface MemoryUse {
  /** Buffers, plans and arenas. */
  readonly live: number;
  readonly peak: number;
  readonly arena: number;
  /** Packed weights and tables inside prepared steps; not part of `live`. */
  readonly packed: number;
}

const setOf = (bits: number): ReadonlySet<DType> => new Set(dtypes.filter((_, code) => (bits >> code) & 1));

function checkBytes(where: string, bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new RangeError(`${where}: bytes must be a whole number of at least 0, not ${bytes}.`);
}

function checkView(where: string, data: ArrayBufferView): void {
  if (!ArrayBuffer.isView(data)) throw new TypeError(`${where}: expected a typed array, a DataView or a Buffer.`);
}

/** A device of one twin. One object per name and JavaScript environment; the device itself is shared by the process. */
export class Device {
  static readonly #opened = new Map<string, Device>();
  readonly #handle: Handle;
  readonly #kernels = new Map<string, KernelSupport>();
  readonly #instructions = new Map<string, { dtypes: ReadonlySet<DType> }>();
  readonly name: string;
  /** Instruction set or architecture that its kernels were chosen for, e.g. `avx512`. */
  readonly level: string;

  private constructor(name: string, handle: Handle) {
    this.name = name;
    this.#handle = handle;
    const description = addon().describe(handle);
    this.level = description.level;
    for (const kernel of description.kernels) this.#kernels.set(kernel.name, support(kernel));
    for (const { name: op, dtypes: bits } of description.instructions) this.#instructions.set(op, { dtypes: setOf(bits) });
  }

  /**
   * The device of this name: `cpu`, `cuda`, `cuda:1`, or `async` (the test backend whose memory the host cannot read).
   * @throws PolluxError BACKEND_UNAVAILABLE with the reason and the remedy.
   */
  static open(name: string): Device {
    const key = name.endsWith(':0') ? name.slice(0, -2) : name;
    let device = Device.#opened.get(key);
    if (!device) {
      device = new Device(key, addon().openDevice(twinFolder(), key));
      Device.#opened.set(key, device);
    }
    return device;
  }

  /** What the device does with a kernel, named as the ops are; undefined if it has none of that name. */
  kernel(name: string): KernelSupport | undefined {
    return this.#kernels.get(name);
  }

  /** Which dtypes an instruction of an elementwise program may yield; undefined if the device lacks it. */
  instruction(op: string): { readonly dtypes: ReadonlySet<DType> } | undefined {
    return this.#instructions.get(op);
  }

  /** New memory, zeroed. @throws PolluxError OUT_OF_MEMORY */
  allocate(bytes: number): DeviceBuffer {
    checkBytes('Device.allocate', bytes);
    return new DeviceBuffer(this, addon().allocate(this.#handle, bytes), bytes);
  }

  /** New memory that holds a copy of `data`, made at the call. @throws PolluxError OUT_OF_MEMORY */
  upload(data: ArrayBufferView): DeviceBuffer {
    checkView('Device.upload', data);
    const bytes = data.byteLength;
    return new DeviceBuffer(this, addon().upload(this.#handle, data), bytes);
  }

  /**
   * Checks an encoded plan and starts to prepare its steps, off the calling thread.
   * @throws PolluxError INVALID_ARGUMENT for a corrupt plan, UNSUPPORTED for a kernel that the device lacks.
   */
  load(wire: ArrayBuffer): LoadedPlan {
    return new LoadedPlan(this, addon().loadPlan(this.#handle, wire), (handle, bytes) => new DeviceBuffer(this, handle, bytes));
  }

  memory(): MemoryUse {
    const [live, peak, arena, packed] = addon().memory(this.#handle);
    return { live, peak, arena, packed };
  }
}

function support(kernel: NativeKernel): KernelSupport {
  return {
    dtypes: setOf(kernel.dtypes),
    stridedInputs: (kernel.features & 1) !== 0,
    matrixInputs: (kernel.features & 2) !== 0,
    stridedOutputs: (kernel.features & 4) !== 0,
    fusions: new Set(kernel.fusions.split(';').filter(Boolean)),
  };
}

/** Memory on a device. Runs, reads and writes of one environment take place in the order of their calls. */
export class DeviceBuffer {
  #handle: Handle | undefined;

  /** Made by Device.allocate, Device.upload, DeviceBuffer.receive and runs of plans. */
  constructor(
    readonly device: Device,
    handle: Handle,
    readonly bytes: number,
  ) {
    this.#handle = handle;
  }

  get disposed(): boolean {
    return this.#handle === undefined;
  }

  get [handleOf](): Handle {
    if (!this.#handle) throw new DisposedError('This buffer');
    return this.#handle;
  }

  /** Gives the memory back, or as soon as the last run in flight that uses it has settled. A second call does nothing. */
  dispose(): void {
    if (!this.#handle) return;
    addon().disposeBuffer(this.#handle);
    this.#handle = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A copy of the bytes as they are once all earlier runs and writes have ended. */
  async read(): Promise<ArrayBuffer> {
    const handle = this[handleOf];
    let destination: ArrayBuffer;
    try {
      destination = new ArrayBuffer(this.bytes);
    } catch (error) {
      throw new PolluxError(
        'OUT_OF_MEMORY',
        `No memory for ${this.bytes} bytes of host data. Read smaller tensors, or dispose what is not needed.`,
        { cause: error },
      );
    }
    await addon().readBuffer(handle, destination);
    return destination;
  }

  /** Overwrites all bytes with `data`, copied at the call, after all earlier runs and before all later ones. */
  async write(data: ArrayBufferView): Promise<void> {
    checkView('DeviceBuffer.write', data);
    if (data.byteLength !== this.bytes) {
      throw new RangeError(`DeviceBuffer.write: the buffer holds ${this.bytes} bytes, the data ${data.byteLength}.`);
    }
    await addon().writeBuffer(this[handleOf], data);
  }

  /**
   * A ticket with which another thread of this process takes part in the buffer. Each ticket is good for one
   * `receive`; until then it keeps the memory alive.
   */
  share(): bigint {
    return addon().shareBuffer(this[handleOf]);
  }

  /** The buffer behind a ticket of `share()`. @throws PolluxError DISPOSED for a ticket that is unknown or used. */
  static receive(id: bigint): DeviceBuffer {
    const { buffer, device } = addon().receiveBuffer(id);
    return new DeviceBuffer(Device.open(device), buffer, addon().bufferBytes(buffer));
  }
}

/** The twins of this machine, each with its level or the reason why it cannot be used. */
export function devices(): { name: string; level: string; available: boolean; reason?: string }[] {
  return ['cpu', 'cuda'].map((name) => {
    try {
      return { name, level: Device.open(name).level, available: true };
    } catch (error) {
      if (!(error instanceof PolluxError)) throw error;
      return { name, level: '', available: false, reason: error.message };
    }
  });
}
