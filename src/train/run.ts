import type { History, TrainEvent } from './events.js';

/**
 * A training run that has begun: await it for the history, or iterate over it for typed events as they come.
 * A slow reader never slows training: step events that wait are replaced by newer ones, the others are all kept.
 * A failure is reported once: through the iterator if there is one, else through the promise.
 */
export class FitRun implements PromiseLike<History>, AsyncIterable<TrainEvent> {
  readonly #history: Promise<History>;
  readonly #waiting: TrainEvent[] = [];
  #iterated = false;
  /** Somebody hears of a failure: the iterator, or whoever awaits. */
  #heard = false;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Starts `train` in a later turn, so that the caller can attach first. */
  constructor(train: (emit: (event: TrainEvent) => void) => Promise<History>) {
    this.#history = new Promise<void>((resolve) => setImmediate(resolve)).then(() => train((event) => this.#emit(event)));
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    // With nobody to hear, the process hears: as of any promise that is rejected and left alone.
    this.#history.then(end, (error: unknown) => {
      end();
      if (!this.#heard) throw error;
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited like the promise of its history
  then<A = History, B = never>(
    done?: ((history: History) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#heard = true;
    return this.#history.then(done, failed);
  }

  #emit(event: TrainEvent): void {
    if (!this.#iterated) return;
    const last = this.#waiting.at(-1);
    if (event.type === 'step' && last?.type === 'step') this.#waiting[this.#waiting.length - 1] = event;
    else this.#waiting.push(event);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, undefined> {
    this.#iterated = this.#heard = true;
    for (;;) {
      while (this.#waiting.length) yield this.#waiting.shift()!;
      if (this.#ended) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    await this.#history;
    return undefined;
  }
}
