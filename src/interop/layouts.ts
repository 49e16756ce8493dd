import { PolluxError } from '../errors.js';
import type { HostArray } from '../tensor/hostArray.js';
import { typedArray } from '../tensor/host.js';

/** How a tensor's axes come to be ours: another order of axes, or parts of one. */
export type LayoutChange =
  /** [in, out] to [out, in]: the Conv1D of GPT-2, the kernels of Keras. */
  | 'transpose'
  /** [out, in, ...window] to [out, ...window, in]: convolutions of PyTorch; of transposed ones, [in, out, ...window] to [in, ...window, out]. */
  | 'channelsLast'
  /** The columns of a dense layer behind a flatten: from the order [channels, ...sizes] to [...sizes, channels]. */
  | { readonly flatten: readonly [channels: number, ...sizes: number[]] };

/** Order of the axes after a change, or undefined for what keeps them. */
function permutation(shape: readonly number[], change: LayoutChange | undefined, name: string): number[] | undefined {
  if (change === undefined || typeof change === 'object') return undefined;
  const axes = shape.map((_, axis) => axis);
  if (change === 'transpose' && axes.length === 2) return [1, 0];
  if (change === 'channelsLast' && axes.length >= 3) return [0, ...axes.slice(2), 1];
  throw new PolluxError('SHAPE_MISMATCH', `${name}: has shape [${shape.join(', ')}], which '${change}' does not change.`);
}

/** A tensor with its axes changed. */
export function changed(array: HostArray, change: LayoutChange | undefined, name: string): HostArray {
  if (typeof change === 'object') return flattened(array, change.flatten, name);
  const order = permutation(array.shape, change, name);
  return order ? permuted(array, order) : array;
}

function flattened(array: HostArray, [channels, ...sizes]: readonly number[], name: string): HostArray {
  const [rows, columns] = array.shape as readonly [number, number];
  const places = sizes.reduce((product, size) => product * size, 1);
  if (array.shape.length !== 2 || columns !== channels! * places)
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${name}: has shape [${array.shape.join(', ')}]; a flatten of [${[channels, ...sizes].join(', ')}] makes ${channels! * places} columns.`,
    );
  const parts = permuted({ ...array, shape: [rows, channels!, places] }, [0, 2, 1]);
  return { ...parts, shape: [rows, columns] };
}

/** Axis i of the result is axis `order[i]` of the array. */
function permuted({ data, shape, dtype }: HostArray, order: readonly number[]): HostArray {
  const target = order.map((axis) => shape[axis]!);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const steps = order.map((axis) => strides[axis]!);
  const out = typedArray(dtype, data.length) as typeof data;
  const place = target.map(() => 0);
  let from = 0;
  for (let i = 0; i < data.length; i++) {
    out[i] = data[from]!;
    for (let axis = target.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++place[axis]! < target[axis]!) break;
      from -= steps[axis]! * target[axis]!;
      place[axis] = 0;
    }
  }
  return { data: out, shape: target, dtype };
}
