import { PolluxError } from '../errors.js';
import { ClassificationReport } from './report.js';
import { checkPair, classAt } from './labels.js';
import type { Labels } from './labels.js';

/** How often each true class (row) was predicted as each class (column). */
export class ConfusionMatrix {
  readonly classes: number;
  /** Row-major [true class, predicted class]. */
  readonly counts: Float64Array;

  constructor(classes: number) {
    if (!Number.isSafeInteger(classes) || classes < 1) {
      throw new RangeError(`ConfusionMatrix: classes must be a whole number of at least 1, got ${classes}.`);
    }
    this.classes = classes;
    this.counts = new Float64Array(classes * classes);
  }

  /** Adds a batch; a batch with a bad label is not added at all. @throws PolluxError SHAPE_MISMATCH, INVALID_ARGUMENT, LABEL_OUT_OF_RANGE. */
  update(predictions: Labels, labels: Labels): this {
    checkPair('ConfusionMatrix', predictions, labels);
    const cells = new Float64Array(labels.length);
    for (let i = 0; i < labels.length; i++) {
      const truth = classAt('ConfusionMatrix', 'label', labels, i, this.classes);
      cells[i] = truth * this.classes + classAt('ConfusionMatrix', 'prediction', predictions, i, this.classes);
    }
    for (const cell of cells) this.counts[cell]!++;
    return this;
  }

  /** How often `truth` was predicted as `predicted`. */
  count(truth: number, predicted: number): number {
    return this.counts[truth * this.classes + predicted]!;
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  get accuracy(): number {
    if (this.total === 0) throw new PolluxError('INVALID_ARGUMENT', 'ConfusionMatrix: nothing was added yet; call update first.');
    let correct = 0;
    for (let c = 0; c < this.classes; c++) correct += this.count(c, c);
    return correct / this.total;
  }

  /** Precision, recall and F1 of each class. `names` has one name per class; the class numbers are used when absent. */
  report(names?: readonly string[]): ClassificationReport {
    return new ClassificationReport(this, names);
  }

  reset(): void {
    this.counts.fill(0);
  }

  /** A table with a row per true class and a column per predicted one. */
  toString(): string {
    const width = Math.max(5, ...Array.from(this.counts, (count) => String(count).length + 1));
    const cell = (text: string | number): string => String(text).padStart(width);
    const lines = [`true \\ predicted${Array.from({ length: this.classes }, (_, c) => cell(c)).join('')}`];
    for (let truth = 0; truth < this.classes; truth++) {
      lines.push(String(truth).padStart(16) + Array.from({ length: this.classes }, (_, c) => cell(this.count(truth, c))).join(''));
    }
    return lines.join('\n');
  }
}
