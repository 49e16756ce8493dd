import { checkOptions, PolluxError } from '../errors.js';
import { type ClassCounts, countClasses } from './counts.js';
import type { Labels } from './labels.js';

export interface AverageOptions {
  /**
   * 'binary' (default): the score of `positiveLabel`, for two classes. 'micro': counts of all classes together. 'macro': plain
   * mean of the classes that occur. 'weighted': their mean weighted by true samples.
   */
  average?: 'binary' | 'micro' | 'macro' | 'weighted';
  /** For 'binary'. Default 1. */
  positiveLabel?: number;
  /**
   * The score where its divisor is 0 (no prediction of the class, or no true sample): 0 (default), 1, or NaN, which also leaves
   * the class out of the means. scikit-learn's `zero_division`.
   */
  zeroDivision?: 0 | 1 | typeof Number.NaN;
}

/** Scores of each class by its number. */
export interface PerClassOptions extends Omit<AverageOptions, 'average' | 'positiveLabel'> {
  average: 'none';
}

const optionNames = ['average', 'positiveLabel', 'zeroDivision'];

/** A score as a fraction of counts, so that micro averages add numerators and divisors. */
export type Fraction = (hits: number, predicted: number, support: number) => readonly [part: number, whole: number];

/** Applies a fraction to the classes by the chosen average. */
export function averaged(
  where: string,
  predictions: Labels,
  labels: Labels,
  options: AverageOptions | PerClassOptions,
  fraction: Fraction,
  more: readonly string[] = [],
): number | Map<number, number> {
  checkOptions(where, options, [...optionNames, ...more]);
  const { average = 'binary', zeroDivision = 0 } = options;
  if (zeroDivision !== 0 && zeroDivision !== 1 && !Number.isNaN(zeroDivision))
    throw new RangeError(`${where}: zeroDivision must be 0, 1 or NaN, got ${zeroDivision}.`);
  const counts = countClasses(where, predictions, labels);
  const divide = ([part, whole]: readonly [number, number]): number => (whole === 0 ? zeroDivision : part / whole);
  const fractions = counts.classes.map((_, c) => fraction(counts.hits[c]!, counts.predicted[c]!, counts.support[c]!));
  const scores = fractions.map(divide);
  switch (average) {
    case 'binary':
      return scores[positiveClass(where, counts, (options as AverageOptions).positiveLabel ?? 1)] ?? divide([0, 0]);
    case 'micro':
      return divide(fractions.reduce(([p, w], [part, whole]) => [p + part, w + whole] as const, [0, 0] as const));
    case 'macro':
      return weightedMean(
        scores,
        scores.map(() => 1),
      );
    case 'weighted':
      return weightedMean(scores, counts.support);
    case 'none':
      return new Map(counts.classes.map((name, c) => [name, scores[c]!]));
    default:
      throw new PolluxError(
        'UNKNOWN_OPTION',
        `${where}: unknown average "${String(average)}". Known: binary, micro, macro, weighted, none.`,
      );
  }
}

/** Place of the positive class; -1 if it never occurs, which is allowed where only one other class does. */
function positiveClass(where: string, { classes }: ClassCounts, positive: number): number {
  if (classes.length > 2) {
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `${where}: there are ${classes.length} classes, and average 'binary' scores one of two. Choose average: 'macro', 'micro', 'weighted' or 'none'.`,
    );
  }
  const place = classes.indexOf(positive);
  if (place < 0 && classes.length === 2)
    throw new PolluxError('INVALID_ARGUMENT', `${where}: the classes are ${classes.join(' and ')}; set positiveLabel to one of them.`);
  return place;
}

/** Mean of the scores that are numbers; NaN if none is. */
function weightedMean(scores: readonly number[], weights: ArrayLike<number>): number {
  let sum = 0;
  let weight = 0;
  scores.forEach((score, i) => {
    if (Number.isNaN(score)) return;
    sum += score * weights[i]!;
    weight += weights[i]!;
  });
  return sum / weight;
}
