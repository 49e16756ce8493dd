import { checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { shuffle } from './dataset.js';
import { PhiloxStream } from './philox.js';

/** How samples of varying length come together in batches. */
export interface LengthOptions {
  /** Put samples of like length into one batch, so that little is padding. Default false. */
  group?: boolean;
  /** Batches that are sorted together: fewer mix better, more pad less. Default 64. */
  window?: number;
  /** Lengths that batches may have: each is padded to the least that holds it, so that few plans are made. */
  buckets?: readonly number[];
  /** Without `buckets`: lengths are multiples of this. Default 8. */
  multipleOf?: number;
}

export interface LengthRule {
  readonly group: boolean;
  readonly window: number;
  /** The length that a batch gets whose longest sample has this one. */
  pad(longest: number): number;
}

/** @throws RangeError for buckets that are not ascending whole numbers. */
export function lengthRule(options: LengthOptions = {}): LengthRule {
  checkOptions('DataLoader.lengths', options, ['group', 'window', 'buckets', 'multipleOf']);
  const { group = false, window = 64, buckets, multipleOf = 8 } = options;
  checkWhole('DataLoader', 'lengths.window', window, 1);
  checkWhole('DataLoader', 'lengths.multipleOf', multipleOf, 1);
  if (buckets && (!buckets.length || buckets.some((size, i) => !Number.isInteger(size) || size < 1 || size <= (buckets[i - 1] ?? 0))))
    throw new RangeError(`DataLoader: lengths.buckets must be ascending whole numbers, got [${buckets.join(', ')}].`);
  return {
    group,
    window,
    pad(longest) {
      if (!buckets) return Math.max(1, Math.ceil(longest / multipleOf)) * multipleOf;
      const found = buckets.find((size) => size >= longest);
      if (found !== undefined) return found;
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `DataLoader: a sample has length ${longest}, the largest bucket is ${buckets.at(-1)}. Cut the samples (maxLength), or add a bucket.`,
      );
    },
  };
}

const bucketStream = 0x6275636b;

/**
 * Rearranges an epoch's order in place so that every run of `batchSize` samples has like lengths. Windows are sorted; with
 * `mix` the batches are then shuffled. A last batch that is smaller stays last.
 */
export function* groupByLength(
  order: Uint32Array,
  lengthOf: (index: number) => number,
  options: { batchSize: number; window: number; mix: boolean; seed: number; epoch: number },
): Generator<void> {
  const { batchSize, window, mix, seed, epoch } = options;
  const whole = Math.floor(order.length / batchSize);
  for (let first = 0; first < whole; first += window) {
    const part = order.subarray(first * batchSize, Math.min(first + window, whole) * batchSize);
    part.set(
      Array.from(part, (index, place) => ({ index, place, length: lengthOf(index) }))
        .sort(byLength)
        .map(({ index }) => index),
    );
    yield;
  }
  if (!mix) return;
  const places = Uint32Array.from({ length: whole }, (_, i) => i);
  yield* shuffle(places, new PhiloxStream(seed, bucketStream), epoch);
  const before = order.slice();
  for (const [to, from] of places.entries()) order.set(before.subarray(from * batchSize, (from + 1) * batchSize), to * batchSize);
}

type Sized = { readonly index: number; readonly place: number; readonly length: number };
const byLength = (a: Sized, b: Sized): number => a.length - b.length || a.place - b.place;
