import type { Value } from '../graph/node.js';
import { sameShape } from '../graph/op.js';
import { broadcast, reshape } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import { zerosLike } from './leaf.js';
import { fail, normaliseAxes, normaliseAxis, requireSameDtype, showShape } from './support.js';

type AxesAttributes = { readonly axes: readonly number[] };
type SliceAttributes = { readonly start: readonly number[]; readonly stop: readonly number[]; readonly step: readonly number[] };
type PadAttributes = { readonly low: readonly number[]; readonly high: readonly number[]; readonly value: number };
type AxisAttributes = { readonly axis: number };

const isIdentity = (axes: readonly number[]): boolean => axes.every((axis, i) => axis === i);
const inverse = (axes: readonly number[]): number[] => axes.map((_, i) => axes.indexOf(i));

export const movementRecords = {
  transpose: defineRecord<AxesAttributes>({
    name: 'transpose',
    cost: 'view',
    infer([x], { axes }) {
      if (axes.length !== x.shape.length || !isIdentity([...axes].sort((a, b) => a - b))) {
        fail('SHAPE_MISMATCH', 'transpose', `axes ${showShape(axes)} are no permutation of the axes of shape ${showShape(x.shape)}`);
      }
      return { shape: axes.map((axis) => x.shape[axis]!), dtype: x.dtype };
    },
    gradient: ({ dy, attributes: { axes } }) => transpose(dy, inverse(axes)),
  }),
  slice: defineRecord<SliceAttributes>({
    name: 'slice',
    cost: 'view',
    infer([x], { start, stop, step }) {
      const { shape } = x;
      for (const [i, size] of shape.entries()) {
        if (!(start[i]! >= 0 && start[i]! <= stop[i]! && stop[i]! <= size && step[i]! >= 1)) {
          fail('SHAPE_MISMATCH', 'slice', `${start[i]}:${stop[i]}:${step[i]} is outside axis ${i} of shape ${showShape(shape)}`);
        }
      }
      return { shape: shape.map((_, i) => Math.ceil((stop[i]! - start[i]!) / step[i]!)), dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x], attributes: { start, step } }) => unslice(dy, x.shape, start, step),
  }),
  flip: defineRecord<AxesAttributes>({
    name: 'flip',
    cost: 'view',
    infer: ([x]) => x,
    gradient: ({ dy, attributes: { axes } }) => flip(dy, axes),
  }),
  pad: defineRecord<PadAttributes>({
    name: 'pad',
    cost: 'move',
    infer([x], { low, high }) {
      if ([...low, ...high].some((count) => !Number.isInteger(count) || count < 0)) {
        throw new RangeError(`pad: ${showShape(low)} and ${showShape(high)} must be integers >= 0; slice() takes elements away`);
      }
      return { shape: x.shape.map((size, i) => low[i]! + size + high[i]!), dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x], attributes: { low } }) =>
      slice(
        dy,
        low,
        x.shape.map((size, i) => low[i]! + size),
      ),
  }),
  concat: defineRecord<AxisAttributes>({
    name: 'concat',
    cost: 'move',
    infer(inputs, { axis }) {
      const [first] = inputs;
      let total = 0;
      for (const { shape, dtype } of inputs) {
        requireSameDtype('concat', first, { shape, dtype });
        if (shape.length !== first.shape.length || shape.some((size, i) => i !== axis && size !== first.shape[i])) {
          fail('SHAPE_MISMATCH', 'concat', `shapes ${showShape(first.shape)} and ${showShape(shape)} differ outside axis ${axis}`);
        }
        total += shape[axis]!;
      }
      return { shape: first.shape.with(axis, total), dtype: first.dtype };
    },
    gradient({ dy, inputs, attributes: { axis } }) {
      let end = 0;
      return inputs.map(({ shape }) => {
        const start = end;
        end += shape[axis]!;
        const stop = end;
        return () => sliceAxis(dy, axis, start, stop);
      });
    },
  }),
};

/** Permutes the axes; by default reverses them. Output axis i is input axis `axes[i]`. */
export function transpose(x: Value, axes?: readonly number[]): Value {
  const rank = x.shape.length;
  const order = axes ? axes.map((axis) => normaliseAxis('transpose', axis, rank)) : x.shape.map((_, i) => rank - 1 - i);
  return order.length === rank && isIdentity(order) ? x : applyOne(movementRecords.transpose, [x], { axes: order });
}

/** Exchanges two axes. */
export function swapAxes(x: Value, first: number, second: number): Value {
  const a = normaliseAxis('swapAxes', first, x.shape.length);
  const b = normaliseAxis('swapAxes', second, x.shape.length);
  return transpose(
    x,
    x.shape.map((_, i) => (i === a ? b : i === b ? a : i)),
  );
}

/** What a slice takes of one axis: positive steps, and whether what they reach is then turned round. */
interface Stretch {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly turned: boolean;
}

