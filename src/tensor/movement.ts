import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { sizeOf } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { Reductions } from './reductions.js';
import type { CanMatMul, MatMul, Permute, Reshape, SameType, Shape, Swap } from './shapes.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
/** Methods that move elements, and the matrix product. Most of the moves are views: they cost nothing in a plan. */
export abstract class Movement extends Reductions {
  /** Matrix product over the last two axes; leading axes broadcast. A rank-1 operand is a row or a column. */
  matmul<S extends Shape, D extends DType, T extends Shape, E extends DType>(
    this: Tensor<S, D>,
    b: Tensor<T, E> & CanMatMul<S, T> & SameType<D, E>,
  ): Tensor<MatMul<S, T>, D & E>;
  matmul(this: Tensor, b: Tensor): Tensor {
    return wrap(ops.matmul(this.value, tensorValue(b, 'matmul')));
  }

  /** The same elements in another shape; one size may be -1. */
  reshape<const N extends Shape, D extends DType>(this: Tensor<Shape, D>, shape: N): Tensor<Reshape<N>, D>;
  reshape(this: Tensor, shape: Shape): Tensor {
    return wrap(ops.reshape(this.value, shape));
  }

  /** Axes from `start` on (default 1) become one: [N, H, W, C] to [N, H*W*C]. */
  flatten<S extends Shape, D extends DType>(this: Tensor<S, D>, start?: number): Tensor<readonly [S[0], number], D>;
  flatten(this: Tensor, start = 1): Tensor {
    const kept: number[] = this.shape.slice(0, start);
    return this.reshape([...kept, sizeOf(this.shape.slice(start))]);
  }

  /** Axes in another order; without an argument the last two are swapped. */
  transpose<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<Swap<S>, D>;
  transpose<S extends Shape, D extends DType, const P extends Shape>(this: Tensor<S, D>, axes: P): Tensor<Permute<S, P>, D>;
  transpose(this: Tensor, axes?: Shape): Tensor {
    const { rank } = this;
    if (!axes && rank < 2)
      throw new PolluxError('SHAPE_MISMATCH', `transpose: needs at least two axes, got shape [${this.shape.join(', ')}].`);
    const order = axes ?? [...this.shape.keys()].map((i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
    return wrap(ops.transpose(this.value, order));
  }

  /** Axes of size 1 repeated to the sizes of `shape`, aligned from the right. */
  broadcastTo<const N extends Shape, D extends DType>(this: Tensor<Shape, D>, shape: N): Tensor<N, D>;
  broadcastTo(this: Tensor, shape: Shape): Tensor {
    return wrap(ops.broadcast(this.value, shape));
  }

  /** A new axis of size 1. */
  expandDims<D extends DType>(this: Tensor<any, D>, axis: number): Tensor<any, D> {
    return wrap(ops.expandDims(this.value, axis));
  }
  /** Drops axes of size 1: the given ones, or all. */
  squeeze<D extends DType>(this: Tensor<any, D>, axes?: number | readonly number[]): Tensor<any, D> {
    return wrap(ops.squeeze(this.value, axes));
  }
  /** Reverses the order along axes. */
  flip<S extends Shape, D extends DType>(this: Tensor<S, D>, axes: number | readonly number[]): Tensor<S, D> {
    return wrap(ops.flip(this.value, axes));
  }
  /** Repeats the whole tensor `counts` times along each axis. */
  tile<D extends DType>(this: Tensor<any, D>, counts: readonly number[]): Tensor<any, D> {
    return wrap(ops.tile(this.value, counts));
  }
  /** Adds [before, after] elements along each axis: `value`, or what the border says ('reflect', 'replicate', 'circular'). */
  pad<D extends DType>(
    this: Tensor<any, D>,
    widths: readonly (readonly [before: number, after: number])[],
    value: number | ops.PadMode = 0,
  ): Tensor<any, D> {
    return wrap(
      ops.pad(
        this.value,
        widths.map((w) => w[0]),
        widths.map((w) => w[1]),
        value,
      ),
    );
  }
  /** The box [start, stop) with steps; negative bounds count from the end. */
  slice<D extends DType>(
    this: Tensor<any, D>,
    start: readonly number[],
    stop: readonly number[],
    step?: readonly number[],
  ): Tensor<any, D> {
    return wrap(ops.slice(this.value, start, stop, step));
  }
  /** Parts along an axis: a number of equal ones, or their sizes. */
  split<D extends DType>(this: Tensor<any, D>, parts: number | readonly number[], axis = 0): Tensor<any, D>[] {
    return ops.split(this.value, parts, axis).map((part) => wrap(part));
  }
  /** The same value with a gradient of zero. */
  detach<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return wrap(ops.detach(this.value));
  }

  /** The same tensor with a shape that the compiler knows, checked at run time; -1 stands for any size. */
  expect<const N extends Shape, D extends DType>(this: Tensor<any, D>, shape: N): Tensor<Reshape<N>, D>;
  expect(this: Tensor, shape: Shape): Tensor {
    if (shape.length === this.rank && shape.every((size, i) => size === -1 || size === this.shape[i])) return this;
    throw new PolluxError('SHAPE_MISMATCH', `expect: the tensor has shape [${this.shape.join(', ')}], not [${shape.join(', ')}].`);
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end
