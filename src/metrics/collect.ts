import { nearest, PolluxError } from '../errors.js';
import { accuracy } from './accuracy.js';
import { balancedAccuracy, cohenKappa, hammingLoss, matthews } from './agreement.js';
import { pearson, spearman } from './correlation.js';
import { f1, fBeta, jaccard, precision, recall } from './fScore.js';
import type { Matrix } from './numbers.js';
import { brierScore, expectedCalibrationError, logLoss } from './probabilities.js';
import { averagePrecision, rocAuc } from './rankCurves.js';
import { explainedVariance, mae, mape, medianAbsoluteError, mse, r2, rmse } from './regression.js';
import { topKAccuracy } from './topK.js';

/** A metric over all samples at once, given what a model puts out: predicted classes, probabilities, or the outputs as they are. */
type Over<P, O> = (predictions: P, targets: Float64Array, options: O) => number;
const classes = <O>(compute: Over<Float64Array, O>) => ({ takes: 'classes' as const, compute });
const probabilities = <O>(compute: Over<Matrix | Float64Array, O>) => ({ takes: 'probabilities' as const, compute });
const outputs = <O>(compute: Over<Float64Array, O>) => ({ takes: 'outputs' as const, compute });
type Options<F extends (...args: never[]) => unknown> = NonNullable<Parameters<F>[2]>;
type None = Record<never, never>;
/** Averages that give one number. Over a model's classes the mean is the sensible default; two classes are scored as 'binary' if asked. */
type Averaged = Exclude<Parameters<typeof f1>[2], undefined> & { average?: 'binary' | 'micro' | 'macro' | 'weighted' };
const macro = <O extends object>(options: O): O & { average: 'macro' } => ({ average: 'macro', ...options });

const catalogue = {
  accuracy: classes<None>(accuracy),
  balancedAccuracy: classes<None>(balancedAccuracy),
  precision: classes<Averaged>((p, t, o) => precision(p, t, macro(o))),
  recall: classes<Averaged>((p, t, o) => recall(p, t, macro(o))),
  f1: classes<Averaged>((p, t, o) => f1(p, t, macro(o))),
  fBeta: classes<Averaged & { beta: number }>((p, t, o) => fBeta(p, t, macro(o))),
  jaccard: classes<Averaged>((p, t, o) => jaccard(p, t, macro(o))),
  matthews: classes<None>(matthews),
  cohenKappa: classes<Options<typeof cohenKappa>>(cohenKappa),
  hammingLoss: classes<None>(hammingLoss),
  topKAccuracy: probabilities<Options<typeof topKAccuracy>>((p, t, o) => topKAccuracy(p as Matrix, t, o)),
  rocAuc: probabilities<Options<typeof rocAuc>>(rocAuc),
  averagePrecision: probabilities<Options<typeof averagePrecision>>(averagePrecision),
  logLoss: probabilities<Options<typeof logLoss>>(logLoss),
  brierScore: probabilities<Options<typeof brierScore>>(brierScore),
  expectedCalibrationError: probabilities<Options<typeof expectedCalibrationError>>(expectedCalibrationError),
  mse: outputs<None>(mse),
  rmse: outputs<None>(rmse),
  mae: outputs<None>(mae),
  mape: outputs<None>(mape),
  medianAbsoluteError: outputs<None>(medianAbsoluteError),
  r2: outputs<None>(r2),
  explainedVariance: outputs<None>(explainedVariance),
  pearson: outputs<None>(pearson),
  spearman: outputs<None>(spearman),
};

/** Metrics that `collect` and the Trainer know by name. */
export type CollectedName = keyof typeof catalogue;
type OptionsOf<N extends CollectedName> = Parameters<(typeof catalogue)[N]['compute']>[2];
/** Metrics that need all predictions, and the Trainer gathers them for. */
export const collectedNames = Object.keys(catalogue) as CollectedName[];

/**
 * A metric over a whole data set, which is no mean of batches: it gathers predictions and targets batch by batch, and computes at
 * the end. The Trainer takes it among its `metrics` and measures it in `evaluate` and on validation data.
 */
export interface Collected {
  readonly name: string;
  /** Predicted class numbers; probabilities (rows, or one a sample); or the outputs, flattened. */
  readonly takes: 'classes' | 'probabilities' | 'outputs';
  compute(predictions: Matrix | Float64Array, targets: Float64Array): number;
}

/**
 * A metric of the catalogue with options: `collect('f1', { average: 'weighted' })`. Averages default to 'macro'. It is measured
 * under `as`, by default its name.
 */
export function collect<N extends CollectedName>(name: N, options: OptionsOf<N> & { as?: string } = {} as OptionsOf<N>): Collected {
  const found = catalogue[name];
  if (!found) {
    const near = nearest(name, collectedNames);
    throw new PolluxError(
      'UNKNOWN_OPTION',
      `collect: unknown metric "${name}"${near ? `; did you mean "${near}"?` : ''} Known: ${collectedNames.join(', ')}.`,
    );
  }
  const { as = name as string, ...rest } = options as { as?: string };
  const compute = found.compute as (predictions: unknown, targets: Float64Array, options: unknown) => number;
  return { name: as, takes: found.takes, compute: (predictions, targets) => compute(predictions, targets, rest) };
}
