import { encodeBytes } from './bytes.js';
import { field, malformed } from './json.js';
import { remembered, type TokenModel, Vocabulary, type WordTokens } from './model.js';

/** What an unknown character costs below the least likely token. */
const unknownPenalty = 10;

interface Branch {
  id?: number;
  readonly children: Map<string, Branch>;
}

/** A unigram language model (Kudo 2018): the most likely cut of a word into tokens, by Viterbi's algorithm. */
export class Unigram implements TokenModel {
  readonly vocabulary: Vocabulary;
  readonly #root: Branch = { children: new Map() };
  readonly #unknownScore: number;
  readonly tokenize: (word: string) => WordTokens;

  constructor(
    /** Tokens with the logarithms of their probabilities, in the order of their ids. */
    readonly scores: readonly (readonly [token: string, score: number])[],
    readonly unknown: number | undefined,
    readonly byteFallback = false,
  ) {
    this.vocabulary = new Vocabulary(scores.map(([token], id) => [token, id]));
    for (const [id, [token]] of scores.entries()) {
      let branch = this.#root;
      for (const character of token) {
        let child = branch.children.get(character);
        if (!child) branch.children.set(character, (child = { children: new Map() }));
        branch = child;
      }
      branch.id = id;
    }
    this.#unknownScore = scores.reduce((least, [, score]) => Math.min(least, score), Infinity) - unknownPenalty;
    this.tokenize = remembered((word) => this.#tokenize(word));
  }

  #tokenize(word: string): WordTokens {
    const characters = [...word];
    const count = characters.length;
    const best = new Float64Array(count + 1).fill(-Infinity);
    const from = new Int32Array(count + 1);
    const token = new Int32Array(count + 1).fill(-1);
    best[0] = 0;
    for (let start = 0; start < count; start++) {
      const reach = (end: number, id: number, score: number): void => {
        if (best[start]! + score <= best[end]!) return;
        best[end] = best[start]! + score;
        from[end] = start;
        token[end] = id;
      };
      let single = false;
      let branch: Branch | undefined = this.#root;
      for (let end = start; end < count; end++) {
        branch = branch.children.get(characters[end]!);
        if (!branch) break;
        if (branch.id === undefined) continue;
        single ||= end === start;
        reach(end + 1, branch.id, this.scores[branch.id]![1]);
      }
      if (!single) reach(start + 1, -1, this.#unknownScore);
    }
    const spans: [from: number, to: number, id: number][] = [];
    for (let end = count; end > 0; end = from[end]!) spans.unshift([from[end]!, end, token[end]!]);
    return this.#emit(characters, spans);
  }

  /** Neighbouring unknown characters are one token. */
  #emit(characters: readonly string[], spans: readonly [number, number, number][]): WordTokens {
    const ids: number[] = [];
    const lengths: number[] = [];
    let unknown = '';
    const flush = (): void => {
      if (!unknown) return;
      const bytes = this.byteFallback ? this.#bytes(unknown) : undefined;
      const whole = bytes ?? (this.unknown === undefined ? [] : [this.unknown]);
      for (const [i, id] of whole.entries()) {
        ids.push(id);
        lengths.push(i === whole.length - 1 ? unknown.length : 0);
      }
      unknown = '';
    };
    for (const [from, to, id] of spans) {
      const text = characters.slice(from, to).join('');
      if (id < 0 || id === this.unknown) unknown += text;
      else {
        flush();
        ids.push(id);
        lengths.push(text.length);
      }
    }
    flush();
    return { ids, lengths };
  }

  #bytes(text: string): number[] | undefined {
    const ids = Array.from(encodeBytes(text), (byte) => this.vocabulary.idOf(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    return ids.includes(undefined) ? undefined : (ids as number[]);
  }

  toJson(): Record<string, unknown> {
    return { type: 'Unigram', unk_id: this.unknown ?? null, vocab: this.scores, byte_fallback: this.byteFallback };
  }
}

/** @throws FILE_CORRUPT */
export function unigramOf(json: Record<string, unknown>): Unigram {
  const { vocab } = json;
  if (!Array.isArray(vocab)) throw malformed('model.vocab', 'must be a list of tokens and their scores');
  for (const [i, entry] of vocab.entries())
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number')
      throw malformed(`model.vocab[${i}]`, 'must be a token and its score');
  const unknown = json.unk_id ?? undefined;
  if (unknown !== undefined && !(Number.isInteger(unknown) && (unknown as number) >= 0 && (unknown as number) < vocab.length))
    throw malformed('model.unk_id', 'must be the number of a token');
  return new Unigram(vocab as [string, number][], unknown as number | undefined, field('model', json, 'byte_fallback', false));
}
