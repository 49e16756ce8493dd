import { PolluxError } from '../errors.js';
import type { Labels } from './labels.js';

/** Real numbers, one a sample: a typed array or a list. */
export type Numbers = ArrayLike<number>;

/** One row of numbers a sample: `{ data, shape: [samples, columns] }`, as tensors and batches give it, or a list of rows. */
export type Matrix = { readonly data: ArrayLike<number>; readonly shape: readonly number[] } | readonly ArrayLike<number>[];

/** @throws SHAPE_MISMATCH unless both have the same length; INVALID_ARGUMENT if they are empty. */
export function checkLengths(where: string, predictions: { length: number }, targets: { length: number }): void {
  if (predictions.length !== targets.length) {
    throw new PolluxError('SHAPE_MISMATCH', `${where}: ${predictions.length} predictions for ${targets.length} targets.`);
  }
  if (targets.length === 0) throw new PolluxError('INVALID_ARGUMENT', `${where}: there is nothing to compare.`);
}

/** @throws NOT_FINITE at the first NaN or infinity. */
export function checkFinite(where: string, what: string, values: Numbers): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) {
      throw new PolluxError('NOT_FINITE', `${where}: ${what} ${i} is ${values[i]}. Find out where it comes from, or leave the sample out.`);
    }
  }
}

/** A pair of finite number lists of one length, at least one long. */
export function checkNumbers(where: string, predictions: Numbers, targets: Numbers): void {
  checkLengths(where, predictions, targets);
  checkFinite(where, 'prediction', predictions);
  checkFinite(where, 'target', targets);
}

/** Finite numbers as rows. */
export interface Rows {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
}

export const isMatrix = (scores: Numbers | Matrix): scores is Matrix => 'shape' in scores || typeof scores[0] === 'object';

/** @throws SHAPE_MISMATCH unless it has rows of one length, NOT_FINITE. */
export function readMatrix(where: string, matrix: Matrix): Rows {
  const found = 'shape' in matrix ? ofShape(where, matrix) : ofRows(where, matrix);
  checkFinite(where, 'score', found.data);
  return found;
}

function ofShape(where: string, { data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): Rows {
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2 || rows * columns !== data.length) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: scores need the shape [samples, classes], got [${shape.join(', ')}] with ${data.length} numbers.`,
    );
  }
  return { data, rows, columns };
}

function ofRows(where: string, list: readonly ArrayLike<number>[]): Rows {
  const columns = list[0]?.length ?? 0;
  const odd = list.findIndex((row) => row.length !== columns);
  if (odd >= 0) throw new PolluxError('SHAPE_MISMATCH', `${where}: row ${odd} has ${list[odd]!.length} scores, the first ${columns}.`);
  return { data: list.flatMap((row) => Array.from(row)), rows: list.length, columns };
}

/** Labels of two classes as 1 (positive) and 0. */
export function binaryLabels(labels: Labels, positive: number): Uint8Array {
  return Uint8Array.from({ length: labels.length }, (_, i) => (Number(labels[i]) === positive ? 1 : 0));
}

export const mean = (values: Numbers): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/** The middle of the sorted values; of an even number, the mean of the two in the middle. */
export function median(values: Numbers): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
