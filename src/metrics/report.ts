import { PolluxError } from '../errors.js';
import type { ConfusionMatrix } from './confusion.js';

/** Precision = hits / predicted, recall = hits / support, F1 their harmonic mean; 0 where the divisor is 0. */
export interface Scores {
  precision: number;
  recall: number;
  f1: number;
  /** True samples. */
  support: number;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
const harmonicMean = (precision: number, recall: number): number => ratio(2 * precision * recall, precision + recall);

/** Scores per class and their averages, printed as scikit-learn's classification_report prints them. */
export class ClassificationReport {
  readonly names: readonly string[];
  readonly classes: readonly Scores[];
  readonly accuracy: number;
  /** Counts of all classes together: for one label per sample, all three scores equal the accuracy. */
  readonly micro: Scores;
  /** Plain mean of the classes. */
  readonly macro: Scores;
  /** Mean of the classes weighted by their support. */
  readonly weighted: Scores;

  constructor(matrix: ConfusionMatrix, names?: readonly string[]) {
    if (names && names.length !== matrix.classes) {
      throw new PolluxError('INVALID_ARGUMENT', `report: ${names.length} names for ${matrix.classes} classes.`);
    }
    this.accuracy = matrix.accuracy;
    this.names = names ?? Array.from({ length: matrix.classes }, (_, c) => String(c));
    this.classes = this.names.map((_, c) => scoresOf(matrix, c));
    const total = matrix.total;
    this.micro = { precision: this.accuracy, recall: this.accuracy, f1: this.accuracy, support: total };
    this.macro = average(this.classes, () => 1 / matrix.classes, total);
    this.weighted = average(this.classes, ({ support }) => support / total, total);
  }

  toString(): string {
    const heads = ['precision', 'recall', 'f1-score', 'support'];
    const width = Math.max('weighted avg'.length, ...this.names.map((name) => name.length));
    const row = (name: string, cells: readonly string[]): string =>
      `${name.padStart(width)} ${cells.map((cell) => cell.padStart(10)).join('')}`;
    const scores = (name: string, { precision, recall, f1, support }: Scores): string =>
      row(name, [precision, recall, f1].map((score) => score.toFixed(4)).concat(String(support)));
    return [
      row('', heads),
      '',
      ...this.names.map((name, c) => scores(name, this.classes[c]!)),
      '',
      row('accuracy', ['', '', this.accuracy.toFixed(4), String(this.micro.support)]),
      scores('macro avg', this.macro),
      scores('weighted avg', this.weighted),
    ]
      .map((line) => line.trimEnd())
      .join('\n');
  }
}

function scoresOf(matrix: ConfusionMatrix, c: number): Scores {
  let support = 0;
  let predicted = 0;
  for (let other = 0; other < matrix.classes; other++) {
    support += matrix.count(c, other);
    predicted += matrix.count(other, c);
  }
  const precision = ratio(matrix.count(c, c), predicted);
  const recall = ratio(matrix.count(c, c), support);
  return { precision, recall, f1: harmonicMean(precision, recall), support };
}

function average(classes: readonly Scores[], weight: (scores: Scores) => number, support: number): Scores {
  const mean = (pick: 'precision' | 'recall' | 'f1'): number => classes.reduce((sum, scores) => sum + weight(scores) * scores[pick], 0);
  return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1'), support };
}
