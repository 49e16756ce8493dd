import { checkOptions, PolluxError } from '../errors.js';
import { classAt, type Labels } from './labels.js';
import { binaryLabels, checkFinite, checkLengths, isMatrix, type Matrix, type Numbers, readMatrix, type Rows } from './numbers.js';

/** Rows of class probabilities: a vector of probabilities of the positive class becomes two columns. */
function readProbabilities(where: string, probabilities: Numbers | Matrix, labels: Labels, positiveLabel: number): [Rows, Labels] {
  if (!isMatrix(probabilities)) {
    checkLengths(where, probabilities, labels);
    checkFinite(where, 'probability', probabilities);
    const data = Float64Array.from({ length: 2 * probabilities.length }, (_, i) =>
      i % 2 ? probabilities[i >> 1]! : 1 - probabilities[i >> 1]!,
    );
    return [checked(where, { data, rows: probabilities.length, columns: 2 }), binaryLabels(labels, positiveLabel)];
  }
  const rows = readMatrix(where, probabilities);
  checkLengths(where, { length: rows.rows }, labels);
  return [checked(where, rows), labels];
}

function checked(where: string, rows: Rows): Rows {
  for (let i = 0; i < rows.rows; i++) {
    let sum = 0;
    for (let c = 0; c < rows.columns; c++) {
      const p = rows.data[i * rows.columns + c]!;
      // Sums of float32 exponentials may pass 1 by their rounding.
      if (p < -1e-6 || p > 1 + 1e-6) throw notProbabilities(where, `sample ${i} has the probability ${p}`);
      sum += p;
    }
    if (Math.abs(sum - 1) > 1e-3) throw notProbabilities(where, `the probabilities of sample ${i} add up to ${sum.toPrecision(6)}`);
  }
  return rows;
}

const notProbabilities = (where: string, what: string): PolluxError =>
  new PolluxError('INVALID_ARGUMENT', `${where}: ${what}. It takes probabilities: apply softmax or sigmoid to logits first.`);

export interface ProbabilityOptions {
  /** The positive class of a vector of probabilities. Default 1. */
  positiveLabel?: number;
}

/**
 * Mean negative log-likelihood, in nats: -log of the probability of the true class. Probabilities are clipped to
 * [2^-52, 1 - 2^-52], as scikit-learn's log_loss clips float64, so a certain mistake costs 36.04.
 * @throws SHAPE_MISMATCH, NOT_FINITE, LABEL_OUT_OF_RANGE, INVALID_ARGUMENT for no samples or what are no probabilities.
 */
export function logLoss(probabilities: Numbers | Matrix, labels: Labels, options: ProbabilityOptions = {}): number {
  checkOptions('logLoss', options, ['positiveLabel']);
  const [{ data, rows, columns }, truth] = readProbabilities('logLoss', probabilities, labels, options.positiveLabel ?? 1);
  const clip = (p: number): number => Math.min(1 - Number.EPSILON, Math.max(Number.EPSILON, p));
  let sum = 0;
  for (let i = 0; i < rows; i++) sum -= Math.log(clip(data[i * columns + classAt('logLoss', 'label', truth, i, columns)]!));
  return sum / rows;
}

/**
 * Brier score: mean squared distance of probability and outcome (0 or 1). For a vector it is that of the positive class, as
 * scikit-learn's brier_score_loss; for rows it is summed over the classes, as Brier (1950) defined it: from 0 to 2.
 */
export function brierScore(probabilities: Numbers | Matrix, labels: Labels, options: ProbabilityOptions = {}): number {
  checkOptions('brierScore', options, ['positiveLabel']);
  const [{ data, rows, columns }, truth] = readProbabilities('brierScore', probabilities, labels, options.positiveLabel ?? 1);
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const label = classAt('brierScore', 'label', truth, i, columns);
    for (let c = 0; c < columns; c++) sum += (data[i * columns + c]! - (c === label ? 1 : 0)) ** 2;
  }
  return sum / rows / (isMatrix(probabilities) ? 1 : 2);
}

/** Samples whose confidence lies in (low, high], with their means. */
export interface ReliabilityBin {
  low: number;
  high: number;
  count: number;
  /** Mean confidence; NaN where the bin is empty. */
  confidence: number;
  /** Share of the samples that are right (of a vector: positive); NaN where the bin is empty. */
  accuracy: number;
}

export interface CalibrationOptions extends ProbabilityOptions {
  /** Bins of equal width. Default 15. */
  bins?: number;
}

/**
 * Samples by confidence, for a reliability diagram. Of rows, the confidence is the highest probability and a sample is right if
 * that class is true (Guo et al. 2017); of a vector it is the probability of the positive class against how often that is true.
 */
export function reliabilityBins(probabilities: Numbers | Matrix, labels: Labels, options: CalibrationOptions = {}): ReliabilityBin[] {
  checkOptions('reliabilityBins', options, ['positiveLabel', 'bins']);
  const { bins = 15, positiveLabel = 1 } = options;
  if (!(Number.isInteger(bins) && bins >= 1))
    throw new RangeError(`reliabilityBins: bins must be a whole number of at least 1, got ${bins}.`);
  const [{ data, rows, columns }, truth] = readProbabilities('reliabilityBins', probabilities, labels, positiveLabel);
  const vector = !isMatrix(probabilities);
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (let i = 0; i < rows; i++) {
    const label = classAt('reliabilityBins', 'label', truth, i, columns);
    let choice = 1;
    if (!vector) for (let c = (choice = 0); c < columns; c++) if (data[i * columns + c]! > data[i * columns + choice]!) choice = c;
    const confidence = data[i * columns + choice]!;
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))]!;
    bin.count++;
    bin.confidence += confidence;
    if (label === choice) bin.right++;
  }
  return sums.map(({ count, confidence, right }, b) => ({
    low: b / bins,
    high: (b + 1) / bins,
    count,
    confidence: confidence / count,
    accuracy: right / count,
  }));
}

/** Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by their samples. */
export function expectedCalibrationError(probabilities: Numbers | Matrix, labels: Labels, options: CalibrationOptions = {}): number {
  const bins = reliabilityBins(probabilities, labels, options).filter(({ count }) => count > 0);
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce((sum, { count, confidence, accuracy }) => sum + (count / total) * Math.abs(confidence - accuracy), 0);
}
