// Draws that are made of uniform numbers in [0, 1), which come in as values: 24 random bits each.
import type { Value } from '../graph/node.js';
import { add, div, mul, neg } from './arithmetic.js';
import { argmax } from './arg.js';
import { minimum, remainder } from './binary.js';
import { broadcast } from './broadcast.js';
import { cast } from './cast.js';
import { greater } from './comparison.js';
import { cumulativeSum } from './cumulative.js';
import { gather } from './indexing.js';
import { sliceAxis } from './movement.js';
import { searchSorted } from './search.js';
import { argsort, topK } from './sort.js';
import { fail, float, requireDtype, showShape } from './support.js';
import { log } from './unary.js';
import { where } from './where.js';

/** The order (int32) of pairs of draws: a permutation of which each is as likely, but for ties of 48 bits. */
export function permutation(high: Value, low: Value): Value {
  const first = argsort(low, 0);
  return gather(first, argsort(gather(high, first, 0), 0), 0);
}

/** Integers in [low, high) from two draws each: 48 bits, modulo the range. */
export function integers(upper: Value, lower: Value, low: number, high: number): Value {
  const range = high - low;
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || !(range >= 1 && range <= 2 ** 48)) {
    throw new RangeError(`randint: [${low}, ${high}) must hold 1 to 2^48 integers`);
  }
  const bits = (draw: Value): Value => cast(mul(draw, 2 ** 24), 'int64');
  const number = add(mul(bits(upper), 2 ** 24), bits(lower));
  return add(remainder(number, range), low);
}

/** -ln(-ln u): noise whose maximum over logits falls on each with its probability (Gumbel 1954). */
export const gumbel = (draw: Value): Value => neg(log(neg(log(draw))));

/**
 * An index (int32) along the last axis, drawn with probability softmax(logits / temperature). The temperature is data; at 0 the
 * greatest is taken.
 */
export function categorical(logits: Value, draw: Value, temperature?: Value): Value {
  requireDtype('categorical', logits, float, 'the logits');
  if (!temperature) return argmax(add(logits, gumbel(draw)), -1);
  const warm = greater(temperature, 0);
  const scaled = div(logits, where(warm, temperature, 1));
  return argmax(where(warm, add(scaled, gumbel(draw)), logits), -1);
}

/**
 * `count` indices (int32) drawn with probabilities in proportion to weights >= 0 along the last axis: with replacement by the
 * inverse of their running sums, from draws [..., count]; without, by the greatest of ln(weight) + noise (Efraimidis and Spirakis
 * 2006), from draws like the weights.
 */
export function multinomial(weights: Value, draw: Value, count: number, replacement: boolean): Value {
  requireDtype('multinomial', weights, float, 'the weights');
  const size = weights.shape.at(-1) ?? 0;
  if (size === 0) fail('SHAPE_MISMATCH', 'multinomial', `shape ${showShape(weights.shape)} has nothing to draw from`);
  if (!replacement) return topK(add(log(weights), gumbel(draw)), count, -1).indices;
  const running = cumulativeSum(weights, -1);
  const target = mul(draw, broadcast(sliceAxis(running, -1, size - 1, size), draw.shape));
  // Rounding may bring a target up to the total: it belongs to the last element that has a weight.
  const last = argmax(running, -1, true);
  return minimum(searchSorted(running, target, true), broadcast(last, draw.shape));
}
