import type { DType } from '../graph/dtype.js';
import { PolluxError, checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { Ordering } from './ordering.js';
import type { Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { operand, tensorValue, wrap } from './wrap.js';

type Indices = Tensor<Shape, 'int32' | 'int64'>;

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
/** Rearrangements, parts of matrices, and writing by index. */
export abstract class Structural extends Ordering {
  /** Moves elements along axes, those that leave coming in at the other end; without axes along the flat order. */
  roll<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    shifts: number | readonly number[],
    axes?: number | readonly number[],
  ): Tensor<S, D> {
    return wrap(ops.roll(this.value, shifts, axes));
  }
  /** The elements on and below a diagonal of the last two axes, 0 above it. */
  tril<S extends Shape, D extends DType>(this: Tensor<S, D>, diagonal = 0): Tensor<S, D> {
    return wrap(ops.tril(this.value, diagonal));
  }
  /** The elements on and above a diagonal of the last two axes, 0 below it. */
  triu<S extends Shape, D extends DType>(this: Tensor<S, D>, diagonal = 0): Tensor<S, D> {
    return wrap(ops.triu(this.value, diagonal));
  }
  /** The diagonal of two axes (default the first two), `offset` columns to the right, as a new last axis. */
  diagonal<D extends DType>(this: Tensor<any, D>, offset = 0, first = 0, second = 1): Tensor<any, D> {
    return wrap(ops.diagonal(this.value, offset, first, second));
  }
  /** A vector as the diagonal of a matrix, or the diagonal of a matrix. */
  diag<D extends DType>(this: Tensor<any, D>, offset = 0): Tensor<any, D> {
    return wrap(ops.diag(this.value, offset));
  }
  /** Square matrices with the last axis on a diagonal, 0 elsewhere. */
  diagonalEmbed<D extends DType>(this: Tensor<any, D>, offset = 0): Tensor<any, D> {
    return wrap(ops.diagonalEmbed(this.value, offset));
  }
  /** The sum of the diagonal of a matrix. */
  trace<D extends DType>(this: Tensor<any, D>): Tensor<readonly [], D> {
    return wrap(ops.trace(this.value));
  }

  /** The whole repeated `counts` times along each axis, as PyTorch's `repeat`; the same as `tile`. */
  repeat<D extends DType>(this: Tensor<any, D>, counts: readonly number[]): Tensor<any, D> {
    return wrap(ops.tile(this.value, counts));
  }
  /** Each element `count` times in a row along an axis (default 0). Counts as data [n] need their sum as `total`. */
  repeatInterleave<D extends DType>(this: Tensor<any, D>, count: number | Indices, axis = 0, options?: { total: number }): Tensor<any, D> {
    checkOptions('repeatInterleave', options, ['total']);
    const counts = typeof count === 'number' ? count : tensorValue(count, 'repeatInterleave');
    return wrap(ops.repeatInterleave(this.value, counts, axis, options?.total));
  }
  /** Turns the plane of two axes (default the first two) by quarter turns, from the first axis towards the second. */
  rot90<D extends DType>(this: Tensor<any, D>, times = 1, axes: readonly [number, number] = [0, 1]): Tensor<any, D> {
    return wrap(ops.rot90(this.value, times, axes));
  }
  /** The slices of an axis (default 0), which goes. */
  unbind<D extends DType>(this: Tensor<any, D>, axis = 0): Tensor<any, D>[] {
    return ops.unbind(this.value, axis).map((part) => wrap(part));
  }
  /** At most `count` parts of equal size along an axis (default 0), the last perhaps smaller. */
  chunk<D extends DType>(this: Tensor<any, D>, count: number, axis = 0): Tensor<any, D>[] {
    return ops.chunk(this.value, count, axis).map((part) => wrap(part));
  }
  /** Moves axes to other places; the rest keep their order. */
  moveAxis<D extends DType>(this: Tensor<any, D>, from: number | readonly number[], to: number | readonly number[]): Tensor<any, D> {
    return wrap(ops.moveAxis(this.value, from, to));
  }
  /** Exchanges two axes. */
  swapAxes<D extends DType>(this: Tensor<any, D>, first: number, second: number): Tensor<any, D> {
    return wrap(ops.swapAxes(this.value, first, second));
  }

  /** The sum of the products of two vectors. */
  dot<D extends DType>(this: Tensor<any, D>, b: Tensor<any, D>): Tensor<readonly [], D> {
    return wrap(ops.dot(this.value, tensorValue(b, 'dot')));
  }
  /** The product of each element of this vector [m] with each of another [n]: [m, n]. */
  outer<D extends DType>(this: Tensor<any, D>, b: Tensor<any, D>): Tensor<readonly [number, number], D> {
    return wrap(ops.outer(this.value, tensorValue(b, 'outer')));
  }
  /** The Kronecker product: each element times all of `b`, in blocks. */
  kron<D extends DType>(this: Tensor<any, D>, b: Tensor<any, D>): Tensor<any, D> {
    return wrap(ops.kron(this.value, tensorValue(b, 'kron')));
  }
  /** The vector product along an axis of size 3 (default the last). */
  cross<D extends DType>(this: Tensor<any, D>, b: Tensor<any, D>, axis = -1): Tensor<any, D> {
    return wrap(ops.cross(this.value, tensorValue(b, 'cross'), axis));
  }

  /** This tensor with `value` where the mask, which broadcasts, is true. */
  maskedFill<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    mask: Tensor<any, 'bool'>,
    value: number | Tensor<any, D>,
  ): Tensor<S, D> {
    const { value: x } = this;
    return wrap(ops.where(tensorValue(mask, 'maskedFill'), operand(value, x.dtype, 'maskedFill'), x)) as Tensor<S, D>;
  }
  /** The slices of an axis (default 0) that a vector of indices names. `gather` takes indices of any shape. */
  indexSelect<D extends DType>(this: Tensor<any, D>, indices: Indices, axis = 0): Tensor<any, D> {
    if (indices.shape.length !== 1) {
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `indexSelect: the indices have shape [${indices.shape.join(', ')}], but must be a vector; gather() takes others.`,
      );
    }
    return wrap(ops.gather(this.value, tensorValue(indices, 'indexSelect'), axis));
  }
  /**
   * This tensor with `updates` at the places that `takeAlong` would read with these indices. `reduce`: `set` (default; of several
   * for one place the last stays), `sum`, `mean`, `maximum` or `minimum`; `includeSelf` false leaves out what stood there.
   */
  scatter<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    indices: Indices,
    updates: number | Tensor<any, D>,
    axis: number,
    options?: { reduce?: ops.ScatterRule; includeSelf?: boolean },
  ): Tensor<S, D> {
    checkOptions('scatter', options, ['reduce', 'includeSelf']);
    const x = this.value;
    const from = operand(updates, x.dtype, 'scatter');
    return wrap(ops.scatter(x, tensorValue(indices, 'scatter'), from, axis, options?.reduce, options?.includeSelf));
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end
