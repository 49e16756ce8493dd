import { Dataset, kFold, type Schema, stratifiedKFold } from '../data/index.js';
import { PolluxError } from '../errors.js';
import type { Figures, History } from './events.js';
import type { Module } from '../nn/index.js';
import type { FitOptions } from './fitOptions.js';
import type { Trainer } from './trainer.js';

export interface CrossValidationOptions<F extends string = 'x' | 'y'> extends Omit<FitOptions<F>, 'validation' | 'checkpoint' | 'resume'> {
  /** Parts of the data; each is validation once. Default 5. */
  folds?: number;
  /** Keep the shares of the classes in every fold: true for the field `y`, or the name of the field with the classes. */
  stratified?: boolean | string;
  /** Called after each fold. */
  onFold?: (result: FoldResult) => void;
}

export interface FoldResult {
  /** Counts from 1. */
  fold: number;
  /** Of the part that was held out, after training. */
  figures: Figures;
  history: History;
}

export interface CrossValidation {
  folds: FoldResult[];
  /** Over the folds. */
  mean: Figures;
  /** Sample standard deviation over the folds (divided by folds - 1). */
  std: Figures;
}

/**
 * K-fold cross-validation: for each fold a new trainer learns from the other folds and is evaluated on this one.
 *
 * @param makeTrainer a fresh trainer with a fresh model for each fold, called with its number, from 1
 * @throws RangeError for fewer than 2 folds; INVALID_ARGUMENT for more folds than samples, or than members of a class
 */
export async function crossValidate<F extends string = 'x' | 'y'>(
  makeTrainer: (fold: number) => Trainer<never, F> | Trainer<Module, F>,
  data: Dataset<{ [K in F]: Schema[string] }>,
  options: CrossValidationOptions<F>,
): Promise<CrossValidation> {
  const { folds = 5, stratified = false, onFold, ...fit } = options;
  if (!(data instanceof Dataset)) throw new TypeError('crossValidate: data must be a Dataset, whose samples have numbers.');
  const parts = stratified
    ? stratifiedKFold(await classesOf(data, stratified === true ? 'y' : stratified), folds, { seed: fit.seed ?? 0 })
    : kFold(data.length, folds, { seed: fit.seed ?? 0 });
  const results: FoldResult[] = [];
  for (const [i, { train, validation }] of parts.entries()) {
    const trainer = makeTrainer(i + 1) as Trainer<never, F>;
    const held = data.subset(validation) as typeof data;
    fit.signal?.throwIfAborted();
    const history = await trainer.fit(data.subset(train) as typeof data, { ...fit, validation: held } as FitOptions<F>);
    const figures = await trainer.evaluate(held, fit.signal ? { signal: fit.signal } : {});
    const result = { fold: i + 1, figures, history };
    results.push(result);
    onFold?.(result);
  }
  const over = (of: (values: readonly number[]) => number): Figures =>
    Object.fromEntries(Object.keys(results[0]!.figures).map((name) => [name, of(results.map(({ figures }) => figures[name]!))])) as Figures;
  return { folds: results, mean: over(meanOf), std: over(deviationOf) };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** The class of every sample, read in pieces. */
async function classesOf(data: Dataset, field: string): Promise<Float64Array> {
  const shape = data.schema[field]?.shape;
  if (!shape || shape.length > 0) {
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `crossValidate: stratified needs a field with one class number a sample; "${field}" ${shape ? `has the shape [${shape.join(', ')}]` : 'does not exist'}. Fields: ${Object.keys(data.schema).join(', ')}.`,
    );
  }
  const classes = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += 1024) {
    const indices = Array.from({ length: Math.min(1024, data.length - start) }, (_, i) => start + i);
    const batch = await data.get(indices);
    classes.set(Array.from(batch[field]!.data as ArrayLike<number>, Number), start);
  }
  return classes;
}
