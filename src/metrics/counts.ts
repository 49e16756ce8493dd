import { checkPair, classAt, type Labels } from './labels.js';

/** How often each class that occurs, among predictions or labels, was hit, predicted and true. */
export interface ClassCounts {
  /** Class numbers, ascending. */
  readonly classes: readonly number[];
  readonly hits: Float64Array;
  readonly predicted: Float64Array;
  readonly support: Float64Array;
  /** Row-major [true class, predicted class]. */
  readonly matrix: Float64Array;
  readonly total: number;
}

/** Counts over the union of the classes that occur. @throws SHAPE_MISMATCH, INVALID_ARGUMENT (empty), LABEL_OUT_OF_RANGE. */
export function countClasses(where: string, predictions: Labels, labels: Labels): ClassCounts {
  checkPair(where, predictions, labels);
  const seen = new Set<number>();
  for (let i = 0; i < labels.length; i++) {
    seen.add(classAt(where, 'label', labels, i, Number.MAX_SAFE_INTEGER));
    seen.add(classAt(where, 'prediction', predictions, i, Number.MAX_SAFE_INTEGER));
  }
  const classes = [...seen].sort((a, b) => a - b);
  const place = new Map(classes.map((name, i) => [name, i]));
  const n = classes.length;
  const [hits, predicted, support, matrix] = [new Float64Array(n), new Float64Array(n), new Float64Array(n), new Float64Array(n * n)];
  for (let i = 0; i < labels.length; i++) {
    const truth = place.get(Number(labels[i]))!;
    const guess = place.get(Number(predictions[i]))!;
    support[truth]!++;
    predicted[guess]!++;
    matrix[truth * n + guess]!++;
    if (truth === guess) hits[truth]!++;
  }
  return { classes, hits, predicted, support, matrix, total: labels.length };
}
