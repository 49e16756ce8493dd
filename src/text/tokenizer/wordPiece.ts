import { vocabularyOf } from './bpe.js';
import { field, malformed } from './json.js';
import { remembered, type TokenModel, type Vocabulary, type WordTokens } from './model.js';

export interface WordPieceOptions {
  /** Default '[UNK]'. */
  readonly unknownToken?: string;
  /** Default '##'. */
  readonly continuingPrefix?: string;
  /** Longer words are unknown. Default 100. */
  readonly longestWord?: number;
}

/** WordPiece (Schuster and Nakajima 2012; BERT): the longest token that begins what is left, again and again, or the word is unknown. */
export class WordPiece implements TokenModel {
  readonly #unknown: number;
  readonly #prefix: string;
  readonly #longest: number;
  readonly tokenize: (word: string) => WordTokens;

  /** @throws FILE_CORRUPT if the vocabulary lacks the unknown token. */
  constructor(
    readonly vocabulary: Vocabulary,
    readonly options: WordPieceOptions = {},
  ) {
    const { unknownToken = '[UNK]', continuingPrefix = '##', longestWord = 100 } = options;
    const unknown = vocabulary.idOf(unknownToken);
    if (unknown === undefined) throw malformed('model.vocab', `lacks the unknown token "${unknownToken}"`);
    this.#unknown = unknown;
    this.#prefix = continuingPrefix;
    this.#longest = longestWord;
    this.tokenize = remembered((word) => this.#tokenize(word));
  }

  #tokenize(word: string): WordTokens {
    const characters = [...word];
    const unknown: WordTokens = { ids: [this.#unknown], lengths: [word.length] };
    if (characters.length > this.#longest) return unknown;
    const ids: number[] = [];
    const lengths: number[] = [];
    for (let from = 0; from < characters.length; ) {
      let to = characters.length;
      let id: number | undefined;
      let text = '';
      for (; to > from; to--) {
        text = characters.slice(from, to).join('');
        id = this.vocabulary.idOf(from > 0 ? this.#prefix + text : text);
        if (id !== undefined) break;
      }
      if (id === undefined) return unknown;
      ids.push(id);
      lengths.push(text.length);
      from = to;
    }
    return { ids, lengths };
  }

  toJson(): Record<string, unknown> {
    return {
      type: 'WordPiece',
      unk_token: this.vocabulary.tokenOf(this.#unknown),
      continuing_subword_prefix: this.#prefix,
      max_input_chars_per_word: this.#longest,
      vocab: Object.fromEntries(this.vocabulary.entries()),
    };
  }
}

/** @throws FILE_CORRUPT */
export const wordPieceOf = (json: Record<string, unknown>): WordPiece =>
  new WordPiece(vocabularyOf(json), {
    unknownToken: field('model', json, 'unk_token', '[UNK]'),
    continuingPrefix: field('model', json, 'continuing_subword_prefix', '##'),
    longestWord: field('model', json, 'max_input_chars_per_word', 100),
  });

/** Every word is a token, or unknown. */
export class WordLevel implements TokenModel {
  readonly #unknown: number | undefined;

  constructor(
    readonly vocabulary: Vocabulary,
    readonly unknownToken = '<unk>',
  ) {
    this.#unknown = vocabulary.idOf(unknownToken);
  }

  tokenize(word: string): WordTokens {
    const id = this.vocabulary.idOf(word) ?? this.#unknown;
    if (id === undefined)
      throw malformed('model.vocab', `lacks the word "${word}" and the unknown token "${this.unknownToken}" that would stand for it`);
    return { ids: [id], lengths: [word.length] };
  }

  toJson(): Record<string, unknown> {
    return { type: 'WordLevel', vocab: Object.fromEntries(this.vocabulary.entries()), unk_token: this.unknownToken };
  }
}

/** @throws FILE_CORRUPT */
export const wordLevelOf = (json: Record<string, unknown>): WordLevel =>
  new WordLevel(vocabularyOf(json), field('model', json, 'unk_token', '<unk>'));
