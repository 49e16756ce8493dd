import type { Value } from '../graph/node.js';
import { broadcast, reshape } from './broadcast.js';
import { equal, less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { gather, scatterAdd } from './indexing.js';
import { zerosLike } from './leaf.js';
import { arithmetic, indexTypes, requireDtype, requireRank } from './support.js';
import { where } from './where.js';

type EmbeddingAttributes = { readonly paddingIndex: number };

/** Updates of `ids`' rows with those of the padding set to zero. */
function withoutPadding(updates: Value, ids: Value, { paddingIndex }: EmbeddingAttributes): Value {
  if (paddingIndex < 0) return updates;
  const padding = broadcast(reshape(equal(ids, paddingIndex), [...ids.shape, 1]), updates.shape);
  return where(padding, zerosLike(updates), updates);
}

export const embeddingRecords = {
  embedding: defineRecord<EmbeddingAttributes>({
    name: 'embedding',
    cost: 'move',
    reports: true,
    infer([weight, ids]) {
      requireDtype('embedding', weight, arithmetic, 'the weight');
      requireDtype('embedding', ids, indexTypes, 'the id');
      requireRank('embedding', weight, 2, 'the weight', '[vocabulary, size]');
      return { shape: [...ids.shape, weight.shape[1]!], dtype: weight.dtype };
    },
    gradient: ({ dy, inputs: [weight, ids], attributes }) => scatterAdd(zerosLike(weight), ids, withoutPadding(dy, ids, attributes), 0),
    // gather counts negative indices from the end; here they are wrong, and become the first index that is too large.
    decompose: ([weight, ids]) => gather(weight, where(less(ids, 0), weight.shape[0]!, ids), 0),
  }),
};

/**
 * The rows of `weight` [vocabulary, size] that the ids (int32 or int64, any shape) name: [...ids, size]. An id outside
 * [0, vocabulary) fails the run with INDEX_OUT_OF_RANGE. The row of `paddingIndex` (default none) gets no gradient.
 */
export const embedding = (weight: Value, ids: Value, paddingIndex = -1): Value =>
  applyOne(embeddingRecords.embedding, [weight, ids], { paddingIndex });
