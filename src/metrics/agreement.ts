import { checkOptions, PolluxError } from '../errors.js';
import { countClasses } from './counts.js';
import { checkPair, type Labels } from './labels.js';

/** Mean recall of the classes that have true samples (scikit-learn's balanced_accuracy_score). */
export function balancedAccuracy(predictions: Labels, labels: Labels): number {
  const { hits, support } = countClasses('balancedAccuracy', predictions, labels);
  const recalls = [...hits].flatMap((hit, c) => (support[c] ? hit / support[c]! : []));
  return recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
}

/**
 * Matthews correlation coefficient in [-1, 1], for any number of classes (Gorodkin 2004). 0 where predictions or labels are all
 * of one class, as scikit-learn's matthews_corrcoef.
 */
export function matthews(predictions: Labels, labels: Labels): number {
  const { hits, predicted, support, total } = countClasses('matthews', predictions, labels);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, c) => sum + value * b[c]!, 0);
  const correct = hits.reduce((sum, hit) => sum + hit, 0);
  const covariance = correct * total - dot(predicted, support);
  const spread = (total ** 2 - dot(predicted, predicted)) * (total ** 2 - dot(support, support));
  return spread === 0 ? 0 : covariance / Math.sqrt(spread);
}

/**
 * Cohen's kappa: agreement of two raters above chance. `weights` makes near misses count less ('linear' or 'quadratic' in the
 * distance between the places of the classes in ascending order). NaN where both raters gave one and the same class, as
 * scikit-learn's cohen_kappa_score.
 */
export function cohenKappa(first: Labels, second: Labels, options: { weights?: 'none' | 'linear' | 'quadratic' } = {}): number {
  checkOptions('cohenKappa', options, ['weights']);
  const { weights = 'none' } = options;
  const power = { none: 0, linear: 1, quadratic: 2 }[weights];
  if (power === undefined)
    throw new PolluxError('UNKNOWN_OPTION', `cohenKappa: unknown weights "${weights}". Known: none, linear, quadratic.`);
  const { matrix, predicted, support, total } = countClasses('cohenKappa', first, second);
  const n = support.length;
  let observed = 0;
  let expected = 0;
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      if (row === column) continue;
      const weight = Math.abs(row - column) ** power;
      observed += weight * matrix[row * n + column]!;
      expected += (weight * support[row]! * predicted[column]!) / total;
    }
  }
  return 1 - observed / expected;
}

/** The share of labels that are wrong: for multi-label data pass the 0/1 indicators of all samples, one after another. */
export function hammingLoss(predictions: Labels, labels: Labels): number {
  checkPair('hammingLoss', predictions, labels);
  let wrong = 0;
  for (let i = 0; i < labels.length; i++) if (Number(predictions[i]) !== Number(labels[i])) wrong++;
  return wrong / labels.length;
}
