import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { div, mul, sub } from './arithmetic.js';
import { maximum } from './binary.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { cast } from './cast.js';
import { greater, notEqual } from './comparison.js';
import { cumulativeSum } from './cumulative.js';
import { embedding } from './embedding.js';
import { scatterAdd } from './indexing.js';
import { constant, zerosLike } from './leaf.js';
import { sliceAxis } from './movement.js';
import { max } from './reduce.js';
import { scatter } from './scatter.js';
import { fail, requireRank, requireSameShape } from './support.js';
import { where } from './where.js';

export interface EmbeddingBagOptions {
  /** Where each bag begins in ids of rank 1, from 0 and not descending: int32 or int64 [bags]. Without it ids are [bags, length]. */
  offsets?: Value | undefined;
  /** How the rows of a bag become one. Default 'mean', as PyTorch. */
  mode?: 'sum' | 'mean' | 'max';
  /** Factors of the rows, of the ids' shape; for 'sum' alone. */
  weights?: Value | undefined;
  /** The id that counts as absent. Default none. */
  paddingIndex?: number;
}

/** How bags are joined: [ids..., D] to [bags, D]. */
interface Bags {
  sum(rows: Value): Value;
  max(rows: Value): Value;
}

const byRows: Bags = { sum: (rows) => sum(rows, 1), max: (rows) => max(rows, 1) };

/** Bags of ids [count] that begin at the offsets. */
function byOffsets(offsets: Value, count: number): Bags {
  const bags = offsets.shape[0]!;
  // How many bags have begun at each id; one place more, since empty bags may begin behind the last.
  const begun = scatterAdd(constant(0, [count + 1], 'int32'), offsets, constant(1, [bags], 'int32'));
  const bag = sub(cumulativeSum(sliceAxis(begun, 0, 0, count), 0), 1);
  return {
    sum: (rows) => scatterAdd(constant(0, [bags, rows.shape[1]!]), bag, rows),
    max: (rows) =>
      scatter(constant(-Infinity, [bags, rows.shape[1]!]), broadcast(reshape(bag, [count, 1]), rows.shape), rows, 0, 'maximum'),
  };
}

/** Sums, means or maxima of the rows of `weight` [vocabulary, size] that the ids of each bag name: [bags, size]; 0 for an empty bag. */
export function embeddingBag(weight: Value, ids: Value, options: EmbeddingBagOptions = {}): Value {
  const { offsets, mode = 'mean', weights, paddingIndex = -1 } = options;
  if (offsets) {
    requireRank('embeddingBag', ids, 1, 'ids', 'a list, which the offsets cut into bags');
    requireRank('embeddingBag', offsets, 1, 'offsets', 'one for each bag');
  } else requireRank('embeddingBag', ids, 2, 'ids', '[bags, length], or give offsets');
  if (weights && mode !== 'sum') fail('INVALID_ARGUMENT', 'embeddingBag', `weights go with the mode 'sum', not '${mode}'`);
  if (weights) requireSameShape('embeddingBag', weights, ids);
  if (!['sum', 'mean', 'max'].includes(mode)) throw new RangeError(`embeddingBag: mode is 'sum', 'mean' or 'max', not '${String(mode)}'`);
  if (!offsets && ids.shape[1] === 0) return constant(0, [ids.shape[0]!, weight.shape[1]!]);

  const bags = offsets ? byOffsets(offsets, sizeOf(ids.shape)) : byRows;
  const rows = embedding(weight, ids, paddingIndex);
  const column = (x: Value): Value => reshape(x, [...ids.shape, 1]);
  const present = column(notEqual(ids, paddingIndex));
  const wide = broadcast(present, rows.shape);
  const counts = () => bags.sum(cast(present, 'float32'));
  if (mode === 'max') {
    const top = bags.max(where(wide, rows, -Infinity));
    return where(broadcast(greater(counts(), 0), top.shape), top, zerosLike(top));
  }
  const weighted = weights ? mul(rows, column(weights)) : rows;
  const total = bags.sum(paddingIndex < 0 ? weighted : where(wide, weighted, zerosLike(rows)));
  return mode === 'sum' ? total : div(total, maximum(counts(), 1));
}
