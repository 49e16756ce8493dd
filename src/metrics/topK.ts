import { checkOptions, PolluxError } from '../errors.js';
import { checkLengths, type Matrix, readMatrix } from './numbers.js';
import { classAt, type Labels } from './labels.js';

/**
 * The share of samples whose true class is among the `k` highest scores (default 5). Of equal scores the lower class ranks first,
 * as in `argmax` and PyTorch's CPU topk.
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT (no samples), LABEL_OUT_OF_RANGE, NOT_FINITE, RangeError for k outside [1, classes].
 */
export function topKAccuracy(scores: Matrix, labels: Labels, options: { k?: number } = {}): number {
  checkOptions('topKAccuracy', options, ['k']);
  const { k = 5 } = options;
  const { data, rows, columns } = readMatrix('topKAccuracy', scores);
  checkLengths('topKAccuracy', { length: rows }, labels);
  if (!(Number.isInteger(k) && k >= 1 && k <= columns)) throw new RangeError(`topKAccuracy: k must lie in [1, ${columns}], got ${k}.`);
  let hits = 0;
  for (let i = 0; i < rows; i++) {
    const truth = classAt('topKAccuracy', 'label', labels, i, columns);
    const own = data[i * columns + truth]!;
    let above = 0;
    for (let c = 0; c < columns; c++) {
      const score = data[i * columns + c]!;
      if (score > own || (score === own && c < truth)) above++;
    }
    if (above < k) hits++;
  }
  return hits / rows;
}

/** The class with the highest score of each sample; of equal scores the first. */
export function argmax(scores: Matrix): Int32Array {
  const { data, rows, columns } = readMatrix('argmax', scores);
  if (columns === 0) throw new PolluxError('SHAPE_MISMATCH', 'argmax: the rows have no scores.');
  return Int32Array.from({ length: rows }, (_, i) => {
    let best = 0;
    for (let c = 1; c < columns; c++) if (data[i * columns + c]! > data[i * columns + best]!) best = c;
    return best;
  });
}
