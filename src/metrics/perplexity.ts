import { RunningMean } from './accuracy.js';

/**
 * Perplexity of a language model over many batches: exp of the mean loss a token. Give each batch's mean cross-entropy (in nats)
 * with the number of tokens that it is the mean of, padding left out.
 */
export class Perplexity {
  readonly #loss = new RunningMean();

  /** @throws RangeError for a count of tokens that is not above 0. */
  update(meanLoss: number, tokens: number): this {
    this.#loss.update(meanLoss, tokens);
    return this;
  }

  get value(): number {
    return Math.exp(this.#loss.value);
  }

  reset(): void {
    this.#loss.reset();
  }
}

/** exp of a mean cross-entropy in nats: perplexity of one figure, such as the `loss` that `evaluate` gives. */
export const perplexity = (meanLoss: number): number => Math.exp(meanLoss);
