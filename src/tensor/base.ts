import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { sameShape, show, sizeOf } from '../graph/op.js';
import { Device } from '../runtime/index.js';
import { evaluateValues, readStorage } from './evaluate.js';
import { type ArrayOf, getElement, type NestedArray, toNested, type TypedArray } from './host.js';
import { currentScope, keepStorage, Storage, storageOf } from './storage.js';
import { currentTrace, refuseInTrace, type Trace } from './trace.js';
import type { Tensor } from './tensor.js';

/** Values above this size are not printed in full. */
const PRINTED_ELEMENTS = 64;
/** Pending nodes above this count are evaluated in the background, so that a long lazy loop does not grow without end. */
const PENDING_NODES = 10_000;

/**
 * The cell under every tensor: what it stands for (a graph value), and how it is asked for. Subclasses add the methods.
 * Identity matters: a compiled step that declares the tensor as state gives this cell a new value.
 */
export abstract class TensorBase {
  readonly shape: readonly number[];
  readonly dtype: DType;
  #value: Value | undefined;
  #madeIn: Trace | undefined;
  /** The `tidy` that it was made in, which frees its data. */
  readonly #scope = currentScope();
  /** What messages call it; parameters have their path. */
  name: string | undefined;

  /** @internal */
  constructor(type: { shape: readonly number[]; dtype: DType }, value?: Value) {
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.#value = value;
    this.#madeIn = currentTrace();
    if (value && !this.#madeIn && !storageOf(value)) watchPending(this, value);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Is this a Parameter, whose values are changed in place? */
  get isParameter(): boolean {
    return false;
  }

  /** Where the data lies; undefined while the tensor is an expression, or host data that no plan has needed yet. */
  get device(): string | undefined {
    return this.storage()?.device;
  }

  /** Was it given up by `dispose()`? Reading it is then an error. */
  get disposed(): boolean {
    return this.storage()?.disposed ?? false;
  }

  /** @internal What messages call it. */
  label(): string {
    return this.name ? `${this.name} (${show(this)})` : `Tensor ${show(this)}`;
  }

  /** @internal The graph value that an expression reads: inside a trace its current state, outside its leaf. */
  get value(): Value {
    const trace = currentTrace();
    if (trace) return trace.read(this, this.#value, this.#madeIn);
    if (this.#madeIn) {
      throw new PolluxError(
        'CAPTURED_TENSOR',
        `${this.label()} was built while a function was traced and has no value outside. Return it from the function instead.`,
      );
    }
    const value = this.#value ?? this.initialise();
    const storage = storageOf(value);
    if (storage) {
      storage.check(this.label());
      storage.captured = true;
    }
    return value;
  }

  /** @internal The data behind the tensor, if it is a leaf. */
  storage(): Storage | undefined {
    return this.#value && storageOf(this.#value);
  }

  /** @internal Points the cell at other data: after an evaluation, or after a step overwrote its state. */
  settle(storage: Storage): void {
    if (this.#scope !== currentScope()) keepStorage(storage);
    this.#value = storage.leaf;
  }

  /** @internal The same after an evaluation, unless the tensor has got another value meanwhile. */
  settleIf(value: Value, storage: Storage): void {
    if (this.#value === value) this.settle(storage);
  }

  /** @internal The storage, made if need be: its data is then still to be drawn or computed. */
  hold(): Storage {
    const value = this.value;
    const storage = storageOf(value) ?? new Storage(this.shape, this.dtype, { pending: value });
    this.settle(storage);
    return storage;
  }

  /** @internal First value of a tensor that has none yet; parameters draw theirs. */
  protected initialise(): Value {
    throw new PolluxError('INTERNAL', `${this.label()} has no value.`);
  }

  /** @internal Sets the cell without a check. */
  protected become(value: Value): Value {
    const storage = storageOf(value);
    if (storage) this.settle(storage);
    else this.#value = value;
    return value;
  }

  /**
   * Replaces what this tensor stands for. Inside a compiled step the tensor must belong to the declared state, and the
   * overwrite happens when the step commits; outside it takes effect at once and is evaluated lazily.
   */
  assign(source: Tensor): void {
    const value = source.value;
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype) {
      throw new PolluxError('SHAPE_MISMATCH', `assign: ${this.label()} cannot take ${show(value)}. Shapes and dtypes must be equal.`);
    }
    const trace = currentTrace();
    if (trace) trace.write(this, value);
    else this.#value = value;
  }

  /** Evaluates the tensor: off the main thread, once. Resolves to the tensor itself. */
  async evaluate(): Promise<this> {
    refuseInTrace('evaluate()');
    await evaluateTensors([this]);
    return this;
  }

  /** The elements in row-major order, as a typed array of the dtype; the caller's own copy. bfloat16 and float16 come as bits. */
  async data(): Promise<TypedData<this>> {
    refuseInTrace('data()');
    return (await this.#read()) as TypedData<this>;
  }

  /** The elements as nested arrays of numbers (booleans for bool); a number for rank 0. */
  async toArray(): Promise<NestedArray> {
    refuseInTrace('toArray()');
    return toNested(await this.#read(), this.shape, this.dtype);
  }

  /** What is there is read here and now: a step that is called later comes later. */
  async #read(): Promise<TypedArray> {
    const known = this.storage();
    known?.check(this.label());
    if (known && !known.pending) return readStorage(known);
    const [storage] = await evaluateTensors([this]);
    return readStorage(storage!);
  }

  /**
   * The number in a tensor of one element whose value is known: a result of a step, or an evaluated scalar.
   * Throws INVALID_ARGUMENT for other sizes, and for a lazy expression, which must be awaited first.
   */
  item(): number {
    refuseInTrace('item()');
    if (this.size !== 1)
      throw new PolluxError('INVALID_ARGUMENT', `item(): ${this.label()} holds ${this.size} elements, not one. Use await x.data().`);
    const storage = this.storage();
    storage?.check(this.label());
    if (!storage?.host) {
      throw new PolluxError(
        'INVALID_ARGUMENT',
        storage?.buffer
          ? `item(): the value of ${this.label()} lies on ${storage.device} and must be fetched. Write (await x.data())[0].`
          : `item(): the value of ${this.label()} is not known yet. Write (await x.evaluate()).item(), or return it from a compiled step.`,
      );
    }
    return getElement(storage.host, this.dtype, 0);
  }

  /** Moves the data to a device; resolves to this tensor. */
  async to(device: string): Promise<this> {
    refuseInTrace('to()');
    const target = Device.open(device);
    await evaluateTensors([this]);
    const storage = this.storage()!;
    if (storage.device === target.name) return this;
    const host = await readStorage(storage);
    const moved = new Storage(this.shape, this.dtype, { buffer: target.upload(host) });
    storage.dispose();
    this.settle(moved);
    return this;
  }

  /** Frees the data now. Idempotent; a run that still uses it keeps it alive until it ends. */
  dispose(): void {
    this.storage()?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Shape, dtype and device; the values once they are known and few. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const storage = this.storage();
    const where = storage?.disposed ? 'disposed' : storage ? (storage.device ?? 'host') : 'lazy';
    const known =
      storage?.host && this.size <= PRINTED_ELEMENTS ? ` ${JSON.stringify(toNested(storage.host, this.shape, this.dtype))}` : '';
    return `${this.constructor.name}(${this.name ? `${this.name}, ` : ''}${show(this)}, ${where})${known}`;
  }
}

type TypedData<T> = T extends { dtype: infer D } ? (D extends keyof ArrayOf ? ArrayOf[D] : never) : never;

/** Evaluates tensors in one plan and settles them on their data, which it returns. */
export async function evaluateTensors(tensors: readonly TensorBase[], device?: string): Promise<Storage[]> {
  const values = tensors.map((tensor) => tensor.value);
  const storages = await evaluateValues(values, device);
  tensors.forEach((tensor, i) => tensor.settleIf(values[i]!, storages[i]!));
  return storages;
}

let pendingNodes = 0;
let lastPending = 0;

/** Counts the nodes that wait for somebody to ask, and starts on them when they are many. */
function watchPending(tensor: TensorBase, value: Value): void {
  pendingNodes += Math.min(value.node.id - lastPending, 100);
  lastPending = value.node.id;
  if (pendingNodes < PENDING_NODES) return;
  pendingNodes = 0;
  // A failure is met by whoever asks for the tensor; nobody has asked yet.
  setImmediate(() => tensor.evaluate().catch(() => undefined));
}
