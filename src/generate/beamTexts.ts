/** What a beam search goes by. */
export interface BeamRules {
  readonly width: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean;
  readonly maxTokens: number;
  readonly stopTokens: ReadonlySet<number>;
  readonly vocabulary: number;
}

/** A text that has ended. */
export interface Finished {
  readonly ids: number[];
  readonly score: number;
  readonly reason: 'stopToken' | 'maxTokens';
}

interface Growing {
  readonly ids: readonly number[];
  readonly sum: number;
  /** The row that it grew from. */
  readonly parent: number;
}

const nothing: Growing = { ids: [], sum: Number.NEGATIVE_INFINITY, parent: 0 };

/** The texts of one prompt in a beam search: those that grow, one a row, and the best of those that have ended. */
export class Beams {
  #growing: Growing[];
  #finished: Finished[] = [];
  #done = false;

  constructor(readonly rules: BeamRules) {
    // All rows begin alike: only the first counts.
    this.#growing = Array.from({ length: rules.width }, (_, row) => (row === 0 ? { ...nothing, sum: 0 } : nothing));
  }

  get done(): boolean {
    return this.#done;
  }

  /** Of each row: its log probability, -Infinity for rows that are not in use. */
  get scores(): number[] {
    return this.#growing.map(({ sum }) => (this.#done ? Number.NEGATIVE_INFINITY : sum));
  }

  /** The rows that the rows grew from. */
  get parents(): number[] {
    return this.#growing.map(({ parent }) => parent);
  }

  /** The tokens that they grew by. */
  get tokens(): number[] {
    return this.#growing.map(({ ids }) => ids.at(-1) ?? 0);
  }

  /** The best continuations, best first: their log probabilities, and row * vocabulary + token. */
  take(scores: ArrayLike<number>, places: ArrayLike<number>): void {
    if (this.#done) return;
    const { width, vocabulary, stopTokens, maxTokens } = this.rules;
    const growing: Growing[] = [];
    for (let i = 0; i < scores.length && growing.length < width; i++) {
      const sum = scores[i]!;
      if (sum === Number.NEGATIVE_INFINITY) break;
      const [parent, token] = [Math.floor(places[i]! / vocabulary), places[i]! % vocabulary];
      const ids = [...this.#growing[parent]!.ids, token];
      if (!stopTokens.has(token)) growing.push({ ids, sum, parent });
      // One that is not among the best would not have been followed either.
      else if (i < width) this.#finish(ids, sum, 'stopToken');
    }
    const length = this.#growing[0]!.ids.length + 1;
    if (length === maxTokens) for (const { ids, sum } of growing) this.#finish([...ids], sum, 'maxTokens');
    this.#done = length === maxTokens || !growing.length || this.#settled(growing[0]!.sum, length);
    this.#growing = Array.from({ length: width }, (_, row) => growing[row] ?? { ...nothing, ids: growing[0]?.ids ?? [] });
  }

  /** The best texts that have ended, best first. */
  best(count: number): Finished[] {
    return this.#finished.slice(0, count);
  }

  #score(sum: number, length: number): number {
    return sum / length ** this.rules.lengthPenalty;
  }

  #finish(ids: number[], sum: number, reason: Finished['reason']): void {
    this.#finished.push({ ids, score: this.#score(sum, ids.length), reason });
    this.#finished.sort((a, b) => b.score - a.score);
    this.#finished.length = Math.min(this.#finished.length, this.rules.width);
  }

  /** True if no growing text, of which the best has this sum, can get among those that have ended: sums only fall. */
  #settled(sum: number, length: number): boolean {
    const { width, earlyStopping, lengthPenalty, maxTokens } = this.rules;
    if (this.#finished.length < width) return false;
    return earlyStopping || this.#finished.at(-1)!.score >= this.#score(sum, lengthPenalty > 0 ? maxTokens : length);
  }
}
