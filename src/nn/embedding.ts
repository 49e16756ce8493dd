import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type Initializer, Parameter, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { normal } from './initializers.js';
import { Module } from './module.js';

export interface EmbeddingOptions {
  /** The id of the padding: its row starts at zero and gets no gradient. Negative ones count from the end. Default: none. */
  paddingIndex?: number;
  /** First value of the weight. Default: normal with standard deviation 1, as PyTorch. */
  weightInit?: Initializer;
}

/** @internal The place of the padding's row, or -1 for none. */
export function paddingOf(layer: string, paddingIndex: number | undefined, count: number): number {
  if (paddingIndex === undefined) return -1;
  if (!Number.isInteger(paddingIndex) || paddingIndex < -count || paddingIndex >= count)
    throw new RangeError(`${layer}: paddingIndex ${paddingIndex} lies outside the ${count} rows.`);
  return paddingIndex < 0 ? paddingIndex + count : paddingIndex;
}

/** @internal An initialiser whose row of the padding is zero. */
export const padded =
  (init: Initializer, paddingIndex: number): Initializer =>
  (shape, source) => {
    const value = init(shape, source);
    return paddingIndex < 0 ? value : ops.where(ops.equal(ops.iota(shape, 0), paddingIndex), 0, value);
  };

/**
 * A learned vector for each id of a vocabulary: ids (int32 or int64) of any shape to [...ids, size]. `weight` is [count, size].
 * An id outside [0, count) fails the run with INDEX_OUT_OF_RANGE, which names id, position and layer.
 */
export class Embedding<N extends number = number> extends Module {
  declare readonly layerName?: 'Embedding';
  readonly weight: Parameter<readonly [number, N], 'float32'>;
  /** The row without gradient; -1 for none. */
  readonly paddingIndex: number;

  constructor(
    readonly count: number,
    readonly size: N,
    options: EmbeddingOptions = {},
  ) {
    super();
    requireSize('Embedding', 'count', count);
    requireSize('Embedding', 'size', size);
    checkOptions('Embedding', options, ['paddingIndex', 'weightInit']);
    this.paddingIndex = paddingOf('Embedding', options.paddingIndex, count);
    this.weight = new Parameter([count, size] as const, padded(options.weightInit ?? normal(1), this.paddingIndex));
  }

  forward<S extends Shape>(ids: Tensor<S, 'int32' | 'int64'>): Tensor<readonly [...S, N], 'float32'> {
    return wrap(ops.embedding(this.weight.value, ids.value, this.paddingIndex));
  }
}

export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** How the rows of a bag become one. Default 'mean', as PyTorch. */
  mode?: 'sum' | 'mean' | 'max';
}

/** What comes with the ids of bags. */
export interface BagOptions {
  /** Where each bag begins, if ids are one list; from 0, not descending. Without it ids are [bags, length]. */
  offsets?: Tensor<Shape, 'int32' | 'int64'>;
  /** Factors of the rows, of the ids' shape; with mode 'sum'. */
  weights?: Tensor<Shape, 'float32'>;
}

/**
 * The sum, mean or maximum of the vectors of each bag of ids: [bags, length], or a list with offsets, to [bags, size]. The
 * padding counts as absent; an empty bag gives zeros. `weight` is [count, size].
 */
export class EmbeddingBag extends Module {
  declare readonly layerName?: 'EmbeddingBag';
  readonly weight: Parameter<readonly [number, number], 'float32'>;
  readonly mode: 'sum' | 'mean' | 'max';
  readonly paddingIndex: number;

  constructor(
    readonly count: number,
    readonly size: number,
    options: EmbeddingBagOptions = {},
  ) {
    super();
    requireSize('EmbeddingBag', 'count', count);
    requireSize('EmbeddingBag', 'size', size);
    checkOptions('EmbeddingBag', options, ['mode', 'paddingIndex', 'weightInit']);
    this.mode = options.mode ?? 'mean';
    if (!['sum', 'mean', 'max'].includes(this.mode))
      throw new RangeError(`EmbeddingBag: mode is 'sum', 'mean' or 'max', not '${this.mode}'.`);
    this.paddingIndex = paddingOf('EmbeddingBag', options.paddingIndex, count);
    this.weight = new Parameter([count, size] as const, padded(options.weightInit ?? normal(1), this.paddingIndex));
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, options: BagOptions = {}): Tensor<readonly [number, number], 'float32'> {
    checkOptions('EmbeddingBag', options, ['offsets', 'weights']);
    const { mode, paddingIndex } = this;
    const { offsets, weights } = options;
    return wrap(ops.embeddingBag(this.weight.value, ids.value, { mode, paddingIndex, offsets: offsets?.value, weights: weights?.value }));
  }
}
