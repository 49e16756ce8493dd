import { PolluxError } from '../errors.js';
import { checkPair, classAt } from './labels.js';
import type { Labels } from './labels.js';

/** The share of predictions that equal their labels, in [0, 1]. */
export function accuracy(predictions: Labels, labels: Labels): number {
  return new Accuracy().update(predictions, labels).value;
}

/** Accuracy over many batches. */
export class Accuracy {
  #correct = 0;
  #count = 0;

  /** Adds a batch. @throws PolluxError SHAPE_MISMATCH, INVALID_ARGUMENT (an empty batch), LABEL_OUT_OF_RANGE (no whole number). */
  update(predictions: Labels, labels: Labels): this {
    checkPair('accuracy', predictions, labels);
    let correct = 0;
    for (let i = 0; i < labels.length; i++) {
      const predicted = classAt('accuracy', 'prediction', predictions, i, Number.MAX_SAFE_INTEGER);
      if (predicted === classAt('accuracy', 'label', labels, i, Number.MAX_SAFE_INTEGER)) correct++;
    }
    this.#correct += correct;
    this.#count += labels.length;
    return this;
  }

  get value(): number {
    if (this.#count === 0) throw new PolluxError('INVALID_ARGUMENT', 'accuracy: nothing was added yet; call update first.');
    return this.#correct / this.#count;
  }

  reset(): void {
    this.#correct = 0;
    this.#count = 0;
  }
}

/** The mean of a stream of numbers, each with a weight (such as a batch's loss with its number of samples). */
export class RunningMean {
  #sum = 0;
  #weight = 0;

  /** Adds a value. @throws RangeError for a weight that is not positive and finite. */
  update(value: number, weight = 1): this {
    if (!(weight > 0 && weight < Infinity)) throw new RangeError(`RunningMean: weight must be positive and finite, got ${weight}.`);
    this.#sum += value * weight;
    this.#weight += weight;
    return this;
  }

  get value(): number {
    if (this.#weight === 0) throw new PolluxError('INVALID_ARGUMENT', 'RunningMean: nothing was added yet; call update first.');
    return this.#sum / this.#weight;
  }

  reset(): void {
    this.#sum = 0;
    this.#weight = 0;
  }
}
