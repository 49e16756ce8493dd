import type { DType } from '../graph/dtype.js';
import * as ops from '../ops/index.js';
import { Movement } from './movement.js';
import { type Index, Selection } from './selection.js';
import type { Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
/** Reading and writing parts of a tensor. Updates are functional: they return a new tensor. */
export abstract class Indexing extends Movement {
  /** Names elements: `x.at(0).get()`, `x.at(':', range(1, 3)).set(0)`, `x.at(rows).add(y)`, `x.at(mask).set(-1)`. */
  at(...indices: Index[]): Selection {
    return new Selection(this.value, indices);
  }
  /** Short for `at(...).get()`. */
  get<D extends DType>(this: Tensor<any, D>, ...indices: Index[]): Tensor<any, D> {
    return this.at(...indices).get();
  }
  /** Rows at integer indices: shape[:axis] + indices.shape + shape[axis+1:]. An index outside raises INDEX_OUT_OF_RANGE. */
  gather<D extends DType>(this: Tensor<any, D>, indices: Tensor<Shape, 'int32' | 'int64'>, axis = 0): Tensor<any, D> {
    return wrap(ops.gather(this.value, tensorValue(indices, 'gather'), axis));
  }
  /** One element for each index along an axis; the other axes pair up (NumPy's take_along_axis). */
  takeAlong<D extends DType>(this: Tensor<any, D>, indices: Tensor<Shape, 'int32' | 'int64'>, axis: number): Tensor<any, D> {
    return wrap(ops.takeAlong(this.value, tensorValue(indices, 'takeAlong'), axis));
  }
  /** This tensor with `updates` added at `indices` along an axis; repeated indices add up, in order. */
  scatterAdd<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    indices: Tensor<Shape, 'int32' | 'int64'>,
    updates: Tensor<any, D>,
    axis = 0,
  ): Tensor<S, D> {
    return wrap(ops.scatterAdd(this.value, tensorValue(indices, 'scatterAdd'), tensorValue(updates, 'scatterAdd'), axis));
  }
  /** A window of fixed size whose start is data (int32 or int64 [rank]); the start is clamped so that the window fits. */
  dynamicSlice<const N extends Shape, D extends DType>(
    this: Tensor<any, D>,
    start: Tensor<Shape, 'int32' | 'int64'>,
    size: N,
  ): Tensor<N, D>;
  dynamicSlice(this: Tensor, start: Tensor, size: Shape): Tensor {
    return wrap(ops.dynamicSlice(this.value, tensorValue(start, 'dynamicSlice'), size));
  }
  /** This tensor with a window replaced; the start is data, clamped so that the window fits. */
  dynamicUpdateSlice<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    update: Tensor<any, D>,
    start: Tensor<Shape, 'int32' | 'int64'>,
  ): Tensor<S, D> {
    return wrap(ops.dynamicUpdateSlice(this.value, tensorValue(update, 'dynamicUpdateSlice'), tensorValue(start, 'dynamicUpdateSlice')));
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end
