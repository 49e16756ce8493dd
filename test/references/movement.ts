import { arrayOf, build, elementAt, forEachIndex, indexWith, placeOf } from './array.js';
import type { NdArray64, References } from './array.js';

type Moves =
  | 'identity'
  | 'detach'
  | 'copy'
  | 'checkFinite'
  | 'reshape'
  | 'transpose'
  | 'broadcast'
  | 'slice'
  | 'flip'
  | 'pad'
  | 'concat'
  | 'gather'
  | 'scatterAdd'
  | 'takeAlong'
  | 'scatterAlong'
  | 'dynamicSlice'
  | 'dynamicUpdateSlice';

/** An index that may count from the end. */
function resolve(index: number, size: number): number {
  const at = index < 0 ? index + size : index;
  if (at < 0 || at >= size) throw new RangeError(`index ${index} is outside an axis of size ${size}`);
  return at;
}

/** The index into x of gather's output element. */
function gathered(x: NdArray64, indices: NdArray64, axis: number, index: readonly number[]): number[] {
  const rank = indices.shape.length;
  const at = resolve(elementAt(indices, index.slice(axis, axis + rank)), x.shape[axis]!);
  return [...index.slice(0, axis), at, ...index.slice(axis + rank)];
}

const along = (x: NdArray64, indices: NdArray64, axis: number, index: readonly number[]): number[] =>
  indexWith(index, axis, resolve(elementAt(indices, index), x.shape[axis]!));

/** Adds each update at the place that `target` gives for its index. */
function added(x: NdArray64, updates: NdArray64, target: (index: readonly number[]) => number[]): NdArray64 {
  const result = arrayOf(x, x.data);
  forEachIndex(updates.shape, (index, flat) => {
    result.data[placeOf(x.shape, target(index))]! += updates.data[flat]!;
  });
  return result;
}

/** The start of a window, moved so that the window fits. */
const clampStart = (start: NdArray64, shape: readonly number[], size: readonly number[]): number[] =>
  shape.map((extent, axis) => Math.min(Math.max(start.data[axis]!, 0), extent - size[axis]!));

export const movementReferences: References<Moves> = {
  identity: ([x]) => [x!],
  detach: ([x]) => [x!],
  copy: ([x]) => [x!],
  checkFinite: ([x]) => {
    const bad = x!.data.findIndex((element) => !Number.isFinite(element));
    if (bad >= 0) throw new RangeError(`element ${bad} is ${x!.data[bad]}`);
    return [x!];
  },
  reshape: ([x], { shape }) => [arrayOf({ shape, dtype: x!.dtype }, x!.data)],
  transpose: ([x], { axes }, [type]) => [
    build(type!, (index) =>
      elementAt(
        x!,
        axes.map((_, axis) => index[axes.indexOf(axis)]!),
      ),
    ),
  ],
  broadcast: ([x], { shape }, [type]) => {
    const offset = shape.length - x!.shape.length;
    return [
      build(type!, (index) =>
        elementAt(
          x!,
          x!.shape.map((size, axis) => (size === 1 ? 0 : index[offset + axis]!)),
        ),
      ),
    ];
  },
  slice: ([x], { start, step }, [type]) => [
    build(type!, (index) =>
      elementAt(
        x!,
        index.map((at, axis) => start[axis]! + at * step[axis]!),
      ),
    ),
  ],
  flip: ([x], { axes }, [type]) => [
    build(type!, (index) =>
      elementAt(
        x!,
        index.map((at, axis) => (axes.includes(axis) ? x!.shape[axis]! - 1 - at : at)),
      ),
    ),
  ],
  pad: ([x], { low, value }, [type]) => [
    build(type!, (index) => {
      const from = index.map((at, axis) => at - low[axis]!);
      return from.every((at, axis) => at >= 0 && at < x!.shape[axis]!) ? elementAt(x!, from) : value;
    }),
  ],
  concat: (inputs, { axis }, [type]) => [
    build(type!, (index) => {
      let at = index[axis]!;
      let part = 0;
      while (at >= inputs[part]!.shape[axis]!) at -= inputs[part++]!.shape[axis]!;
      return elementAt(inputs[part]!, indexWith(index, axis, at));
    }),
  ],
  gather: ([x, indices], { axis }, [type]) => [build(type!, (index) => elementAt(x!, gathered(x!, indices!, axis, index)))],
  scatterAdd: ([x, indices, updates], { axis }) => [added(x!, updates!, (index) => gathered(x!, indices!, axis, index))],
  takeAlong: ([x, indices], { axis }, [type]) => [build(type!, (index) => elementAt(x!, along(x!, indices!, axis, index)))],
  scatterAlong: ([x, indices, updates], { axis }) => [added(x!, updates!, (index) => along(x!, indices!, axis, index))],
  dynamicSlice: ([x, start], { size }, [type]) => {
    const at = clampStart(start!, x!.shape, size);
    return [
      build(type!, (index) =>
        elementAt(
          x!,
          index.map((n, axis) => at[axis]! + n),
        ),
      ),
    ];
  },
  dynamicUpdateSlice: ([x, update, start]) => {
    const result = arrayOf(x!, x!.data);
    const at = clampStart(start!, x!.shape, update!.shape);
    forEachIndex(update!.shape, (index, flat) => {
      result.data[
        placeOf(
          x!.shape,
          index.map((n, axis) => at[axis]! + n),
        )
      ] = update!.data[flat]!;
    });
    return [result];
  },
};
