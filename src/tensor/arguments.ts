import type { DType } from '../graph/dtype.js';
import { TensorBase } from './base.js';
import { type HostData, hostArray } from './create.js';
import type { TypedArray } from './host.js';
import type { Tensor } from './tensor.js';
import { mapTree, visitTree } from './tree.js';

/** What a compiled function takes where the traced one takes a tensor. */
export type ArgumentOf<T> =
  T extends Tensor<infer S, infer D>
    ? Tensor<S, D> | HostData | (readonly [] extends S ? number : never)
    : T extends readonly unknown[] | { readonly [key: string]: unknown }
      ? { [K in keyof T]: ArgumentOf<T[K]> }
      : T;

/** One tensor among the arguments of a call. */
export interface Argument {
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The tensor that was passed, or host data over the caller's memory. */
  readonly source: TensorBase | TypedArray;
}

const isHostData = (x: unknown): x is HostData =>
  typeof x === 'object' && x !== null && 'data' in x && 'shape' in x && ArrayBuffer.isView((x as HostData).data);

const isLeaf = (x: unknown): boolean => x instanceof TensorBase || isHostData(x);

/** The tensors among the arguments of a call, checked. Throws TypeError for what is neither tensor, host data nor number. */
export function readArguments(args: readonly unknown[]): Argument[] {
  const found: Argument[] = [];
  visitTree(
    args,
    (x, position) => {
      const path = `argument ${position}`;
      if (x instanceof TensorBase) found.push({ path, shape: x.shape, dtype: x.dtype, source: x });
      else if (isHostData(x)) {
        const { array, dtype } = hostArray(x, path);
        found.push({ path, shape: [...x.shape], dtype, source: array });
      } else if (typeof x === 'number') found.push({ path, shape: [], dtype: 'float32', source: Float32Array.of(x) });
      else {
        const what = x instanceof Promise ? 'a promise (await it first)' : x === null ? 'null' : typeof x;
        throw new TypeError(`${path} is ${what}. A step takes tensors, { data, shape, dtype? }, numbers, and arrays or objects of them.`);
      }
    },
    isLeaf,
  );
  return found;
}

/** The arguments as the traced function sees them: each leaf replaced by a tensor. */
export function replaceArguments(args: readonly unknown[], tensors: readonly Tensor[]): unknown[] {
  let next = 0;
  return mapTree(args, () => tensors[next++]!, isLeaf) as unknown[];
}

/** Copies host data that the caller may change before the step starts. */
export const ownArguments = (args: readonly Argument[]): Argument[] =>
  args.map((argument) =>
    argument.source instanceof TensorBase ? argument : { ...argument, source: argument.source.slice() as TypedArray },
  );
