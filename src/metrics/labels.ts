import { PolluxError } from '../errors.js';

/** Class numbers: a typed array or a list; int64 arrays are read as well. */
export type Labels = ArrayLike<number> | BigInt64Array;

/** Throws unless both hold the same number of labels, and at least one. */
export function checkPair(where: string, predictions: Labels, labels: Labels): void {
  if (predictions.length !== labels.length) {
    throw new PolluxError('SHAPE_MISMATCH', `${where}: ${predictions.length} predictions for ${labels.length} labels.`);
  }
  if (labels.length === 0) throw new PolluxError('INVALID_ARGUMENT', `${where}: there are no labels to compare.`);
}

/** Label `i` as a class in [0, classes). @throws PolluxError LABEL_OUT_OF_RANGE. */
export function classAt(where: string, what: string, values: Labels, i: number, classes: number): number {
  const value = Number(values[i]);
  if (Number.isInteger(value) && value >= 0 && value < classes) return value;
  throw new PolluxError(
    'LABEL_OUT_OF_RANGE',
    `${where}: ${what} ${i} is ${String(values[i])}; classes are whole numbers from 0 to ${classes - 1}.`,
  );
}
