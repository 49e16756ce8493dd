import { ConfusionMatrix } from './confusion.js';
import type { Labels } from './labels.js';
import type { ClassificationReport } from './report.js';

export { Accuracy, RunningMean, accuracy } from './accuracy.js';
export { ConfusionMatrix } from './confusion.js';
export type { Labels } from './labels.js';
export type { ClassificationReport, Scores } from './report.js';

/** The report of one set of predictions in one call. */
export function classificationReport(
  predictions: Labels,
  labels: Labels,
  classes: number,
  names?: readonly string[],
): ClassificationReport {
  return new ConfusionMatrix(classes).update(predictions, labels).report(names);
}
