// Functions of several tensors: sums of products, distances, grids.
import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import * as ops from '../ops/index.js';
import type { OpenShape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

type Any<D extends DType = DType> = Tensor<OpenShape, D>;

/**
 * A sum of products in Einstein's notation, of any number of tensors: `einsum('bij,bjk->bik', a, b)`. Axes of one letter go
 * together, and letters that the output lacks are summed over. Without `->` the output has the letters that occur once, in
 * alphabetical order. A letter twice in one operand takes its diagonal; `...` stands for axes that broadcast, as axes of size 1 do.
 * The order of the contractions is the one that multiplies least.
 *
 * @throws PolluxError INVALID_ARGUMENT for an equation that does not fit the operands, SHAPE_MISMATCH for sizes that do not agree
 */
export const einsum = <D extends DType>(equation: string, ...operands: Any<D>[]): Any<D> =>
  wrap(ops.einsum(equation, ...operands.map((operand) => tensorValue(operand, 'einsum'))));

/** The sum over the last `axes` of `a` and the first of `b` (default 2), or over two lists of axes that pair up. */
export const tensordot = <D extends DType>(
  a: Any<D>,
  b: Any<D>,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): Any<D> => wrap(ops.tensordot(tensorValue(a, 'tensordot'), tensorValue(b, 'tensordot'), axes));

/**
 * Distances [..., M, N] between the rows of `a` [..., M, D] and `b` [..., N, D], of order `p` (default 2; 1, Infinity, any > 0). Of
 * many points the 2-norm comes from a matrix product, which loses digits between points that nearly meet; `direct: true` does not.
 */
export function cdist(a: Any<'float32'>, b: Any<'float32'>, options: { p?: number; direct?: boolean } = {}): Any<'float32'> {
  checkOptions('cdist', options, ['p', 'direct']);
  return wrap(ops.cdist(tensorValue(a, 'cdist'), tensorValue(b, 'cdist'), options.p, options.direct));
}

/** The norm of order `p` (default 2) of a - b + epsilon (1e-6) over the last axis, as PyTorch's PairwiseDistance. */
export function pairwiseDistance(
  a: Any<'float32'>,
  b: Any<'float32'>,
  options: { p?: number; epsilon?: number; keepDims?: boolean } = {},
): Any<'float32'> {
  checkOptions('pairwiseDistance', options, ['p', 'epsilon', 'keepDims']);
  const { p, epsilon, keepDims } = options;
  return wrap(ops.pairwiseDistance(tensorValue(a, 'pairwiseDistance'), tensorValue(b, 'pairwiseDistance'), p, epsilon, keepDims));
}

/** The cosine of the angle between vectors along an axis (default the last); norms below epsilon (1e-8) count as epsilon. */
export function cosineSimilarity(a: Any<'float32'>, b: Any<'float32'>, options: { axis?: number; epsilon?: number } = {}): Any<'float32'> {
  checkOptions('cosineSimilarity', options, ['axis', 'epsilon']);
  return wrap(ops.cosineSimilarity(tensorValue(a, 'cosineSimilarity'), tensorValue(b, 'cosineSimilarity'), options.axis, options.epsilon));
}

/** Vectors as the coordinates of a grid, one array for each. `indexing: 'xy'` exchanges the first two axes. */
export function meshgrid<D extends DType>(vectors: readonly Any<D>[], options: { indexing?: 'ij' | 'xy' } = {}): Any<D>[] {
  checkOptions('meshgrid', options, ['indexing']);
  return ops
    .meshgrid(
      vectors.map((vector) => tensorValue(vector, 'meshgrid')),
      options.indexing,
    )
    .map((grid) => wrap(grid));
}

/** y_i = a_i * y_(i-1) + b_i along an axis (default the last), from y = 0 on: decaying sums, discounted returns, linear filters. */
export function linearRecurrence(a: Any<'float32'>, b: Any<'float32'>, axis = -1, options: { reverse?: boolean } = {}): Any<'float32'> {
  checkOptions('linearRecurrence', options, ['reverse']);
  return wrap(ops.linearRecurrence(tensorValue(a, 'linearRecurrence'), tensorValue(b, 'linearRecurrence'), axis, options.reverse));
}