/** The bounds of a slice of an axis, as NumPy reads them: negative ones count from the end, missing ones mean the ends. */
export function stretchOf(size: number, start: number | undefined, stop: number | undefined, step = 1): Stretch {
  if (!Number.isInteger(step) || step === 0) throw new RangeError(`slice: step ${step} must be an integer other than 0`);
  const least = step > 0 ? 0 : -1;
  const bound = (at: number | undefined, missing: number): number => {
    if (at === undefined) return missing;
    if (!Number.isInteger(at) && Math.abs(at) !== Infinity) throw new RangeError(`slice: bound ${at} is not an integer`);
    return Math.min(size + least, Math.max(least, at < 0 ? at + size : at));
  };
  if (step > 0) {
    const begin = bound(start, 0);
    return { start: begin, stop: Math.max(begin, bound(stop, size)), step, turned: false };
  }
  const [from, to] = [bound(start, size - 1), bound(stop, -1)];
  const count = Math.max(0, Math.ceil((from - to) / -step));
  return count === 0
    ? { start: 0, stop: 0, step: -step, turned: true }
    : { start: from + (count - 1) * step, stop: from + 1, step: -step, turned: true };
}

/**
 * Elements start, start + step, ... before stop, for each axis. Negative bounds count from the end, and bounds outside the axis are
 * brought to its ends, as in NumPy. Missing bounds mean the whole axis. A negative step goes down from start to above stop.
 */
export function slice(
  x: Value,
  start: readonly (number | undefined)[],
  stop: readonly (number | undefined)[] = [],
  step: readonly (number | undefined)[] = [],
): Value {
  const { shape } = x;
  if (Math.max(start.length, stop.length, step.length) > shape.length) {
    throw new RangeError(`slice: bounds for more axes than shape ${showShape(shape)} has`);
  }
  const stretches = shape.map((size, i) => stretchOf(size, start[i], stop[i], step[i]));
  const turned = stretches.flatMap((stretch, i) => (stretch.turned ? [i] : []));
  const whole = stretches.every((stretch, i) => stretch.step === 1 && stretch.start === 0 && stretch.stop === shape[i]);
  const of = (name: 'start' | 'stop' | 'step'): number[] => stretches.map((stretch) => stretch[name]);
  const part = whole ? x : applyOne(movementRecords.slice, [x], { start: of('start'), stop: of('stop'), step: of('step') });
  return flip(part, turned);
}

/** `slice` along one axis. */
export function sliceAxis(x: Value, axis: number, start: number, stop: number, step = 1): Value {
  const at = normaliseAxis('slice', axis, x.shape.length);
  const only = (n: number): (number | undefined)[] => x.shape.map((_, i) => (i === at ? n : undefined));
  return slice(x, only(start), only(stop), only(step));
}

/** The adjoint of slice: puts `y` back at start, start + step, ... of zeros of `shape`. Steps become zeros by padding a new axis. */
function unslice(y: Value, shape: readonly number[], start: readonly number[], step: readonly number[]): Value {
  if (y.shape.includes(0)) return zerosLike({ shape, dtype: y.dtype });
  let spread = y;
  for (const [axis, stride] of step.entries()) {
    if (stride === 1) continue;
    const { shape: now } = spread;
    const column = reshape(spread, now.toSpliced(axis + 1, 0, 1));
    const apart = pad(
      column,
      now.map(() => 0).concat(0),
      column.shape.map((_, i) => (i === axis + 1 ? stride - 1 : 0)),
    );
    const joined = reshape(apart, now.with(axis, now[axis]! * stride));
    spread = sliceAxis(joined, axis, 0, (now[axis]! - 1) * stride + 1);
  }
  return pad(
    spread,
    start,
    shape.map((size, i) => size - start[i]! - spread.shape[i]!),
  );
}

/** Turns axes round (default: all). */
export function flip(x: Value, axes?: number | readonly number[]): Value {
  const found = normaliseAxes('flip', axes, x.shape.length);
  return found.length === 0 ? x : applyOne(movementRecords.flip, [x], { axes: found });
}

/** What stands around a padded value: 'reflect' mirrors at the last element, 'replicate' repeats it, 'circular' goes on at the other end. */
export type PadMode = 'reflect' | 'replicate' | 'circular';

/** `count` elements of an axis to stand before its first or after its last one. */
function border(x: Value, axis: number, count: number, after: boolean, mode: PadMode): Value[] {
  const size = x.shape[axis]!;
  const most = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : size > 0 ? Infinity : 0;
  if (!Number.isInteger(count) || count < 0 || count > most) {
    fail('SHAPE_MISMATCH', 'pad', `mode '${mode}' adds 0 to ${most} elements to axis ${axis} of shape ${showShape(x.shape)}, not ${count}`);
  }
  if (count === 0) return [];
  const part = (start: number, stop: number): Value => sliceAxis(x, axis, start, stop);
  if (mode === 'circular') return [after ? part(0, count) : part(size - count, size)];
  if (mode === 'reflect') return [flip(after ? part(size - 1 - count, size - 1) : part(1, count + 1), axis)];
  return [broadcast(after ? part(size - 1, size) : part(0, 1), x.shape.with(axis, count))];
}

