import { checkOptions, PolluxError } from '../errors.js';
import type { Labels } from './labels.js';
import { checkLengths } from './numbers.js';
import { erfc } from './normal.js';

/** Result of McNemar's test. */
export interface McNemar {
  /** Samples that only the first model has right, and only the second. */
  firstOnly: number;
  secondOnly: number;
  /** Chi-square with one degree of freedom and continuity correction; of the exact test, the smaller of both counts. */
  statistic: number;
  /** Two-sided probability of so uneven a split if both models are equally good. */
  pValue: number;
}

/**
 * McNemar's test of two classifiers on the same samples. Exact (binomial) by default where they differ on fewer than 25 samples.
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT (no samples).
 */
export function mcnemar(first: Labels, second: Labels, labels: Labels, options: { exact?: boolean } = {}): McNemar {
  checkOptions('mcnemar', options, ['exact']);
  checkLengths('mcnemar', first, labels);
  if (second.length !== labels.length)
    throw new PolluxError('SHAPE_MISMATCH', `mcnemar: ${second.length} predictions of the second model for ${labels.length} targets.`);
  let [firstOnly, secondOnly] = [0, 0];
  for (let i = 0; i < labels.length; i++) {
    const right = [Number(first[i]) === Number(labels[i]), Number(second[i]) === Number(labels[i])];
    if (right[0] && !right[1]) firstOnly++;
    if (right[1] && !right[0]) secondOnly++;
  }
  const count = firstOnly + secondOnly;
  const less = Math.min(firstOnly, secondOnly);
  if (options.exact ?? count < 25) return { firstOnly, secondOnly, statistic: less, pValue: binomialTail(count, less) };
  const statistic = count === 0 ? 0 : Math.max(0, Math.abs(firstOnly - secondOnly) - 1) ** 2 / count;
  return { firstOnly, secondOnly, statistic, pValue: erfc(Math.sqrt(statistic / 2)) };
}

/** Two-sided tail of a fair coin: 2 P(X <= less), at most 1. Term by term in logarithms, so that many samples do not overflow. */
function binomialTail(count: number, less: number): number {
  let logTerm = -count * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= less; k++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((count - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}
