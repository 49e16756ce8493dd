import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { Device, DeviceBuffer } from '../runtime/index.js';
import { defaultDevice } from './evaluate.js';
import type { Shape } from './shapes.js';
import { Storage } from './storage.js';
import { Structural } from './structural.js';
import { announce } from './wrap.js';

/** What `share()` posts to another thread. */
export interface SharedTensor {
  readonly id: bigint;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

// biome-ignore-start lint/suspicious/noExplicitAny: a bare `Tensor` is open in shape and dtype, and assignable both ways
/**
 * A lazy n-dimensional array: a handle on a node of a graph that runs when somebody asks for values. Row-major; images are
 * NHWC. Its shape and dtype are part of its type where they are known: `Tensor<readonly [2, 3], 'float32'>`.
 *
 * A Tensor is not thenable: `await x.data()`, `await x.toArray()`, `await evaluate(x, y)`. Graph tensors hold no memory;
 * evaluated ones free theirs on `dispose()`, at the end of `using` or `tidy()`, or when collected.
 */
export class Tensor<out S extends Shape = any, out D extends DType = any> extends Structural {
  /** Size of each axis, outermost first; `[]` for a scalar. */
  declare readonly shape: S;
  /** What the elements are; arithmetic exists for float32, int32 and int64. */
  declare readonly dtype: D;

  /** @internal Tensors are made by `tensor()`, `zeros()` and the like, and by methods. */
  constructor(type: { shape: readonly number[]; dtype: DType }, value?: Value) {
    super(type, value);
  }

  /**
   * A ticket for another thread of this process: post it there, and `Tensor.receive` gives the same data without a copy.
   * Each ticket is good for one receipt, and keeps the memory alive until then.
   */
  async share(): Promise<SharedTensor> {
    await this.evaluate();
    const storage = this.storage()!;
    const buffer = storage.buffer ?? Device.open(defaultDevice()).upload(storage.host!);
    const ticket = { id: buffer.share(), shape: [...this.shape], dtype: this.dtype };
    if (!storage.buffer) buffer.dispose();
    return ticket;
  }

  /** The tensor behind a ticket of `share()`. Throws DISPOSED for a ticket that was used. */
  static receive({ id, shape, dtype }: SharedTensor): Tensor {
    return new Tensor({ shape, dtype }, new Storage(shape, dtype, { buffer: DeviceBuffer.receive(id) }).leaf);
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end

announce((value) => new Tensor(value, value));
