import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { cast } from './cast.js';
import { less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { logicalAnd, logicalNot, logicalOr } from './logic.js';
import { expandDims } from './movement.js';
import { arithmetic, fail, requireDtype, requireSameDtype, showShape } from './support.js';
import { isNan } from './unary.js';

type SearchAttributes = { readonly right: boolean };

/** a < b, where NaN is greater than every number. */
function precedes(a: Value, b: Value): Value {
  const smaller = less(a, b);
  return a.dtype === 'float32' ? logicalOr(smaller, logicalAnd(isNan(b), logicalNot(isNan(a)))) : smaller;
}

export const searchRecords = {
  searchSorted: defineRecord<SearchAttributes>({
    name: 'searchSorted',
    cost: 'reduce',
    stops: true,
    infer([sorted, values]) {
      requireDtype('searchSorted', sorted, arithmetic, 'the sorted values');
      requireSameDtype('searchSorted', sorted, values);
      if (!sorted.shape.length || !values.shape.length || !sameShape(sorted.shape.slice(0, -1), values.shape.slice(0, -1))) {
        fail(
          'SHAPE_MISMATCH',
          'searchSorted',
          `shapes ${showShape(sorted.shape)} and ${showShape(values.shape)} of the sorted and the sought values differ before the last axis`,
        );
      }
      return { shape: values.shape, dtype: 'int32' };
    },
    // How many elements stand before each value.
    decompose([sorted, values], { right }) {
      const pairs = [...values.shape, sorted.shape.at(-1)!];
      const row = broadcast(expandDims(sorted, -2), pairs);
      const value = broadcast(expandDims(values, -1), pairs);
      const stands = right ? logicalNot(precedes(value, row)) : precedes(row, value);
      return sum(cast(stands, 'int32'), -1);
    },
    flops: ([sorted, values]) => sizeOf(values.shape) * Math.ceil(Math.log2(2 + sorted.shape.at(-1)!)),
  }),
};

/**
 * Where each value would go into a sorted last axis (int32): before its equals, or, with `right`, behind them. `sorted` has the
 * leading axes of `values`, or is one row for all of them. NaN is greater than every number.
 */
export function searchSorted(sorted: Value, values: Value, right = false): Value {
  if (sorted.shape.length === 1 && values.shape.length !== 1) {
    const flat = reshape(values, [sizeOf(values.shape)]);
    return reshape(applyOne(searchRecords.searchSorted, [sorted, flat], { right }), values.shape);
  }
  return applyOne(searchRecords.searchSorted, [sorted, values], { right });
}
