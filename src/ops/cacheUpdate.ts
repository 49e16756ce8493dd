import type { Value } from '../graph/node.js';
import { sameShape } from '../graph/op.js';
import { sub } from './arithmetic.js';
import { maximum, minimum } from './binary.js';
import { broadcast, reshape } from './broadcast.js';
import { cast } from './cast.js';
import { greaterEqual, less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { gather, takeAlong } from './indexing.js';
import { iota } from './leaf.js';
import { logicalAnd } from './logic.js';
import { fail, indexTypes, requireDtype, requireSameDtype, showShape } from './support.js';
import { where } from './where.js';

export const cacheUpdateRecords = {
  cacheUpdate: defineRecord({
    name: 'cacheUpdate',
    cost: 'move',
    reports: true,
    appends: true,
    inPlace: [[0, 0]],
    infer([cache, rows, position]) {
      requireDtype('cacheUpdate', cache, ['float32'], 'the cache');
      requireSameDtype('cacheUpdate', cache, rows);
      requireDtype('cacheUpdate', position, indexTypes, 'the position');
      const [batch, capacity, ...rest] = cache.shape;
      if (cache.shape.length < 2 || rows.shape[0] !== batch || !sameShape(rows.shape.slice(2), rest))
        fail(
          'SHAPE_MISMATCH',
          'cacheUpdate',
          `rows ${showShape(rows.shape)} do not go into a cache [batch, capacity, ...] of ${showShape(cache.shape)}`,
        );
      if (rows.shape[1]! > capacity!)
        fail('CAPACITY_EXCEEDED', 'cacheUpdate', `${rows.shape[1]} rows do not fit a capacity of ${capacity}`);
      if (!sameShape(position.shape, [batch!]))
        fail(
          'SHAPE_MISMATCH',
          'cacheUpdate',
          `position has shape ${showShape(position.shape)}, but must be one number a sample: [${batch}]`,
        );
      return cache;
    },
    decompose([cache, rows, position]) {
      const [batch, capacity, ...rest] = cache.shape as [number, number, ...number[]];
      const count = rows.shape[1]!;
      if (count === 0) return cache;
      // Read off a table of the places that have room, so that any other fails the run; a negative one counts from no end.
      const given = cast(position, 'int32');
      const start = gather(iota([capacity - count + 1]), where(less(given, 0), capacity + 1, given));
      const at = sub(iota([batch, capacity], 1), reshape(start, [batch, 1]));
      const column = (x: Value): Value => broadcast(reshape(x, [batch, capacity, ...rest.map(() => 1)]), cache.shape);
      const inside = logicalAnd(greaterEqual(at, 0), less(at, count));
      return where(column(inside), takeAlong(rows, column(maximum(minimum(at, count - 1), 0)), 1), cache);
    },
  }),
};

/**
 * `cache` [batch, capacity, ...] with `rows` [batch, count, ...] written at row `position` (int32 [batch]) of each sample. Rows
 * before it are kept. What has no room fails the run with CAPACITY_EXCEEDED.
 *
 * Rows from the position on count as unused: a compiled step that keeps the result as the cache writes into it at once, and leaves
 * the rows there even if it fails later. So the position, which says how many rows are valid, must be a state of the same step.
 */
export const cacheUpdate = (cache: Value, rows: Value, position: Value): Value =>
  applyOne(cacheUpdateRecords.cacheUpdate, [cache, rows, position], {});
