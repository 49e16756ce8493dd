import { averaged, type AverageOptions, type Fraction, type PerClassOptions } from './averaging.js';
import type { Labels } from './labels.js';

/** Hits among what was predicted as the class: hits / predicted. */
const precisionOf: Fraction = (hits, predicted) => [hits, predicted];
/** Hits among the true samples of the class: hits / support. */
const recallOf: Fraction = (hits, _, support) => [hits, support];
/** Harmonic mean of both with recall weighing beta times precision, as one fraction: (1 + b^2) hits / (b^2 support + predicted). */
const fOf =
  (beta: number): Fraction =>
  (hits, predicted, support) => [(1 + beta ** 2) * hits, beta ** 2 * support + predicted];
/** Hits among the samples that are of the class or were predicted to be: intersection over union. */
const jaccardOf: Fraction = (hits, predicted, support) => [hits, predicted + support - hits];

/**
 * Precision as scikit-learn's precision_score: by default of the positive class of two; see the options for averages.
 * With `average: 'none'`, a Map from class to score.
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT (no samples, or more than two classes for 'binary'), LABEL_OUT_OF_RANGE.
 */
export function precision(predictions: Labels, labels: Labels, options: PerClassOptions): Map<number, number>;
export function precision(predictions: Labels, labels: Labels, options?: AverageOptions): number;
export function precision(predictions: Labels, labels: Labels, options: AverageOptions | PerClassOptions = {}): unknown {
  return averaged('precision', predictions, labels, options, precisionOf);
}

/** Recall as scikit-learn's recall_score. Options and errors as for `precision`. */
export function recall(predictions: Labels, labels: Labels, options: PerClassOptions): Map<number, number>;
export function recall(predictions: Labels, labels: Labels, options?: AverageOptions): number;
export function recall(predictions: Labels, labels: Labels, options: AverageOptions | PerClassOptions = {}): unknown {
  return averaged('recall', predictions, labels, options, recallOf);
}

/** F1, the harmonic mean of precision and recall, as scikit-learn's f1_score. Options and errors as for `precision`. */
export function f1(predictions: Labels, labels: Labels, options: PerClassOptions): Map<number, number>;
export function f1(predictions: Labels, labels: Labels, options?: AverageOptions): number;
export function f1(predictions: Labels, labels: Labels, options: AverageOptions | PerClassOptions = {}): unknown {
  return averaged('f1', predictions, labels, options, fOf(1));
}

/** F-beta: recall weighs `beta` times as much as precision. Options and errors as for `precision`; `beta` is above 0. */
export function fBeta(predictions: Labels, labels: Labels, options: PerClassOptions & { beta: number }): Map<number, number>;
export function fBeta(predictions: Labels, labels: Labels, options: AverageOptions & { beta: number }): number;
export function fBeta(predictions: Labels, labels: Labels, options: (AverageOptions | PerClassOptions) & { beta: number }): unknown {
  if (!(options?.beta > 0)) throw new RangeError(`fBeta: beta must be above 0, got ${options?.beta}.`);
  return averaged('fBeta', predictions, labels, options, fOf(options.beta), ['beta']);
}

/** Jaccard index (intersection over union), as scikit-learn's jaccard_score. Options and errors as for `precision`. */
export function jaccard(predictions: Labels, labels: Labels, options: PerClassOptions): Map<number, number>;
export function jaccard(predictions: Labels, labels: Labels, options?: AverageOptions): number;
export function jaccard(predictions: Labels, labels: Labels, options: AverageOptions | PerClassOptions = {}): unknown {
  return averaged('jaccard', predictions, labels, options, jaccardOf);
}
