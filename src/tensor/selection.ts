import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { TensorBase } from './base.js';
import type { Tensor } from './tensor.js';
import { operand, wrap } from './wrap.js';

/** Elements start, start + step, ... before stop, along one axis. Negative bounds count from the end, missing ones are the ends. */
export interface Range {
  readonly start: number | undefined;
  readonly stop: number | undefined;
  readonly step: number;
}

/**
 * `range(1, 4)`: elements 1, 2, 3; `range(2)`: all from 2 on; `range(0, undefined, 2)`: every second;
 * `range(undefined, undefined, -1)`: all, from the last to the first.
 */
export const range = (start?: number, stop?: number, step = 1): Range => {
  if (!Number.isInteger(step) || step === 0) throw new RangeError(`range: step must be an integer other than 0, got ${step}.`);
  return { start, stop, step };
};

/**
 * How one axis is indexed: a number (the axis goes), a range, `':'` (all of it), a tensor of int32 or int64 (gathers), or,
 * as the only index, a bool tensor of the same shape (a mask). `'...'` stands for all axes that the others leave.
 */
export type Index = AxisIndex | '...';
type AxisIndex = number | Range | ':' | Tensor;

/** What is taken of each axis; those in `turned` are then read from the end. */
type Box = { start: number[]; stop: number[]; step: number[]; turned: number[] };

/** One index for each axis: `'...'`, or the end, becomes as many `':'` as there are axes left. */
function spread(indices: readonly Index[], shape: readonly number[]): AxisIndex[] {
  const dots = indices.flatMap((index, i) => (index === '...' ? [i] : []));
  const left = shape.length - indices.length + dots.length;
  if (dots.length > 1) throw new PolluxError('INVALID_ARGUMENT', "at: '...' may stand once among the indices.");
  if (left < 0)
    throw new PolluxError('SHAPE_MISMATCH', `at: ${indices.length - dots.length} indices for a tensor of shape [${shape.join(', ')}].`);
  const at = dots[0] ?? indices.length;
  return [...indices.slice(0, at), ...new Array<Index>(left).fill(':'), ...indices.slice(at + dots.length)] as AxisIndex[];
}

/** The elements that `x.at(...)` names: read them, or build a tensor in which they are replaced. `x` itself never changes. */
export class Selection {
  readonly #x: Value;
  readonly #indices: readonly AxisIndex[];
  readonly #mask: Value | undefined;

  constructor(x: Value, indices: readonly Index[]) {
    this.#x = x;
    this.#indices = spread(indices, x.shape);
    const first = indices[0];
    if (first instanceof TensorBase && first.dtype === 'bool') {
      if (indices.length > 1 || !sameShape(first.shape, x.shape)) {
        throw new PolluxError(
          'SHAPE_MISMATCH',
          `at: a mask must be the only index and have the tensor's shape [${x.shape.join(', ')}], got [${first.shape.join(', ')}].`,
        );
      }
      this.#mask = first.value;
    }
  }

