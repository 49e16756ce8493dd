import { checkOptions, PolluxError } from '../errors.js';
import { classAt, type Labels } from './labels.js';
import { binaryLabels, checkFinite, checkLengths, isMatrix, type Matrix, type Numbers, readMatrix, type Rows } from './numbers.js';

/** Points of a receiver operating characteristic, by falling threshold. */
export interface RocCurve {
  falsePositiveRate: Float64Array;
  truePositiveRate: Float64Array;
  /** A sample counts as positive from this score on; the first is Infinity. */
  thresholds: Float64Array;
}

/** Points of a precision-recall curve, by rising threshold. */
export interface PrecisionRecallCurve {
  /** Ends with 1, the value at recall 0. */
  precision: Float64Array;
  recall: Float64Array;
  /** Ascending; one fewer than the points. */
  thresholds: Float64Array;
}

export interface CurveOptions {
  /** Default 1. */
  positiveLabel?: number;
}

interface Ranked {
  /** Positives and negatives with at least each threshold's score. */
  hits: number[];
  falseAlarms: number[];
  /** Descending, each once. */
  thresholds: number[];
  positives: number;
  negatives: number;
}

function rank(where: string, scores: Numbers, labels: Labels, { positiveLabel = 1 }: CurveOptions): Ranked {
  checkLengths(where, scores, labels);
  checkFinite(where, 'score', scores);
  const truth = binaryLabels(labels, positiveLabel);
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const ranked: Ranked = { hits: [], falseAlarms: [], thresholds: [], positives: 0, negatives: 0 };
  for (const [place, i] of order.entries()) {
    if (truth[i]) ranked.positives++;
    else ranked.negatives++;
    const next = order[place + 1];
    if (next !== undefined && scores[next] === scores[i]) continue;
    ranked.hits.push(ranked.positives);
    ranked.falseAlarms.push(ranked.negatives);
    ranked.thresholds.push(scores[i]!);
  }
  return ranked;
}

function needs(where: string, count: number, what: string, positiveLabel: number): void {
  if (count > 0) return;
  throw new PolluxError(
    'INVALID_ARGUMENT',
    `${where}: there are no ${what} samples (the positive label is ${positiveLabel}); with one class the curve is not defined.`,
  );
}

/**
 * Receiver operating characteristic of scores for one class against the rest, as scikit-learn's roc_curve: points that lie on a
 * straight line between others are left out.
 * @throws INVALID_ARGUMENT for no samples or one class only; SHAPE_MISMATCH; NOT_FINITE.
 */
export function rocCurve(scores: Numbers, labels: Labels, options: CurveOptions = {}): RocCurve {
  checkOptions('rocCurve', options, ['positiveLabel']);
  const { hits, falseAlarms, thresholds, positives, negatives } = rank('rocCurve', scores, labels, options);
  needs('rocCurve', positives, 'positive', options.positiveLabel ?? 1);
  needs('rocCurve', negatives, 'negative', options.positiveLabel ?? 1);
  const bend = (values: readonly number[], i: number): boolean => values[i]! * 2 !== values[i - 1]! + values[i + 1]!;
  const kept = hits.map((_, i) => i).filter((i) => i === 0 || i === hits.length - 1 || bend(hits, i) || bend(falseAlarms, i));
  return {
    falsePositiveRate: Float64Array.from([0, ...kept.map((i) => falseAlarms[i]! / negatives)]),
    truePositiveRate: Float64Array.from([0, ...kept.map((i) => hits[i]! / positives)]),
    thresholds: Float64Array.from([Number.POSITIVE_INFINITY, ...kept.map((i) => thresholds[i]!)]),
  };
}

/** Area under a curve by the trapezoidal rule; x must run one way. */
export function areaUnder(x: Numbers, y: Numbers): number {
  checkLengths('areaUnder', x, y);
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
  return Math.abs(area);
}

export interface AreaOptions extends CurveOptions {
  /** Over the classes of a matrix of scores: plain mean, or weighted by true samples. Default 'macro'. */
  average?: 'macro' | 'weighted';
}

/**
 * Area under the ROC curve, as scikit-learn's roc_auc_score. `scores` is one number a sample for the positive class, or a row a
 * sample with a column for each class: two columns count as the second against the first, more are taken one against the rest.
 * @throws INVALID_ARGUMENT if a class has no sample, or all samples: its area is not defined.
 */
export function rocAuc(scores: Numbers | Matrix, labels: Labels, options: AreaOptions = {}): number {
  return oneAgainstRest('rocAuc', scores, labels, options, (column, truth, positiveLabel) => {
    const { falsePositiveRate, truePositiveRate } = rocCurve(column, truth, { positiveLabel });
    return areaUnder(falsePositiveRate, truePositiveRate);
  });
}

/**
 * Precision against recall, as scikit-learn's precision_recall_curve.
 * @throws INVALID_ARGUMENT for no samples or no positive ones; SHAPE_MISMATCH; NOT_FINITE.
 */
export function precisionRecallCurve(scores: Numbers, labels: Labels, options: CurveOptions = {}): PrecisionRecallCurve {
  checkOptions('precisionRecallCurve', options, ['positiveLabel']);
  const { hits, falseAlarms, thresholds, positives } = rank('precisionRecallCurve', scores, labels, options);
  needs('precisionRecallCurve', positives, 'positive', options.positiveLabel ?? 1);
  const places = hits.map((_, i) => hits.length - 1 - i);
  return {
    precision: Float64Array.from([...places.map((i) => hits[i]! / (hits[i]! + falseAlarms[i]!)), 1]),
    recall: Float64Array.from([...places.map((i) => hits[i]! / positives), 0]),
    thresholds: Float64Array.from(places, (i) => thresholds[i]!),
  };
}

/** Average precision: the precision at each threshold weighted by the gain in recall. Scores, options and errors as for `rocAuc`. */
export function averagePrecision(scores: Numbers | Matrix, labels: Labels, options: AreaOptions = {}): number {
  return oneAgainstRest('averagePrecision', scores, labels, options, (column, truth, positiveLabel) => {
    const { precision, recall } = precisionRecallCurve(column, truth, { positiveLabel });
    let area = 0;
    for (let i = 1; i < recall.length; i++) area += (recall[i - 1]! - recall[i]!) * precision[i - 1]!;
    return area;
  });
}

const columnOf = ({ data, rows, columns }: Rows, c: number): Float64Array =>
  Float64Array.from({ length: rows }, (_, i) => data[i * columns + c]!);

function oneAgainstRest(
  where: string,
  scores: Numbers | Matrix,
  labels: Labels,
  options: AreaOptions,
  area: (column: Numbers, labels: Labels, positiveLabel: number) => number,
): number {
  checkOptions(where, options, ['positiveLabel', 'average']);
  const { positiveLabel = 1, average = 'macro' } = options;
  if (!isMatrix(scores)) return area(scores, labels, positiveLabel);
  const matrix = readMatrix(where, scores);
  checkLengths(where, { length: matrix.rows }, labels);
  if (matrix.columns === 2) return area(columnOf(matrix, 1), labels, positiveLabel);
  const support = new Float64Array(matrix.columns);
  for (let i = 0; i < labels.length; i++) support[classAt(where, 'label', labels, i, matrix.columns)]!++;
  const weights = average === 'weighted' ? support : support.map(() => 1);
  let sum = 0;
  let weight = 0;
  for (let c = 0; c < matrix.columns; c++) {
    sum += weights[c]! * area(columnOf(matrix, c), labels, c);
    weight += weights[c]!;
  }
  return sum / weight;
}
