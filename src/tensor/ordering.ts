import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import * as ops from '../ops/index.js';
import { sizeOf } from '../graph/op.js';
import { masked } from './functions.js';
import { Indexing } from './indexing.js';
import type { Reduce, Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

/** Elements along an axis, and the int32 indices that they have there. */
export interface Ranked<S extends Shape, D extends DType> {
  values: Tensor<S, D>;
  indices: Tensor<S, 'int32'>;
}

interface DirectionOptions {
  /** From the last element to the first. Default false. */
  reverse?: boolean;
}

const ranked = ({ values, indices }: ops.Ranked): Ranked<Shape, DType> => ({ values: wrap(values), indices: wrap(indices) });

function reverseOf(op: string, options: DirectionOptions | undefined): boolean {
  checkOptions(op, options, ['reverse']);
  return options?.reverse ?? false;
}

const cumulative = (op: string, options: ops.CumulativeOptions | undefined): ops.CumulativeOptions | undefined => {
  checkOptions(op, options, ['reverse', 'exclusive']);
  return options;
};

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
/** Running results, orders and counts. NaN is greater than every number; equal elements keep their order. */
export abstract class Ordering extends Indexing {
  /** The sum of the elements up to each one along an axis (default the last). `exclusive` leaves out the element itself. */
  cumulativeSum<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: ops.CumulativeOptions): Tensor<S, D> {
    return wrap(ops.cumulativeSum(this.value, axis, cumulative('cumulativeSum', options)));
  }
  /** The product of the elements up to each one along an axis (default the last); its gradient is exact among zeros too. */
  cumulativeProduct<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: ops.CumulativeOptions): Tensor<S, D> {
    return wrap(ops.cumulativeProduct(this.value, axis, cumulative('cumulativeProduct', options)));
  }
  /** The greatest element up to each one along an axis, and its index; of equals the last, as in PyTorch. */
  cumulativeMax<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: DirectionOptions): Ranked<S, D> {
    const [values, indices] = ops.cumulativeMax(this.value, axis, reverseOf('cumulativeMax', options));
    return { values: wrap(values!), indices: wrap(indices!) };
  }
  /** The smallest element up to each one along an axis, and its index; of equals the last. */
  cumulativeMin<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: DirectionOptions): Ranked<S, D> {
    const [values, indices] = ops.cumulativeMin(this.value, axis, reverseOf('cumulativeMin', options));
    return { values: wrap(values!), indices: wrap(indices!) };
  }
  /** ln of the sum of e^x up to each element along an axis (default the last), without overflow. */
  logCumulativeSumExp<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: DirectionOptions): Tensor<S, D> {
    return wrap(ops.logCumulativeSumExp(this.value, axis, reverseOf('logCumulativeSumExp', options)));
  }
  /** Differences of neighbours along an axis (default the last), `order` times. */
  diff<D extends DType>(this: Tensor<any, D>, axis = -1, order = 1): Tensor<any, D> {
    return wrap(ops.diff(this.value, axis, order));
  }

  /** Sorted along an axis (default the last), with the indices that the elements had; stable. */
  sort<S extends Shape, D extends DType>(this: Tensor<S, D>, axis = -1, options?: { descending?: boolean }): Ranked<S, D> {
    checkOptions('sort', options, ['descending']);
    return ranked(ops.sort(this.value, axis, options?.descending)) as Ranked<S, D>;
  }
  /** The indices (int32) that sort an axis (default the last); stable. */
  argsort<S extends Shape>(this: Tensor<S>, axis = -1, options?: { descending?: boolean }): Tensor<S, 'int32'> {
    checkOptions('argsort', options, ['descending']);
    return wrap(ops.argsort(this.value, axis, options?.descending));
  }
  /** The k largest (or smallest) elements along an axis (default the last), in order, with their indices; of equals the first. */
  topK<D extends DType>(this: Tensor<any, D>, k: number, axis = -1, options?: { largest?: boolean }): Ranked<any, D> {
    checkOptions('topK', options, ['largest']);
    return ranked(ops.topK(this.value, k, axis, options?.largest)) as Ranked<any, D>;
  }
  /** The k-th smallest element along an axis (default the last), k from 1, and its index. */
  kthValue<S extends Shape, D extends DType, const A extends number = -1>(
    this: Tensor<S, D>,
    k: number,
    axis?: A,
  ): Ranked<Reduce<S, A, false>, D> {
    return ranked(ops.kthValue(this.value, k, axis)) as Ranked<any, D>;
  }
  /** The lower of the middle elements along an axis (default: of all). NaN where there is one. */
  median<D extends DType>(this: Tensor<any, D>, axis?: number): Tensor<any, D> {
    return wrap(ops.median(this.value, axis));
  }
  /**
   * The quantile `q` in [0, 1] along an axis (default the last); several make a first axis. Between two elements: `linear`
   * (default), `lower`, `higher`, `nearest` or `midpoint`.
   */
  quantile(
    this: Tensor<any, 'float32'>,
    q: number | readonly number[],
    axis = -1,
    options?: { interpolation?: ops.Interpolation },
  ): Tensor<any, 'float32'> {
    checkOptions('quantile', options, ['interpolation']);
    return wrap(ops.quantile(this.value, q, axis, options?.interpolation));
  }
  /** The most frequent element along an axis (default the last), of several the smallest, and the index of its last occurrence. */
  mode<S extends Shape, D extends DType, const A extends number = -1>(this: Tensor<S, D>, axis?: A): Ranked<Reduce<S, A, false>, D> {
    return ranked(ops.mode(this.value, axis)) as Ranked<any, D>;
  }
  /** How many elements are not 0 (int32), over an axis, several, or (default) all. */
  countNonzero(axes?: number | readonly number[]): Tensor<any, 'int32'> {
    return wrap(ops.countNonzero(this.value, axes));
  }

  /**
   * Where each of `values` would go into this sorted tensor (int32): before its equals, or with `right` behind them. This tensor is
   * one row for all values, or has their leading axes.
   */
  searchSorted<S extends Shape, D extends DType>(
    this: Tensor<any, D>,
    values: Tensor<S, D>,
    options?: { right?: boolean },
  ): Tensor<S, 'int32'> {
    checkOptions('searchSorted', options, ['right']);
    return wrap(ops.searchSorted(this.value, tensorValue(values, 'searchSorted'), options?.right));
  }
  /** The bucket (int32) of each element between ascending boundaries [n]: 0 below the first; `right`: an equal one goes up. */
  bucketize<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    boundaries: Tensor<any, D>,
    options?: { right?: boolean },
  ): Tensor<S, 'int32'> {
    checkOptions('bucketize', options, ['right']);
    return wrap(ops.searchSorted(tensorValue(boundaries, 'bucketize'), this.value, options?.right));
  }

  /**
   * The different elements in ascending order, each with its count, and the place of each element of this tensor among them.
   * Awaited, since the size depends on the data; `uniqueWithin` stays in the graph.
   */
  async unique<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
  ): Promise<{ values: Tensor<readonly [number], D>; inverse: Tensor<S, 'int32'>; counts: Tensor<readonly [number], 'int32'> }> {
    const { values, inverse, counts, count } = this.uniqueWithin(sizeOf(this.shape));
    const found = Number((await count.data())[0]);
    return { values: values.slice([0], [found]), inverse, counts: counts.slice([0], [found]) };
  }
  /** `unique` in room for `capacity` elements: zeros behind them, and how many there are (more than fit, if some were dropped). */
  uniqueWithin<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    capacity: number,
  ): {
    values: Tensor<readonly [number], D>;
    inverse: Tensor<S, 'int32'>;
    counts: Tensor<readonly [number], 'int32'>;
    count: Tensor<readonly [], 'int32'>;
  } {
    const { values, inverse, counts, count } = ops.unique(this.value, capacity);
    return { values: wrap(values), inverse: wrap(inverse), counts: wrap(counts), count: wrap(count) };
  }
  /** The indices [count, rank] (int32) of the elements that are not 0, in row-major order. Awaited; see `nonzeroWithin`. */
  async nonzero(): Promise<Tensor<readonly [number, number], 'int32'>> {
    const { indices, count } = this.nonzeroWithin(sizeOf(this.shape));
    return indices.slice([0], [Number((await count.data())[0])]);
  }
  /** `nonzero` in room for `capacity` rows: rows of `fill` (default -1) behind them, and how many there are. */
  nonzeroWithin(
    capacity: number,
    options?: { fill?: number },
  ): { indices: Tensor<readonly [number, number], 'int32'>; count: Tensor<readonly [], 'int32'> } {
    checkOptions('nonzeroWithin', options, ['fill']);
    const { indices, count } = ops.nonzero(this.value, capacity, options?.fill);
    return { indices: wrap(indices), count: wrap(count) };
  }
  /** The elements where the mask is true, as a vector. Awaited, since the size depends on the data. */
  async maskedSelect<D extends DType>(this: Tensor<any, D>, mask: Tensor<Shape, 'bool'>): Promise<Tensor<readonly [number], D>> {
    return masked(this, mask);
  }

  /** How often each of 0, 1, ..., length - 1 occurs (int32), or the sum of its weights. A number outside fails the run. */
  bincount(this: Tensor<any, 'int32' | 'int64'>, length: number): Tensor<readonly [number], 'int32'>;
  bincount<D extends DType>(
    this: Tensor<any, 'int32' | 'int64'>,
    length: number,
    options: { weights: Tensor<any, D> },
  ): Tensor<readonly [number], D>;
  bincount(this: Tensor, length: number, options?: { weights: Tensor }): Tensor {
    checkOptions('bincount', options, ['weights']);
    return wrap(ops.bincount(this.value, length, options && tensorValue(options.weights, 'bincount')));
  }
  /**
   * Counts (float32) of the elements in bins: a number of equal ones over `range` (default: the extremes of the data), or ascending
   * edges [bins + 1]. The last bin holds its upper edge; elements outside, and NaN, count nowhere.
   */
  histogram(
    this: Tensor<any, 'float32'>,
    bins: number | Tensor<any, 'float32'>,
    options?: { range?: readonly [low: number, high: number]; weights?: Tensor<any, 'float32'> },
  ): { counts: Tensor<readonly [number], 'float32'>; edges: Tensor<readonly [number], 'float32'> } {
    checkOptions('histogram', options, ['range', 'weights']);
    const weights = options?.weights && tensorValue(options.weights, 'histogram');
    if (typeof bins === 'number') {
      const { counts, edges } = ops.histogram(this.value, bins, options?.range, weights);
      return { counts: wrap(counts), edges: wrap(edges) };
    }
    return { counts: wrap(ops.histogramBetween(this.value, tensorValue(bins, 'histogram'), weights)), edges: bins };
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end
