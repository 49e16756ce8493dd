import { setImmediate as macrotask } from 'node:timers/promises';
import { Heap } from './heap.js';

/** Words with how often they occur. */
export type WordCounts = ReadonlyMap<string, number>;

export interface PairOptions {
  readonly vocabularySize: number;
  readonly minFrequency: number;
  /** First in the vocabulary. */
  readonly specialTokens: readonly string[];
  /** Characters that are tokens though they may not occur. */
  readonly initialAlphabet: readonly string[];
  /** Most characters of the alphabet; the rarest are left out. */
  readonly limitAlphabet?: number | undefined;
  readonly continuingPrefix: string;
  readonly wordSuffix: string;
  /** Longest token, in characters. */
  readonly longestToken: number;
}

export interface LearntPairs {
  readonly tokens: string[];
  readonly merges: [string, string][];
}

interface Word {
  symbols: number[];
  readonly count: number;
}
interface Candidate {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<number>;
}

/** How long the event loop may wait, in milliseconds. */
const slice = 5;

/** Learns merges of the pair that occurs most, again and again; of equally frequent pairs, that of the older tokens. */
class PairLearner {
  readonly #ids = new Map<string, number>();
  readonly #tokens: string[] = [];
  readonly #merges: [string, string][] = [];
  readonly #words: Word[] = [];
  /** How often each pair occurs, and in which words it may. */
  readonly #counts = new Map<number, number>();
  readonly #queue = new Heap<Candidate>(
    (a, b) => a.count > b.count || (a.count === b.count && (a.left < b.left || (a.left === b.left && a.right < b.right))),
  );
  #rested = performance.now();

  constructor(
    readonly words: WordCounts,
    readonly options: PairOptions,
  ) {}

  async run(): Promise<LearntPairs> {
    for (const token of this.options.specialTokens) this.#idOf(token);
    this.#alphabet();
    this.#cut();
    await this.#count();
    const { vocabularySize, minFrequency } = this.options;
    while (this.#tokens.length < vocabularySize) {
      const best = this.#queue.pop();
      if (!best) break;
      const now = this.#counts.get(key(best.left, best.right)) ?? 0;
      if (best.count !== now) {
        best.count = now;
        if (now > 0) this.#queue.push(best);
        continue;
      }
      if (best.count < Math.max(1, minFrequency)) break;
      this.#merge(best);
      await this.#rest();
    }
    return { tokens: this.#tokens, merges: this.#merges };
  }

  async #rest(): Promise<void> {
    if (performance.now() - this.#rested < slice) return;
    await macrotask();
    this.#rested = performance.now();
  }

  #idOf(token: string): number {
    let id = this.#ids.get(token);
    if (id === undefined) {
      id = this.#tokens.push(token) - 1;
      this.#ids.set(token, id);
    }
    return id;
  }

  /** The characters that occur, in the order of their code points. */
  #alphabet(): void {
    const { initialAlphabet, limitAlphabet = Infinity } = this.options;
    const counts = new Map<string, number>(initialAlphabet.map((character) => [character, Infinity]));
    for (const [word, count] of this.words) for (const character of word) counts.set(character, (counts.get(character) ?? 0) + count);
    const kept = [...counts].sort((a, b) => b[1] - a[1] || a[0].codePointAt(0)! - b[0].codePointAt(0)!).slice(0, limitAlphabet);
    for (const [character] of kept.sort((a, b) => a[0].codePointAt(0)! - b[0].codePointAt(0)!)) this.#idOf(character);
  }

  #cut(): void {
    const { continuingPrefix, wordSuffix } = this.options;
    for (const [word, count] of this.words) {
      const characters = [...word];
      const symbols = characters.flatMap((character, i) => {
        // A character outside the limited alphabet is left out of the words.
        if (!this.#ids.has(character)) return [];
        return [this.#idOf(`${i > 0 ? continuingPrefix : ''}${character}${i === characters.length - 1 ? wordSuffix : ''}`)];
      });
      this.#words.push({ symbols, count });
    }
  }

  async #count(): Promise<void> {
    const places = new Map<number, Set<number>>();
    for (const [place, { symbols, count }] of this.#words.entries()) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = key(symbols[i]!, symbols[i + 1]!);
        this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + count);
        addTo(places, pair, place);
      }
      await this.#rest();
    }
    this.#offer(places);
  }

  #offer(places: ReadonlyMap<number, Set<number>>): void {
    for (const [pair, words] of places) {
      const count = this.#counts.get(pair)!;
      if (count > 0) this.#queue.push({ left: Math.floor(pair / radix), right: pair % radix, count, words });
    }
  }

  #merge({ left, right, words }: Candidate): void {
    const { continuingPrefix, longestToken } = this.options;
    const first = this.#tokens[left]!;
    const second = this.#tokens[right]!;
    const merged = first + (continuingPrefix && second.startsWith(continuingPrefix) ? second.slice(continuingPrefix.length) : second);
    const id = this.#idOf(merged);
    this.#merges.push([first, second]);
    const grown = new Map<number, Set<number>>();
    for (const place of words) {
      const word = this.#words[place]!;
      const change = (a: number, b: number, by: number): void => {
        const pair = key(a, b);
        this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + by * word.count);
        if (by > 0) addTo(grown, pair, place);
      };
      const fits = (token: number): boolean =>
        longestToken === Infinity || [...this.#tokens[token]!].length + [...merged].length < longestToken;
      const { symbols } = word;
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] !== left || symbols[i + 1] !== right) continue;
        if (i > 0) {
          change(symbols[i - 1]!, left, -1);
          if (fits(symbols[i - 1]!)) change(symbols[i - 1]!, id, 1);
        }
        if (i + 2 < symbols.length) {
          change(right, symbols[i + 2]!, -1);
          if (fits(symbols[i + 2]!)) change(id, symbols[i + 2]!, 1);
        }
        symbols.splice(i, 2, id);
      }
    }
    this.#counts.delete(key(left, right));
    this.#offer(grown);
  }
}

/** Two ids as one number. */
const radix = 2 ** 24;
const key = (left: number, right: number): number => left * radix + right;

function addTo(sets: Map<number, Set<number>>, at: number, item: number): void {
  const set = sets.get(at);
  if (set) set.add(item);
  else sets.set(at, new Set([item]));
}

/** Byte-pair merges of counted words (Sennrich et al. 2016). Leaves the event loop free. */
export const learnPairs = (words: WordCounts, options: PairOptions): Promise<LearntPairs> => new PairLearner(words, options).run();
