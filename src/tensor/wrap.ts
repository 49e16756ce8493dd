import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import { constant } from '../ops/index.js';
import { setElement, typedArray } from './host.js';
import { Storage } from './storage.js';
import { currentTrace } from './trace.js';
import type { Tensor } from './tensor.js';
import { TensorBase } from './base.js';

let create: (value: Value) => Tensor;

/** The class of tensors announces itself here, so that the files of its methods need not import it. */
export function announce(factory: (value: Value) => Tensor): void {
  create = factory;
}

/** A tensor over a graph value. */
export const wrap = (value: Value): Tensor => create(value);

/**
 * A number as an operand. While a function is traced it is a constant, which the compiler may fold; in an eager expression
 * it is an input, so that `x.mul(i)` in a loop keeps one plan.
 */
export function scalar(x: number | boolean, dtype: DType): Value {
  const number = Number(x);
  if (dtype !== 'float32' && dtype !== 'bool' && !Number.isInteger(number)) {
    throw new TypeError(`The number ${number} does not go with dtype ${dtype}. Cast the tensor to float32 first.`);
  }
  if (currentTrace()) return constant(number, [], dtype);
  const host = typedArray(dtype, 1);
  setElement(host, dtype, 0, number);
  return new Storage([], dtype, { host }).leaf;
}

/** A tensor or number as a graph value; numbers take the dtype of their partner. */
export function operand(x: unknown, partner: DType, op: string): Value {
  if (x instanceof TensorBase) return x.value;
  if (typeof x === 'number' || typeof x === 'boolean') return scalar(x, partner);
  throw new TypeError(`${op}: expected a tensor or a number, got ${describe(x)}.`);
}

/** The graph value of an argument that must be a tensor. */
export function tensorValue(x: unknown, op: string): Value {
  if (x instanceof TensorBase) return x.value;
  throw new TypeError(`${op}: expected a tensor, got ${describe(x)}.${Array.isArray(x) ? ' Make one with tensor([...]).' : ''}`);
}

const describe = (x: unknown): string =>
  x instanceof TensorBase ? show(x) : x === null ? 'null' : typeof x === 'object' ? (x.constructor?.name ?? 'an object') : typeof x;