  /** The selected elements. The size of a masked selection depends on data: use `await masked(x, mask)` for it. */
  get(): Tensor {
    return wrap(this.#read(this.#x));
  }

  /** A tensor like the original with the selected elements replaced. Where indices in tensors repeat, the last stays. */
  set(value: number | Tensor): Tensor {
    const x = this.#x;
    const v = operand(value, x.dtype, 'at(...).set');
    if (this.#mask) return wrap(ops.where(this.#mask, v, x));
    const box = this.#unitBox();
    if (box) return wrap(this.#write(box, v));
    const { places, update } = this.#scattered(v);
    const flat = ops.reshape(x, [sizeOf(x.shape)]);
    return wrap(ops.reshape(ops.scatter(flat, places, update, 0), x.shape));
  }

  /** A tensor like the original with `value` added to the selected elements; repeated indices add up. */
  add(value: number | Tensor): Tensor {
    const x = this.#x;
    const v = operand(value, x.dtype, 'at(...).add');
    if (this.#mask) return wrap(ops.where(this.#mask, ops.add(x, v), x));
    const box = this.#unitBox();
    if (box) return wrap(this.#write(box, ops.add(this.#read(x), v)));
    const { places, update } = this.#scattered(v);
    return wrap(ops.reshape(ops.scatterAdd(ops.reshape(x, [sizeOf(x.shape)]), places, update, 0), x.shape));
  }

  #read(x: Value): Value {
    if (this.#mask) {
      throw new PolluxError(
        'INVALID_ARGUMENT',
        'at(mask).get(): how many elements a mask selects is not known before it runs. Use await masked(x, mask), or where(mask, x, 0).',
      );
    }
    const { box, dropped, gathers } = this.#split();
    let y = ops.flip(ops.slice(x, box.start, box.stop, box.step), box.turned);
    // Gather from the last axis to the first, so that earlier axes keep their numbers.
    for (const [axis, indices] of [...gathers].reverse()) y = ops.gather(y, indices, axis);
    if (!dropped.length) return y;
    const shape: number[] = [];
    for (let axis = 0; axis < x.shape.length; axis++) {
      const gather = gathers.find(([at]) => at === axis);
      if (gather) shape.push(...gather[1].shape);
      else if (!dropped.includes(axis)) shape.push(Math.ceil((box.stop[axis]! - box.start[axis]!) / box.step[axis]!));
    }
    return ops.reshape(y, shape);
  }

  /** What each axis asks for. Several index tensors select the cross product of their axes. */
  #split(): { box: Box; dropped: number[]; gathers: [number, Value][] } {
    const { shape } = this.#x;
    const box: Box = { start: [], stop: [], step: [], turned: [] };
    const dropped: number[] = [];
    const gathers: [number, Value][] = [];
    shape.forEach((size, axis) => {
      const index = this.#indices[axis]!;
      let [start, stop, step] = [0, size, 1];
      if (typeof index === 'number') {
        start = index < 0 ? index + size : index;
        if (!Number.isInteger(index) || start < 0 || start >= size)
          throw new RangeError(`at: index ${index} is outside axis ${axis} of size ${size}.`);
        stop = start + 1;
        dropped.push(axis);
      } else if (index instanceof TensorBase) {
        if (index.dtype !== 'int32' && index.dtype !== 'int64')
          throw new PolluxError('DTYPE_MISMATCH', `at: an index tensor must be int32 or int64, got ${index.dtype}. Cast it.`);
        gathers.push([axis, index.value]);
      } else if (index !== ':') {
        const stretch = ops.stretchOf(size, index.start, index.stop, index.step);
        ({ start, stop, step } = stretch);
        if (stretch.turned) box.turned.push(axis);
      }
      box.start.push(start);
      box.stop.push(stop);
      box.step.push(step);
    });
    return { box, dropped, gathers };
  }

  /** The box, if the selection is one without gaps: then an update is one copy. */
  #unitBox(): Box | undefined {
    const { box, gathers } = this.#split();
    return gathers.length || box.turned.length || box.step.some((step) => step !== 1) ? undefined : box;
  }

  #write(box: Box, update: Value): Value {
    const x = this.#x;
    const size = box.start.map((start, axis) => box.stop[axis]! - start);
    const selected = this.#read(x).shape;
    const full = ops.reshape(ops.broadcast(update, selected), size);
    const start = ops.concat(
      box.start.map((s) => ops.constant(s, [1], 'int32')),
      0,
    );
    return size.length ? ops.dynamicUpdateSlice(x, full, start) : full;
  }

  /** Flat places of the selected elements, and the update spread over them. */
  #scattered(update: Value): { places: Value; update: Value } {
    const { shape } = this.#x;
    const all = ops.reshape(ops.iota([sizeOf(shape)]), shape);
    const places = this.#read(all);
    const count = sizeOf(places.shape);
    return { places: ops.reshape(places, [count]), update: ops.reshape(ops.broadcast(update, places.shape), [count]) };
  }
}
