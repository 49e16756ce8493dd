// What lies between the logits of the next token and the token, as graph values: [rows, vocabulary] in, ids [rows] out. Numbers that
// a caller may change between tokens are data (`Settings`), so that they make no new plan.
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';

/** The numbers that a step takes, in the order in which they lie in one float32 tensor. */
export const settingNames = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'mayStop',
] as const;

export type SettingName = (typeof settingNames)[number];
/** Each a float32 scalar. */
export type Settings = Readonly<Record<SettingName, Value>>;

/** The settings in a tensor [settingNames.length]. */
export function settingsIn(vector: Value): Settings {
  const entries = settingNames.map((name, i) => [name, ops.reshape(ops.sliceAxis(vector, 0, i, i + 1), [])]);
  return Object.fromEntries(entries) as Settings;
}

const nothing = (like: Value): Value => ops.constant(Number.NEGATIVE_INFINITY, like.shape);

/** Logits with -Infinity where `mask` (bool, the same shape or broadcast) says so. */
export const without = (logits: Value, mask: Value): Value => ops.where(ops.broadcast(mask, logits.shape), nothing(logits), logits);

/**
 * Lowers what has been said before. Logits of tokens seen in the prompt or since are divided by the repetition penalty if positive,
 * else multiplied (Keskar et al. 2019); of those said since, `presencePenalty` and `frequencyPenalty` times their count are taken off.
 *
 * @param prompted float32 [rows, vocabulary]: above 0 for tokens before this text
 * @param made float32 [rows, vocabulary]: how often each has been said since
 */
export function penalise(logits: Value, prompted: Value, made: Value, settings: Settings): Value {
  const { repetitionPenalty, presencePenalty, frequencyPenalty } = settings;
  const lowered = ops.where(ops.greater(logits, 0), ops.div(logits, repetitionPenalty), ops.mul(logits, repetitionPenalty));
  const repeated = ops.where(ops.greater(ops.add(prompted, made), 0), lowered, logits);
  const present = ops.mul(ops.minimum(made, 1), presencePenalty);
  return ops.sub(repeated, ops.add(present, ops.mul(made, frequencyPenalty)));
}

/**
 * Which tokens (bool [rows, vocabulary]) would end a run of n tokens that is in the history already.
 *
 * @param history int32 [rows, capacity], of which the first `lengths` (int32 [rows]) count
 */
export function repeatedNgrams(history: Value, lengths: Value, n: number, vocabulary: number): Value {
  const [rows, capacity] = history.shape as [number, number];
  if (capacity < n) return ops.constant(0, [rows, vocabulary], 'bool');
  const starts = capacity - n + 1;
  const ends = ops.reshape(lengths, [rows, 1]);
  // A run that begins at j ends at j + n - 1, which must have been said.
  let match = ops.less(ops.iota([rows, starts], 1), ops.sub(ends, n - 1));
  for (let i = 0; i < n - 1; i++) {
    const recent = ops.takeAlong(history, ops.maximum(ops.add(ends, i - (n - 1)), 0), 1);
    match = ops.logicalAnd(match, ops.equal(ops.sliceAxis(history, 1, i, i + starts), recent));
  }
  const last = ops.sliceAxis(history, 1, n - 1, capacity);
  const counts = ops.scatterAlong(ops.constant(0, [rows, vocabulary]), last, ops.cast(match, 'float32'), 1);
  return ops.greater(counts, 0);
}

/** What a token is drawn from. */
export interface Shortlist {
  /** float32 [rows, n]: logits over the temperature, -Infinity for those that are out. */
  readonly logits: Value;
  /** int32 [rows, n]: their ids, if they are not 0, 1, 2, ... */
  readonly ids: Value | undefined;
}

/**
 * Logits over the temperature (1 where it is 0), without those that topK, topP (the fewest tokens that reach that probability:
 * Holtzman et al. 2020) and minP (less than that part of the greatest probability: Nguyen et al. 2024) leave out, in this order.
 *
 * @param candidates only so many of the greatest are looked at, sorted; 0 if neither topK nor topP is wanted, and nothing is sorted
 */
export function shortlist(logits: Value, settings: Settings, candidates: number): Shortlist {
  const { temperature, topK, topP, minP } = settings;
  const scaled = ops.div(logits, ops.where(ops.greater(temperature, 0), temperature, 1));
  const least = (greatest: Value): Value => ops.add(greatest, ops.log(minP));
  if (!candidates) return { logits: without(scaled, ops.less(scaled, least(ops.max(scaled, -1, true)))), ids: undefined };
  const { values, indices } = ops.topK(scaled, candidates, -1);
  const ranks = ops.iota(values.shape, 1, 'float32');
  const first = without(values, ops.greaterEqual(ranks, topK));
  const before = ops.cumulativeSum(ops.softmax(first), -1, { exclusive: true });
  const nucleus = without(first, ops.greaterEqual(before, topP));
  return { logits: without(nucleus, ops.less(values, least(ops.sliceAxis(values, 1, 0, 1)))), ids: indices };
}

/** An id (int32 [rows]) from each shortlist, with probability softmax(logits); the greatest where the temperature is 0. */
export function drawFrom({ logits, ids }: Shortlist, uniform: Value, { temperature }: Settings): Value {
  // They are divided by the temperature already: what counts is whether it is 0.
  const place = ops.categorical(logits, uniform, ops.sign(temperature));
  return ids ? ops.reshape(ops.takeAlong(ids, ops.reshape(place, [-1, 1]), 1), [-1]) : place;
}

/** ln softmax(logits) of the ids (int32 [rows]): float32 [rows]. */
export function logProbabilityOf(logits: Value, ids: Value): Value {
  const picked = ops.takeAlong(logits, ops.reshape(ids, [-1, 1]), 1);
  return ops.sub(ops.reshape(picked, [-1]), ops.logSumExp(logits, -1));
}
