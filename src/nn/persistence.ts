import type { Tensor } from '../tensor/index.js';

const transient = new WeakSet<object>();

/**
 * Marks a tensor in a module's field: with `persistent: false` it is part of the state of compiled steps, and moves with the model, but
 * is not saved: a table that the constructor computes anyway.
 */
export function buffer<T extends Tensor>(tensor: T, options: { persistent?: boolean } = {}): T {
  if (options.persistent === false) transient.add(tensor);
  else transient.delete(tensor);
  return tensor;
}

/** @internal */
export const isPersistent = (tensor: object): boolean => !transient.has(tensor);
