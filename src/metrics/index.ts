import { ConfusionMatrix } from './confusion.js';
import type { Labels } from './labels.js';
import type { ClassificationReport } from './report.js';

export { Accuracy, RunningMean, accuracy } from './accuracy.js';
export { balancedAccuracy, cohenKappa, hammingLoss, matthews } from './agreement.js';
export type { AverageOptions, PerClassOptions } from './averaging.js';
export { type Bleu, bleu, type BleuOptions, sentenceBleu, type Text } from './bleu.js';
export { bootstrap, type BootstrapOptions, type Interval, pairedBootstrap, type PairedComparison, type Pick } from './bootstrap.js';
export { chrf, type ChrfOptions, sentenceChrf } from './chrf.js';
export { collect, type Collected, type CollectedName, collectedNames } from './collect.js';
export { ConfusionMatrix } from './confusion.js';
export { pearson, spearman } from './correlation.js';
export { characterErrorRate, editDistance, exactMatch, wordErrorRate } from './errorRate.js';
export { f1, fBeta, jaccard, precision, recall } from './fScore.js';
export type { Labels } from './labels.js';
export { type McNemar, mcnemar } from './mcnemar.js';
export type { Matrix, Numbers } from './numbers.js';
export { Perplexity, perplexity } from './perplexity.js';
export {
  brierScore,
  type CalibrationOptions,
  expectedCalibrationError,
  logLoss,
  type ProbabilityOptions,
  type ReliabilityBin,
  reliabilityBins,
} from './probabilities.js';
export {
  type AreaOptions,
  areaUnder,
  averagePrecision,
  type CurveOptions,
  type PrecisionRecallCurve,
  precisionRecallCurve,
  rocAuc,
  type RocCurve,
  rocCurve,
} from './rankCurves.js';
export { explainedVariance, mae, mape, medianAbsoluteError, mse, r2, rmse } from './regression.js';
export type { ClassificationReport, Scores } from './report.js';
export { type Rouge, rougeL, rougeN } from './rouge.js';
export { tokenize13a } from './tokenize13a.js';
export { argmax, topKAccuracy } from './topK.js';

/** The report of one set of predictions in one call. */
export function classificationReport(
  predictions: Labels,
  labels: Labels,
  classes: number,
  names?: readonly string[],
): ClassificationReport {
  return new ConfusionMatrix(classes).update(predictions, labels).report(names);
}
