import type { WordCounts } from './trainPairs.js';

/** Tokens with the logarithms of their probabilities. */
export type Pieces = ReadonlyMap<string, number>;
/** Called often; waits now and then. */
export type Pace = () => Promise<void>;

interface Word {
  readonly characters: readonly string[];
  readonly count: number;
}
/** A token that begins somewhere in a word. */
interface Arc {
  readonly end: number;
  readonly token: string;
  readonly score: number;
}

/** Tokens that are expected less often than this go; characters never do. */
const leastExpected = 0.5;

const logSum = (a: number, b: number): number => {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
};

/**
 * ln x as a Bayesian with a sparse Dirichlet prior estimates it: exp(digamma(x)) instead of x, which lowers small counts
 * (Liang and Klein 2007; SentencePiece's choice).
 */
function digamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 7; z++) shift -= 1 / z;
  const r = 1 / (z * z);
  return shift + Math.log(z) - 0.5 / z - r * (1 / 12 - r * (1 / 120 - r / 252));
}

/** Fits a unigram model to words, and prunes it. */
export class UnigramLearner {
  readonly #words: Word[];
  /** By how often they occur. */
  readonly #frequencies = new Map<string, number>();

  constructor(
    words: WordCounts,
    readonly longest: number,
    readonly pace: Pace,
  ) {
    this.#words = [...words].map(([word, count]) => ({ characters: [...word], count }));
    for (const { characters, count } of this.#words)
      for (const character of characters) this.#frequencies.set(character, (this.#frequencies.get(character) ?? 0) + count);
  }

  get characters(): string[] {
    return [...this.#frequencies.keys()];
  }

  /** All characters, and the substrings of words that occur at least twice and cover most text. */
  async seed(size: number, excluded: readonly string[]): Promise<Pieces> {
    const counts = new Map<string, number>();
    for (const { characters, count } of this.#words) {
      for (let start = 0; start < characters.length; start++) {
        let token = characters[start]!;
        for (let end = start + 1; end < characters.length && end - start < this.longest; end++) {
          token += characters[end]!;
          counts.set(token, (counts.get(token) ?? 0) + count);
        }
      }
      await this.pace();
    }
    for (const token of excluded) counts.delete(token);
    const covered = (token: string, count: number): number => count * [...token].length;
    const substrings = [...counts]
      .filter(([, count]) => count > 1)
      .map(([token, count]): [string, number] => [token, covered(token, count)])
      .sort(([a, few], [b, many]) => many - few || (a < b ? -1 : 1))
      .slice(0, Math.max(0, size - this.#frequencies.size));
    return normalised(new Map([...this.#frequencies, ...substrings]));
  }

  /** What begins at each place of a word. */
  #lattice({ characters }: Word, pieces: Pieces): Arc[][] {
    return characters.map((_, start) => {
      const arcs: Arc[] = [];
      let token = '';
      for (let end = start + 1; end <= characters.length && end - start <= this.longest; end++) {
        token += characters[end - 1]!;
        const score = pieces.get(token);
        if (score !== undefined) arcs.push({ end, token, score });
      }
      return arcs;
    });
  }

  /** How often each token is expected over all cuts of the words, and the likelihood of the words. */
  async expect(pieces: Pieces): Promise<{ expected: Map<string, number>; logLikelihood: number }> {
    const expected = new Map<string, number>();
    let logLikelihood = 0;
    for (const word of this.#words) {
      const lattice = this.#lattice(word, pieces);
      const size = lattice.length;
      const before = new Float64Array(size + 1).fill(-Infinity);
      const behind = new Float64Array(size + 1).fill(-Infinity);
      before[0] = behind[size] = 0;
      lattice.forEach((arcs, start) => {
        for (const { end, score } of arcs) before[end] = logSum(before[end]!, before[start]! + score);
      });
      for (let start = size - 1; start >= 0; start--)
        for (const { end, score } of lattice[start]!) behind[start] = logSum(behind[start]!, behind[end]! + score);
      const total = before[size]!;
      logLikelihood += word.count * total;
      lattice.forEach((arcs, start) => {
        for (const { end, token, score } of arcs) {
          const share = word.count * Math.exp(before[start]! + score + behind[end]! - total);
          expected.set(token, (expected.get(token) ?? 0) + share);
        }
      });
      await this.pace();
    }
    return { expected, logLikelihood };
  }

  /** The model that the expected counts make most likely, under a prior that rare tokens fall to. */
  maximise(pieces: Pieces, expected: ReadonlyMap<string, number>): Pieces {
    const kept: [string, number][] = [];
    for (const token of pieces.keys()) {
      const count = expected.get(token) ?? 0;
      if (count >= leastExpected || this.#frequencies.has(token)) kept.push([token, Math.max(count, leastExpected)]);
    }
    const total = digamma(kept.reduce((sum, [, count]) => sum + count, 0));
    return new Map(kept.map(([token, count]) => [token, digamma(count) - total]));
  }

  /** The most likely cut of a word into tokens other than `without`. */
  #best(word: Word, pieces: Pieces, without?: string): string[] {
    const lattice = this.#lattice(word, pieces);
    const size = lattice.length;
    const best = new Float64Array(size + 1).fill(-Infinity);
    const arrived: ([start: number, token: string] | undefined)[] = [];
    best[0] = 0;
    lattice.forEach((arcs, start) => {
      for (const { end, token, score } of arcs) {
        if (token === without || best[start]! + score <= best[end]!) continue;
        best[end] = best[start]! + score;
        arrived[end] = [start, token];
      }
    });
    const tokens: string[] = [];
    for (let end = size; end > 0; end = arrived[end]![0]) tokens.push(arrived[end]![1]);
    return tokens.reverse();
  }

  /** The `size` tokens without which the likelihood of the words would fall most, and all characters. */
  async prune(pieces: Pieces, size: number): Promise<Pieces> {
    const counts = new Map<string, number>();
    for (const word of this.#words) {
      for (const token of this.#best(word, pieces)) counts.set(token, (counts.get(token) ?? 0) + word.count);
      await this.pace();
    }
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const losses: [token: string, loss: number][] = [];
    for (const token of pieces.keys()) {
      if (this.#frequencies.has(token)) continue;
      const count = counts.get(token) ?? 0;
      if (!count) continue; // no best cut has it: nothing is lost
      const parts = this.#best({ characters: [...token], count }, pieces, token);
      // Without it its places are cut into its parts, which become as much more frequent.
      const after = Math.log(total + count * (parts.length - 1));
      const apart = parts.reduce((sum, part) => sum + Math.log((counts.get(part) ?? 0) + count) - after, 0);
      losses.push([token, count * (Math.log(count) - Math.log(total) - apart)]);
      await this.pace();
    }
    losses.sort(([a, less], [b, more]) => more - less || (a < b ? -1 : 1));
    const room = Math.max(0, size - this.#frequencies.size);
    const kept = new Set([...this.#frequencies.keys(), ...losses.slice(0, room).map(([token]) => token)]);
    return new Map([...pieces].filter(([token]) => kept.has(token)));
  }

  /** The `size` most likely tokens, all characters among them, by falling probability. */
  choose(pieces: Pieces, size: number): [token: string, score: number][] {
    const byScore = [...pieces].sort(([a, low], [b, high]) => high - low || (a < b ? -1 : 1));
    const room = size - this.#frequencies.size;
    const longer = byScore.filter(([token]) => !this.#frequencies.has(token)).slice(0, room);
    const kept = new Set([...this.#frequencies.keys(), ...longer.map(([token]) => token)]);
    return byScore.filter(([token]) => kept.has(token));
  }
}

/** Logarithms of the shares of counts. */
function normalised(counts: ReadonlyMap<string, number>): Pieces {
  const total = Math.log([...counts.values()].reduce((sum, count) => sum + count, 0));
  return new Map([...counts].map(([token, count]) => [token, Math.log(count) - total]));
}
