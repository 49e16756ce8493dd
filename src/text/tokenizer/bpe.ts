import { encodeBytes } from './bytes.js';
import { Heap } from './heap.js';
import { field, isObject, malformed } from './json.js';
import { remembered, type TokenModel, Vocabulary, type WordTokens } from './model.js';

export interface BpeOptions {
  readonly unknownToken?: string | undefined;
  /** Stands before every character of a word but the first. */
  readonly continuingPrefix?: string | undefined;
  /** Stands after the last character of a word. */
  readonly wordSuffix?: string | undefined;
  /** Neighbouring unknown characters are one token. */
  readonly fuseUnknown?: boolean;
  /** Characters outside the vocabulary become tokens of their bytes, such as <0xE2>. */
  readonly byteFallback?: boolean;
  /** A word that is a token is that token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}
interface Candidate extends Merge {
  readonly at: number;
  /** The symbols that were to be merged, by which a candidate is known to be stale. */
  readonly left: number;
  readonly right: number;
}

/** Byte-pair encoding (Sennrich et al. 2016): the neighbours whose merge was learnt first are joined first. */
export class Bpe implements TokenModel {
  readonly #merges = new Map<string, Merge>();
  readonly #unknown: number | undefined;
  readonly tokenize: (word: string) => WordTokens;

  /** @throws FILE_CORRUPT for a merge of what the vocabulary lacks. */
  constructor(
    readonly vocabulary: Vocabulary,
    readonly merges: readonly (readonly [string, string])[],
    readonly options: BpeOptions = {},
  ) {
    const prefix = options.continuingPrefix ?? '';
    const idOf = (token: string, i: number): number => {
      const id = vocabulary.idOf(token);
      if (id === undefined) throw malformed(`model.merges[${i}]`, `names "${token}", which the vocabulary lacks`);
      return id;
    };
    for (const [i, [left, right]] of merges.entries()) {
      const pair = `${idOf(left, i)},${idOf(right, i)}`;
      this.#merges.set(pair, { rank: i, id: idOf(left + right.slice(prefix.length), i) });
    }
    this.#unknown = options.unknownToken === undefined ? undefined : vocabulary.idOf(options.unknownToken);
    this.tokenize = remembered((word) => this.#tokenize(word));
  }

  #tokenize(word: string): WordTokens {
    if (this.options.ignoreMerges) {
      const id = this.vocabulary.idOf(word);
      if (id !== undefined) return { ids: [id], lengths: [word.length] };
    }
    return this.#merge(this.#symbols(word));
  }

  /** The characters of a word as ids. */
  #symbols(word: string): { ids: number[]; lengths: number[] } {
    const { continuingPrefix = '', wordSuffix = '', byteFallback, fuseUnknown } = this.options;
    const ids: number[] = [];
    const lengths: number[] = [];
    let at = 0;
    let unknownBefore = false;
    for (const character of word) {
      const last = at + character.length === word.length;
      const token = `${at > 0 ? continuingPrefix : ''}${character}${last ? wordSuffix : ''}`;
      at += character.length;
      const id = this.vocabulary.idOf(token);
      const bytes = id === undefined && byteFallback ? this.#bytes(token) : undefined;
      if (id !== undefined || bytes) {
        unknownBefore = false;
        for (const [i, each] of (bytes ?? [id!]).entries()) {
          ids.push(each);
          // All bytes of a character come from all of it; the last one moves on.
          lengths.push(i === (bytes?.length ?? 1) - 1 ? character.length : 0);
        }
      } else if (this.#unknown !== undefined) {
        if (unknownBefore && fuseUnknown) lengths[lengths.length - 1]! += character.length;
        else {
          ids.push(this.#unknown);
          lengths.push(character.length);
        }
        unknownBefore = true;
      } else if (lengths.length) lengths[lengths.length - 1]! += character.length;
    }
    return { ids, lengths };
  }

  #bytes(token: string): number[] | undefined {
    const ids: number[] = [];
    for (const byte of encodeBytes(token)) {
      const id = this.vocabulary.idOf(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  /** Joins neighbours, the lowest rank first and of equals the leftmost, until no merge is left. */
  #merge({ ids, lengths }: { ids: number[]; lengths: number[] }): WordTokens {
    const count = ids.length;
    if (count < 2) return { ids, lengths };
    const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
    const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
    const queue = new Heap<Candidate>((a, b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at));
    const offer = (at: number): void => {
      const after = at < 0 ? -1 : next[at]!;
      if (after < 0) return;
      const merge = this.#merges.get(`${ids[at]},${ids[after]}`);
      if (merge) queue.push({ rank: merge.rank, id: merge.id, at, left: ids[at]!, right: ids[after]! });
    };
    for (let i = 0; i + 1 < count; i++) offer(i);
    for (let best = queue.pop(); best; best = queue.pop()) {
      const { at, id, left, right } = best;
      const after = next[at]!;
      if (ids[at] !== left || after < 0 || ids[after] !== right) continue;
      ids[at] = id;
      lengths[at]! += lengths[after]!;
      ids[after] = -1;
      next[at] = next[after]!;
      if (next[at]! >= 0) previous[next[at]!] = at;
      offer(previous[at]!);
      offer(at);
    }
    const left = ids.flatMap((id, i) => (id >= 0 ? [i] : []));
    return { ids: left.map((i) => ids[i]!), lengths: left.map((i) => lengths[i]!) };
  }

  toJson(): Record<string, unknown> {
    const { unknownToken, continuingPrefix, wordSuffix, fuseUnknown = false, byteFallback = false, ignoreMerges = false } = this.options;
    return {
      type: 'BPE',
      dropout: null,
      unk_token: unknownToken ?? null,
      continuing_subword_prefix: continuingPrefix ?? null,
      end_of_word_suffix: wordSuffix ?? null,
      fuse_unk: fuseUnknown,
      byte_fallback: byteFallback,
      ignore_merges: ignoreMerges,
      vocab: Object.fromEntries(this.vocabulary.entries()),
      merges: this.merges,
    };
  }
}

/** The vocabulary of a model that writes it as an object. @throws FILE_CORRUPT */
export function vocabularyOf(json: Record<string, unknown>): Vocabulary {
  if (!isObject(json.vocab)) throw malformed('model.vocab', 'must be an object of tokens and their numbers');
  for (const [token, id] of Object.entries(json.vocab))
    if (!Number.isInteger(id) || (id as number) < 0)
      throw malformed(`model.vocab["${token}"]`, `must be a whole number, not ${JSON.stringify(id)}`);
  return new Vocabulary(Object.entries(json.vocab as Record<string, number>));
}

/** @throws FILE_CORRUPT */
export function bpeOf(json: Record<string, unknown>): Bpe {
  if (!Array.isArray(json.merges)) throw malformed('model.merges', 'must be a list');
  const merges = json.merges.map((merge: unknown, i) => {
    // Older files join the two with a blank.
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    if (pair.length !== 2 || pair.some((part) => typeof part !== 'string'))
      throw malformed(`model.merges[${i}]`, 'must be a pair of tokens');
    return pair as unknown as readonly [string, string];
  });
  const text = (name: string): string | undefined => field<string>('model', json, name, '') || undefined;
  return new Bpe(vocabularyOf(json), merges, {
    unknownToken: text('unk_token'),
    continuingPrefix: text('continuing_subword_prefix'),
    wordSuffix: text('end_of_word_suffix'),
    fuseUnknown: field('model', json, 'fuse_unk', false),
    byteFallback: field('model', json, 'byte_fallback', false),
    ignoreMerges: field('model', json, 'ignore_merges', false),
  });
}
