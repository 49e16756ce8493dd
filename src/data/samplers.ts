import { checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { PhiloxStream } from './philox.js';

/** Chooses the samples of an epoch, and their order. `new DataLoader(dataset, { sampler })`. */
export interface Sampler {
  /** Samples in an epoch. */
  readonly length: number;
  /**
   * Indices of the samples, from (seed, epoch) alone, so that a resumed run meets the same ones. A generator may yield now and
   * then, to let others run; it returns the indices.
   */
  order(seed: number, epoch: number): Uint32Array | Generator<void, Uint32Array>;
}

export interface WeightedOptions {
  /** Samples in an epoch. Default: as many as there are weights. */
  count?: number;
  /** Whether a sample may come more than once. Default true. */
  replacement?: boolean;
}

const weightedStream = 0x77656967;
const rest = 0xfff;

/** A number in (0, 1) of 53 bits. */
const fraction = (words: Uint32Array, pair: number): number => (words[2 * pair]! * 2 ** 21 + (words[2 * pair + 1]! >>> 11) + 0.5) / 2 ** 53;

/**
 * Draws sample i with a probability proportional to `weights[i]` (not negative; they need not sum to 1).
 * @throws INVALID_ARGUMENT for no weights, or none above 0; RangeError for a weight that is negative or not finite, or a `count`
 *   without replacement above the number of positive weights.
 */
export function weightedSampler(weights: ArrayLike<number>, options: WeightedOptions = {}): Sampler {
  checkOptions('weightedSampler', options, ['count', 'replacement']);
  const { count = weights.length, replacement = true } = options;
  checkWhole('weightedSampler', 'count', count, 0);
  const sums = new Float64Array(weights.length);
  let sum = 0;
  let positive = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (!(weight >= 0 && weight < Infinity))
      throw new RangeError(`weightedSampler: weight ${i} is ${weight}; weights are finite and not negative.`);
    if (weight > 0) positive++;
    sum += weight;
    sums[i] = sum;
  }
  if (!positive)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `weightedSampler: ${weights.length ? 'all weights are 0' : 'there are no weights'}; nothing can be drawn.`,
    );
  if (!replacement && count > positive)
    throw new RangeError(`weightedSampler: ${count} samples without replacement from ${positive} of positive weight.`);
  return { length: count, order: (seed, epoch) => (replacement ? drawn(sums, count, seed, epoch) : kept(weights, count, seed, epoch)) };
}

function* drawn(sums: Float64Array, count: number, seed: number, epoch: number): Generator<void, Uint32Array> {
  const stream = new PhiloxStream(seed, weightedStream);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) stream.draw(i / 2, epoch);
    const wanted = fraction(stream.words, i % 2) * sums.at(-1)!;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    order[i] = low;
    if ((i & rest) === rest) yield;
  }
  return order;
}

/** Efraimidis and Spirakis 2006: those with the smallest of exponential variables of the weights' rates. */
function* kept(weights: ArrayLike<number>, count: number, seed: number, epoch: number): Generator<void, Uint32Array> {
  const stream = new PhiloxStream(seed, weightedStream);
  const keys = new Float64Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    keys[i] = weights[i]! > 0 ? -Math.log(fraction(stream.draw(i, epoch), 0)) / weights[i]! : Infinity;
    if ((i & rest) === rest) yield;
  }
  return Uint32Array.from(keys.keys())
    .sort((a, b) => keys[a]! - keys[b]! || a - b)
    .slice(0, count);
}

/**
 * Draws every class equally often, whatever the classes' sizes: with replacement, sample weights 1 / size of the class.
 * @throws INVALID_ARGUMENT for no labels.
 */
export function balancedSampler(labels: ArrayLike<number | bigint>, options: { count?: number } = {}): Sampler {
  checkOptions('balancedSampler', options, ['count']);
  if (!labels.length) throw new PolluxError('INVALID_ARGUMENT', 'balancedSampler: there are no labels; nothing can be drawn.');
  const sizes = new Map<number | bigint, number>();
  for (let i = 0; i < labels.length; i++) sizes.set(labels[i]!, (sizes.get(labels[i]!) ?? 0) + 1);
  return weightedSampler(
    Float64Array.from({ length: labels.length }, (_, i) => 1 / sizes.get(labels[i]!)!),
    options,
  );
}
