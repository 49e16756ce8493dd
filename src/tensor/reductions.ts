import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { Arithmetic } from './arithmetic.js';
import type { Reduce, Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { wrap } from './wrap.js';

export interface ReduceOptions<K extends boolean = boolean> {
  /** Keep reduced axes with size 1. Default false. */
  keepDims?: K;
}

type Axes = number | readonly number[] | undefined;
type Builder = (x: Value, axes?: Axes, keepDims?: boolean) => Value;

function keepDims(options: ReduceOptions | undefined, more: readonly string[] = []): boolean {
  checkOptions('reduction', options, ['keepDims', ...more]);
  return options?.keepDims ?? false;
}

const reduce = (op: Builder, x: Tensor, axes: Axes, options?: ReduceOptions): Tensor => wrap(op(x.value, axes, keepDims(options)));

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
/** Reductions over one axis, several, or (without an argument) all. Negative axes count from the end. */
export abstract class Reductions extends Arithmetic {
  /** Sum, added in fixed pairwise chunks. Integers keep their dtype and wrap. */
  sum<D extends DType>(this: Tensor<Shape, D>): Tensor<readonly [], D>;
  sum<S extends Shape, D extends DType, const A extends number, K extends boolean = false>(
    this: Tensor<S, D>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, D>;
  sum<D extends DType>(this: Tensor<any, D>, axes: readonly number[] | undefined, options?: ReduceOptions): Tensor<any, D>;
  sum(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.sum, this, axes, options);
  }

  /** Arithmetic mean, of float32. */
  mean<D extends DType>(this: Tensor<Shape, D>): Tensor<readonly [], D>;
  mean<S extends Shape, D extends DType, const A extends number, K extends boolean = false>(
    this: Tensor<S, D>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, D>;
  mean<D extends DType>(this: Tensor<any, D>, axes: readonly number[] | undefined, options?: ReduceOptions): Tensor<any, D>;
  mean(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.mean, this, axes, options);
  }

  /** Product; its gradient is exact among zeros. */
  prod<D extends DType>(this: Tensor<Shape, D>): Tensor<readonly [], D>;
  prod<S extends Shape, D extends DType, const A extends number, K extends boolean = false>(
    this: Tensor<S, D>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, D>;
  prod<D extends DType>(this: Tensor<any, D>, axes: readonly number[] | undefined, options?: ReduceOptions): Tensor<any, D>;
  prod(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.prod, this, axes, options);
  }

  /** Largest; NaN wins. The gradient is shared equally among equals. */
  max<D extends DType>(this: Tensor<Shape, D>): Tensor<readonly [], D>;
  max<S extends Shape, D extends DType, const A extends number, K extends boolean = false>(
    this: Tensor<S, D>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, D>;
  max<D extends DType>(this: Tensor<any, D>, axes: readonly number[] | undefined, options?: ReduceOptions): Tensor<any, D>;
  max(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.max, this, axes, options);
  }

  /** Smallest; NaN wins. The gradient is shared equally among equals. */
  min<D extends DType>(this: Tensor<Shape, D>): Tensor<readonly [], D>;
  min<S extends Shape, D extends DType, const A extends number, K extends boolean = false>(
    this: Tensor<S, D>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, D>;
  min<D extends DType>(this: Tensor<any, D>, axes: readonly number[] | undefined, options?: ReduceOptions): Tensor<any, D>;
  min(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.min, this, axes, options);
  }

  /** Is one of them true? Of bool. */
  any(this: Tensor<Shape, 'bool'>): Tensor<readonly [], 'bool'>;
  any<S extends Shape, const A extends number, K extends boolean = false>(
    this: Tensor<S, 'bool'>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, 'bool'>;
  any(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.any, this, axes, options);
  }

  /** Are all of them true? Of bool. */
  all(this: Tensor<Shape, 'bool'>): Tensor<readonly [], 'bool'>;
  all<S extends Shape, const A extends number, K extends boolean = false>(
    this: Tensor<S, 'bool'>,
    axis: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, 'bool'>;
  all(this: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
    return reduce(ops.all, this, axes, options);
  }

  /** Index (int32) of the largest element along an axis (default the last); the first of equals; NaN wins. */
  argmax<S extends Shape, const A extends number = -1, K extends boolean = false>(
    this: Tensor<S>,
    axis?: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, 'int32'>;
  argmax(this: Tensor, axis = -1, options?: ReduceOptions): Tensor {
    return wrap(ops.argmax(this.value, axis, keepDims(options)));
  }

  /** Index (int32) of the smallest element along an axis (default the last). */
  argmin<S extends Shape, const A extends number = -1, K extends boolean = false>(
    this: Tensor<S>,
    axis?: A,
    options?: ReduceOptions<K>,
  ): Tensor<Reduce<S, A, K>, 'int32'>;
  argmin(this: Tensor, axis = -1, options?: ReduceOptions): Tensor {
    return wrap(ops.argmin(this.value, axis, keepDims(options)));
  }

  /** Mean squared deviation; divisor n - correction (default 1, as PyTorch). */
  variance<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    axes?: Axes,
    options?: ReduceOptions & { correction?: number },
  ): Tensor<any, D> {
    return wrap(ops.variance(this.value, axes, keepDims(options, ['correction']), options?.correction ?? 1));
  }
  /** Square root of `variance`. */
  std<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    axes?: Axes,
    options?: ReduceOptions & { correction?: number },
  ): Tensor<any, D> {
    return wrap(ops.std(this.value, axes, keepDims(options, ['correction']), options?.correction ?? 1));
  }
  /** The vector norm of order `order`: 2 (default, Euclidean), 1, plus or minus Infinity, 0, or any p. Its gradient at 0 is 0. */
  norm<S extends Shape, D extends DType>(this: Tensor<S, D>, axes?: Axes, options?: ReduceOptions & { order?: number }): Tensor<any, D> {
    return wrap(ops.norm(this.value, axes, keepDims(options, ['order']), options?.order));
  }
  /** log(sum(exp(x))), without overflow. */
  logSumExp<S extends Shape, D extends DType>(this: Tensor<S, D>, axes?: Axes, options?: ReduceOptions): Tensor<any, D> {
    return reduce(ops.logSumExp, this, axes, options);
  }

  /** exp(x) / sum(exp(x)) along an axis (default the last). */
  softmax<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1): Tensor<S, D> {
    return wrap(ops.softmax(this.value, axis));
  }
  /** log(softmax(x)), without overflow. */
  logSoftmax<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1): Tensor<S, D> {
    return wrap(ops.logSoftmax(this.value, axis));
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end
