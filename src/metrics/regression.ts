import { checkNumbers, mean, median, type Numbers } from './numbers.js';

const errorsOf = (where: string, predictions: Numbers, targets: Numbers): Float64Array => {
  checkNumbers(where, predictions, targets);
  return Float64Array.from({ length: targets.length }, (_, i) => targets[i]! - predictions[i]!);
};

/** Mean squared error. @throws SHAPE_MISMATCH, INVALID_ARGUMENT (no samples), NOT_FINITE, like all of this file. */
export const mse = (predictions: Numbers, targets: Numbers): number => mean(errorsOf('mse', predictions, targets).map((e) => e * e));

/** Square root of the mean squared error, in the unit of the target. */
export const rmse = (predictions: Numbers, targets: Numbers): number =>
  Math.sqrt(mean(errorsOf('rmse', predictions, targets).map((e) => e * e)));

/** Mean absolute error. */
export const mae = (predictions: Numbers, targets: Numbers): number => mean(errorsOf('mae', predictions, targets).map(Math.abs));

/** Median of the absolute errors: indifferent to outliers. */
export const medianAbsoluteError = (predictions: Numbers, targets: Numbers): number =>
  median(errorsOf('medianAbsoluteError', predictions, targets).map(Math.abs));

/** Mean absolute error as a share of the target: 0.1 is 10 %. A target of 0 counts as 2^-52, as scikit-learn's. */
export const mape = (predictions: Numbers, targets: Numbers): number =>
  mean(errorsOf('mape', predictions, targets).map((e, i) => Math.abs(e) / Math.max(Math.abs(targets[i]!), Number.EPSILON)));

const spread = (values: Numbers): number => {
  const middle = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - middle) ** 2;
  return sum;
};

/** 1 - part / whole; targets that do not vary give 1 for perfect predictions and 0 for others, as scikit-learn's. */
const explained = (part: number, whole: number): number => (whole === 0 ? (part === 0 ? 1 : 0) : 1 - part / whole);

/** Coefficient of determination R^2: 1 is perfect, 0 is the mean of the targets. NaN for fewer than two samples. */
export function r2(predictions: Numbers, targets: Numbers): number {
  const errors = errorsOf('r2', predictions, targets);
  if (errors.length < 2) return Number.NaN;
  return explained(
    errors.reduce((sum, e) => sum + e * e, 0),
    spread(targets),
  );
}

/** Explained variance: R^2 that does not mind a constant offset. */
export const explainedVariance = (predictions: Numbers, targets: Numbers): number =>
  explained(spread(errorsOf('explainedVariance', predictions, targets)), spread(targets));