/** Adds `low[i]` elements before and `high[i]` after axis i: a number, or what the elements at the border say. */
export function pad(x: Value, low: readonly number[], high: readonly number[], value: number | PadMode = 0): Value {
  if (low.length !== x.shape.length || high.length !== x.shape.length) {
    throw new RangeError(`pad: shape ${showShape(x.shape)} needs ${x.shape.length} counts a side, not ${low.length} and ${high.length}`);
  }
  if ([...low, ...high].every((count) => count === 0)) return x;
  if (typeof value === 'number') return applyOne(movementRecords.pad, [x], { low, high, value });
  if (!['reflect', 'replicate', 'circular'].includes(value))
    throw new RangeError(`pad: the value must be a number, 'reflect', 'replicate' or 'circular', not ${String(value)}`);
  return low.reduce(
    (y: Value, before, axis) => concat([...border(y, axis, before, false, value), y, ...border(y, axis, high[axis]!, true, value)], axis),
    x,
  );
}

/** Joins values along an axis; their other sizes agree. */
export function concat(values: readonly Value[], axis = 0): Value {
  const [first] = values;
  if (!first) throw new RangeError('concat: there is nothing to join');
  const at = normaliseAxis('concat', axis, first.shape.length);
  return values.length === 1 ? first : applyOne(movementRecords.concat, values, { axis: at });
}

/** Inserts an axis of size 1 at each place (counted in the result). */
export function expandDims(x: Value, axes: number | readonly number[]): Value {
  const list = typeof axes === 'number' ? [axes] : axes;
  const found = normaliseAxes('expandDims', list, x.shape.length + list.length);
  const rest = [...x.shape];
  const shape = Array.from({ length: x.shape.length + list.length }, (_, i) => (found.includes(i) ? 1 : rest.shift()!));
  return reshape(x, shape);
}

/** Removes axes of size 1 (default: all of them). */
export function squeeze(x: Value, axes?: number | readonly number[]): Value {
  const found = axes === undefined ? x.shape.flatMap((size, i) => (size === 1 ? [i] : [])) : normaliseAxes('squeeze', axes, x.shape.length);
  const wide = found.find((axis) => x.shape[axis] !== 1);
  if (wide !== undefined) fail('SHAPE_MISMATCH', 'squeeze', `axis ${wide} of shape ${showShape(x.shape)} is not of size 1`);
  return reshape(
    x,
    x.shape.filter((_, i) => !found.includes(i)),
  );
}

/** Joins axes `first` to `last` into one. */
export function flatten(x: Value, first = 0, last = -1): Value {
  if (x.shape.length === 0) return reshape(x, [1]);
  const a = normaliseAxis('flatten', first, x.shape.length);
  const b = normaliseAxis('flatten', last, x.shape.length);
  const size = x.shape.slice(a, b + 1).reduce((product, n) => product * n, 1);
  return a < b ? reshape(x, x.shape.toSpliced(a, b - a + 1, size)) : x;
}

/** Joins values of one shape along a new axis. */
export function stack(values: readonly Value[], axis = 0): Value {
  const [first] = values;
  if (!first) throw new RangeError('stack: there is nothing to join');
  for (const { shape } of values) {
    if (!sameShape(shape, first.shape))
      fail('SHAPE_MISMATCH', 'stack', `shapes ${showShape(first.shape)} and ${showShape(shape)} must be equal`);
  }
  const at = normaliseAxis('stack', axis, first.shape.length + 1);
  return concat(
    values.map((value) => expandDims(value, at)),
    at,
  );
}

/** Cuts an axis into equal parts (a number of them), or into parts of the given sizes. */
export function split(x: Value, parts: number | readonly number[], axis = 0): Value[] {
  const at = normaliseAxis('split', axis, x.shape.length);
  const size = x.shape[at]!;
  if (typeof parts === 'number' && (!Number.isInteger(parts) || parts < 1 || size % parts !== 0)) {
    fail('SHAPE_MISMATCH', 'split', `axis ${at} of shape ${showShape(x.shape)} does not split into ${parts} equal parts`);
  }
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(size / parts) : parts;
  if (sizes.reduce((a, b) => a + b, 0) !== size) {
    fail('SHAPE_MISMATCH', 'split', `parts ${showShape(sizes)} do not add up to axis ${at} of shape ${showShape(x.shape)}`);
  }
  let end = 0;
  return sizes.map((part) => sliceAxis(x, at, end, (end += part)));
}

/** Repeats the whole of `x` `repeats[i]` times along axis i; leading axes are added where `repeats` is longer. */
export function tile(x: Value, repeats: readonly number[]): Value {
  const rank = Math.max(repeats.length, x.shape.length);
  const shape = [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
  const apart = reshape(
    x,
    shape.flatMap((size) => [1, size]),
  );
  return reshape(
    broadcast(
      apart,
      shape.flatMap((size, i) => [times[i]!, size]),
    ),
    shape.map((size, i) => size * times[i]!),
  );
}
