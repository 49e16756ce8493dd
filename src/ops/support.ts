import { PolluxError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { isComputed } from '../graph/dtype.js';
import type { DType } from '../graph/dtype.js';
import { context } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';

/** `[2, 3]` */
export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** Throws an error that names the op and, where known, the module that applies it. */
export function fail(code: ErrorCode, op: string, message: string): never {
  throw new PolluxError(code, `${op}: ${message}${context.scope ? ` (in ${context.scope})` : ''}`);
}

/** An axis counted from either end, as one counted from the front. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis)) throw new TypeError(`${op}: axis ${axis} is not an integer`);
  if (axis < -rank || axis >= rank) throw new RangeError(`${op}: axis ${axis} is outside a value of rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** Axes as sorted numbers >= 0, each once; undefined means all. */
export function normaliseAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = typeof axes === 'number' ? [axes] : axes;
  if (!Array.isArray(list)) throw new TypeError(`${op}: axes must be a number or a list of numbers, not ${typeof axes}`);
  const found = list.map((axis) => normaliseAxis(op, axis, rank)).sort((a, b) => a - b);
  if (new Set(found).size < found.length) throw new RangeError(`${op}: axes ${showShape(list)} name an axis twice`);
  return found;
}

/** The common shape of several, aligned from the right as NumPy does. */
export function broadcastShapes(op: string, ...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    for (let i = 0; i < shape.length; i++) {
      const size = shape[i]!;
      if (size === 1 || size === result[offset + i]) continue;
      if (result[offset + i] !== 1) fail('SHAPE_MISMATCH', op, `shapes ${shapes.map(showShape).join(' and ')} do not broadcast`);
      result[offset + i] = size;
    }
  }
  return result;
}

/** Refuses a type that the op does not compute with, and names the remedy. */
export function requireDtype(op: string, type: Type, allowed: readonly DType[], role = 'x'): void {
  if (allowed.includes(type.dtype)) return;
  const remedy =
    allowed.includes('float32') || allowed.includes('int32')
      ? `; cast ${role} to ${allowed.includes('float32') ? 'float32' : 'int32'} first`
      : '';
  const why = isComputed(type.dtype) || type.dtype === 'bool' ? '' : ', a storage type';
  fail('DTYPE_MISMATCH', op, `${role} is ${type.dtype}${why}, but must be ${allowed.join(' or ')}${remedy}`);
}

/** Refuses operands of different dtypes. */
export function requireSameDtype(op: string, a: Type, b: Type): void {
  if (a.dtype !== b.dtype) fail('DTYPE_MISMATCH', op, `${a.dtype} does not go with ${b.dtype}; cast one of them`);
}

/** Refuses operands of different shapes: the builders broadcast, the records do not. */
export function requireSameShape(op: string, a: Type, b: Type): void {
  if (!sameShape(a.shape, b.shape)) {
    fail('SHAPE_MISMATCH', op, `shapes ${showShape(a.shape)} and ${showShape(b.shape)} must be equal; broadcast one of them`);
  }
}

export function requireRank(op: string, type: Type, rank: number, role: string, meaning: string): void {
  if (type.shape.length !== rank) {
    fail('SHAPE_MISMATCH', op, `${role} has shape ${showShape(type.shape)}, but must have rank ${rank}: ${meaning}`);
  }
}

/** Refuses anything but a list of sizes. */
export function requireShape(op: string, shape: readonly number[]): void {
  if (!Array.isArray(shape)) throw new TypeError(`${op}: the shape must be a list of sizes, not ${typeof shape}`);
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${op}: ${showShape(shape)} is no shape; sizes are integers >= 0`);
  }
  if (!Number.isSafeInteger(sizeOf(shape))) throw new RangeError(`${op}: ${showShape(shape)} has more elements than can be counted`);
}

export const float: readonly DType[] = ['float32'];
export const arithmetic: readonly DType[] = ['float32', 'int32', 'int64'];
export const comparable: readonly DType[] = ['float32', 'int32', 'int64', 'bool'];
export const indexTypes: readonly DType[] = ['int32', 'int64'];
