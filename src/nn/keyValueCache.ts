import { checkOptions, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { noGrad, type Shape, type Tensor, wrap, zeros } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { Module } from './module.js';

/** What attention takes of a cache that has just grown. */
export interface CachedRows {
  readonly keys: Tensor<Shape, 'float32'>;
  readonly values: Tensor<Shape, 'float32'>;
  /** int32 [batch]: how many rows of each sample are valid now. */
  readonly lengths: Tensor<Shape, 'int32'>;
}

/**
 * Keys and values of the tokens that a decoder has seen, for at most `capacity` of them: [batch, capacity, heads, size]. The position
 * is data, so one compiled plan serves every token; a step writes the new rows in place and reads the cache up to its length. Name
 * the cache in `compile({ state: [model, cache] })`. Through it no gradient flows.
 *
 * Rows behind the position are not in use. A step that fails may leave other numbers there; the valid rows and the position are as
 * they were.
 */
export class KeyValueCache extends Module {
  readonly keys: Tensor<Shape, 'float32'>;
  readonly values: Tensor<Shape, 'float32'>;
  /** int32 [batch]: how many rows of each sample are valid; the next go there. */
  readonly position: Tensor<Shape, 'int32'>;

  constructor(
    readonly batch: number,
    readonly capacity: number,
    readonly heads: number,
    readonly headSize: number,
  ) {
    super();
    Object.entries({ batch, capacity, heads, headSize }).forEach(([name, size]) => requireSize('KeyValueCache', name, size));
    this.keys = zeros([batch, capacity, heads, headSize]);
    this.values = zeros([batch, capacity, heads, headSize]);
    this.position = zeros([batch], 'int32');
  }

  /**
   * Appends rows [batch, count, heads, size] to each sample. Of padded ones only the first `lengths` (int32 [batch]) count: the next
   * call overwrites the rest. No room for `count` rows fails the run with CAPACITY_EXCEEDED.
   */
  forward(keys: Tensor, values: Tensor, options: { lengths?: Tensor } = {}): CachedRows {
    checkOptions('KeyValueCache', options, ['lengths']);
    const count = keys.shape[1] ?? 0;
    if (count > this.capacity)
      throw new PolluxError(
        'CAPACITY_EXCEEDED',
        `KeyValueCache: ${count} rows (${show(keys)}) do not fit its capacity of ${this.capacity}.`,
      );
    return noGrad(() => {
      const position = this.position.value;
      const rows = {
        keys: wrap(ops.cacheUpdate(this.keys.value, keys.value, position)),
        values: wrap(ops.cacheUpdate(this.values.value, values.value, position)),
        lengths: wrap(ops.add(position, options.lengths ? ops.cast(options.lengths.value, 'int32') : count)),
      };
      this.keys.assign(rows.keys);
      this.values.assign(rows.values);
      this.position.assign(rows.lengths);
      return rows;
    });
  }

  /** What is in the cache, for attention that adds nothing to it. */
  rows(): CachedRows {
    return { keys: this.keys, values: this.values, lengths: this.position };
  }

  /** Empties the cache: one small overwrite. */
  reset(): void {
    this.position.assign(zeros([this.batch], 'int32'));
  }

  /** Puts the sequence of sample `indices[i]` (int32 [batch]) in the place of sample i: the survivors of a beam search. Copies the cache. */
  reorder(indices: Tensor): void {
    for (const buffer of [this.keys, this.values, this.position])
      (buffer as Tensor).assign(wrap(ops.gather(buffer.value, indices.value, 0)));
  }

  /** How many rows of each sample are valid; awaits the position. */
  async length(): Promise<number[]> {
    return [...(await this.position.data())];
  }
}
