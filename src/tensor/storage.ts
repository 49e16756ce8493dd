import { AsyncLocalStorage } from 'node:async_hooks';
import { DisposedError, PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import type { Node, Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import { leaf } from '../ops/index.js';
import type { DeviceBuffer } from '../runtime/index.js';
import type { TypedArray } from './host.js';

/**
 * The data behind one leaf of the graph: on the host, on a device, or still to be drawn (`pending`).
 * A leaf stands for one version of its data. When a step overwrites a parameter, lazy expressions that read the
 * old leaf must not see the new data: the old storage is marked stale and the tensor gets a new leaf.
 */
export class Storage {
  readonly leaf: Value;
  host: TypedArray | undefined;
  buffer: DeviceBuffer | undefined;
  /** An expression whose value this is, not evaluated yet: a parameter before its first use. */
  pending: Value | undefined;
  /** Set once a lazy expression has read the leaf outside of a trace. */
  captured = false;
  #disposed = false;
  #stale = false;
  #next: Storage | undefined;

  constructor(shape: readonly number[], dtype: DType, data: { host?: TypedArray; buffer?: DeviceBuffer; pending?: Value }) {
    this.leaf = leaf(shape, dtype);
    this.host = data.host;
    this.buffer = data.buffer;
    this.pending = data.pending;
    storages.set(this.leaf.node, this);
    scopes.getStore()?.add(this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  get device(): string | undefined {
    return this.buffer?.device.name;
  }

  /** What holds the data after the steps that have overwritten it: this storage or a later one; undefined once it is freed. */
  get latest(): Storage | undefined {
    let at: Storage = this;
    while (at.#next) at = at.#next;
    return at.#disposed || at.#stale ? undefined : at;
  }

  /** Throws if the data is gone. */
  check(what = `Tensor ${show(this.leaf)}`): void {
    if (this.#disposed) throw new DisposedError(what);
    if (this.#stale) {
      throw new PolluxError(
        'STALE',
        `${what} was read by a lazy expression before a step overwrote it, and the expression was evaluated only afterwards. ` +
          'Evaluate the expression before the step (await evaluate(x)), or build it again after the step.',
      );
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.buffer?.dispose();
    this.host = this.buffer = this.pending = undefined;
  }

  /** The data has been replaced as a whole: frees it; expressions that read it are stale. */
  supersede(): void {
    this.#stale = true;
    this.buffer?.dispose();
    this.host = this.buffer = this.pending = undefined;
  }

  /**
   * A step has overwritten the buffer in place. Returns the storage that holds the new version: this one, unless a lazy
   * expression has read it.
   */
  overwritten(): Storage {
    if (!this.captured) return this;
    this.#next = new Storage(this.leaf.shape, this.leaf.dtype, { buffer: this.buffer });
    this.#stale = true;
    this.buffer = this.host = undefined;
    return this.#next;
  }
}

const storages = new WeakMap<Node, Storage>();

/** The storage behind a value, if it is a leaf. */
export const storageOf = (value: Value): Storage | undefined => storages.get(value.node);

/** Storages made inside the running `tidy`. Follows awaits, so that overlapping scopes do not mix. */
const scopes = new AsyncLocalStorage<Set<Storage>>();

/** The running `tidy`, if there is one. */
export const currentScope = (): object | undefined => scopes.getStore();

/** Runs `fn` as if no `tidy` were running: what it makes lives on. */
export const outsideTidy = <R>(fn: () => R): R => scopes.exit(fn);

/** Takes a storage out of the running `tidy`: it belongs to a tensor from outside, such as a parameter. */
export const keepStorage = (storage: Storage): void => void scopes.getStore()?.delete(storage);

/** Runs `fn` and hands every storage that was made meanwhile to `release`, with what `fn` returned. */
export function collectStorages<R>(fn: () => R, release: (made: Set<Storage>, result: Awaited<R>) => void): R {
  const made = new Set<Storage>();
  const result = scopes.run(made, fn);
  if (result instanceof Promise) {
    return result.then((value) => {
      release(made, value as Awaited<R>);
      return value as unknown;
    }) as R;
  }
  release(made, result as Awaited<R>);
  return result;
}
