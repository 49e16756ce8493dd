import type { DType } from '../graph/dtype.js';
import { withContext } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { Device, devices as listDevices } from '../runtime/index.js';
import { evaluateTensors, type TensorBase } from './base.js';
import { defaultDevice, resolveDevice } from './evaluate.js';
import { leafTensor } from './create.js';
import { typedArray } from './host.js';
import type { Concat, OpenShape, Shape } from './shapes.js';
import { collectStorages } from './storage.js';
import type { Tensor } from './tensor.js';
import { refuseInTrace } from './trace.js';
import { tensorsOf } from './tree.js';
import { operand, tensorValue, wrap } from './wrap.js';
import { sizeOf } from '../graph/op.js';

/** Joins tensors along an existing axis. */
export function concat<S extends Shape, D extends DType, const A extends number = 0>(
  parts: readonly [Tensor<S, D>, ...Tensor<Shape, D>[]],
  axis?: A,
): Tensor<Concat<S, A>, D>;
export function concat(parts: readonly Tensor[], axis?: number): Tensor;
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  return wrap(
    ops.concat(
      parts.map((part) => tensorValue(part, 'concat')),
      axis,
    ),
  );
}

/** Joins tensors of one shape along a new axis. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  return wrap(
    ops.stack(
      parts.map((part) => tensorValue(part, 'stack')),
      axis,
    ),
  );
}

/** Elements of `a` where the condition is true, else of `b`; all three broadcast. */
export function where<D extends DType>(
  condition: Tensor<Shape, 'bool'>,
  a: Tensor<Shape, D> | number,
  b: Tensor<Shape, D> | number,
): Tensor<OpenShape, D> {
  const partner: DType = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  return wrap(ops.where(tensorValue(condition, 'where'), operand(a, partner, 'where'), operand(b, partner, 'where')));
}

/** 1 at each index of a new last axis of size `depth`, else 0. */
export function oneHot<S extends Shape>(indices: Tensor<S, 'int32' | 'int64'>, depth: number): Tensor<OpenShape, 'float32'> {
  return wrap(ops.oneHot(tensorValue(indices, 'oneHot'), depth));
}

/** Evaluates tensors together, in one plan off the main thread; each then holds its data. */
export async function evaluate(...tensors: TensorBase[]): Promise<void> {
  refuseInTrace('evaluate()');
  for (const tensor of tensors) tensorValue(tensor, 'evaluate');
  await evaluateTensors(tensors);
}

/** The elements of `x` where the mask is true, as a rank-1 tensor. Awaits both, since the size depends on the data. */
export async function masked<D extends DType>(x: Tensor<Shape, D>, mask: Tensor<Shape, 'bool'>): Promise<Tensor<readonly [number], D>> {
  refuseInTrace('masked()');
  const shape = x.shape;
  if (mask.shape.length !== shape.length || mask.shape.some((size, i) => size !== shape[i])) {
    throw new RangeError(`masked: the mask has shape [${mask.shape.join(', ')}], the tensor [${shape.join(', ')}].`);
  }
  const [data, chosen] = await Promise.all([(x as Tensor).data(), (mask as Tensor).data()]);
  const places = Array.from({ length: sizeOf(shape) }, (_, i) => i).filter((i) => chosen[i]);
  const out = typedArray(x.dtype, places.length);
  places.forEach((from, to) => {
    out[to] = data[from]!;
  });
  return leafTensor([places.length], x.dtype, out);
}

/** Runs `fn` without recording gradients: what it builds counts as constant. */
export const noGrad = <R>(fn: () => R): R => withContext({ stopped: true }, fn);

/**
 * Runs `fn` and frees what was evaluated inside it, except the tensors in its result. Works for async functions too, and
 * overlapping scopes do not disturb each other.
 */
export function tidy<R>(fn: () => R): R {
  return collectStorages(fn, (made, result) => {
    const kept = new Set(tensorsOf(result).map((tensor) => tensor.storage()));
    for (const storage of made) if (!kept.has(storage)) storage.dispose();
  });
}

/** What this machine has: each twin with its level, or why it cannot be used. */
export const devices = async (): Promise<ReturnType<typeof listDevices>> => listDevices();

/** Bytes on a device: live tensors, their peak, the arena of the plans, packed weights. */
export function memory(device?: string): ReturnType<Device['memory']> {
  return Device.open(device === undefined ? defaultDevice() : resolveDevice(device)).memory();
}
