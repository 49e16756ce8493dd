import { isObject, malformed } from './json.js';
import { type Piece, sliceOf } from './piece.js';

/** A token that is found in the text itself, before the model sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out by `decode` unless asked for: [CLS], <pad>, ... */
  readonly special: boolean;
  /** Only where no letter or digit stands beside it. */
  readonly singleWord?: boolean;
  /** Takes the white space before it, after it. */
  readonly stripLeft?: boolean;
  readonly stripRight?: boolean;
  /** Looked for in the cleaned text rather than in the text as given. Default: unless special. */
  readonly normalized?: boolean;
}

/** A piece of text, or an added token that was found. */
export type Found = { readonly piece: Piece; readonly token?: AddedToken };

const escape = (text: string): string => text.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&');

/** Finds added tokens; at one place the longest wins. */
export class AddedTokens {
  readonly #byContent = new Map<string, AddedToken>();
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly AddedToken[], clean: (text: string) => string = (text) => text) {
    for (const token of tokens) if (token.content) this.#byContent.set(clean(token.content), token);
    const contents = [...this.#byContent.keys()].filter(Boolean).sort((a, b) => b.length - a.length);
    if (contents.length) this.#pattern = new RegExp(contents.map(escape).join('|'), 'g');
  }

  /** The piece, cut at the tokens in it. */
  split(piece: Piece): Found[] {
    if (!this.#pattern || !piece.text) return [{ piece }];
    const { text } = piece;
    const found: Found[] = [];
    let done = 0;
    for (const match of text.matchAll(this.#pattern)) {
      const token = this.#byContent.get(match[0])!;
      let from = match.index;
      let to = from + match[0].length;
      if (from < done) continue;
      if (token.singleWord && (/[\p{L}\p{N}\p{M}_]$/u.test(text.slice(0, from)) || /^[\p{L}\p{N}\p{M}_]/u.test(text.slice(to)))) continue;
      if (token.stripLeft) from = Math.max(done, from - /\p{White_Space}*$/u.exec(text.slice(0, from))![0].length);
      if (token.stripRight) to += /^\p{White_Space}*/u.exec(text.slice(to))![0].length;
      if (from > done) found.push({ piece: sliceOf(piece, done, from) });
      found.push({ piece: sliceOf(piece, from, to), token });
      done = to;
    }
    if (done < text.length) found.push({ piece: sliceOf(piece, done, text.length) });
    return found;
  }
}

/** The `added_tokens` of tokenizer.json. @throws FILE_CORRUPT */
export function addedTokensOf(json: unknown): AddedToken[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json)) throw malformed('added_tokens', 'must be a list');
  return json.map((entry: unknown, i) => {
    if (!isObject(entry) || !Number.isInteger(entry.id) || typeof entry.content !== 'string')
      throw malformed(`added_tokens[${i}]`, 'must have a whole "id" and a "content"');
    const special = entry.special === true;
    return {
      id: entry.id as number,
      content: entry.content,
      special,
      singleWord: entry.single_word === true,
      stripLeft: entry.lstrip === true,
      stripRight: entry.rstrip === true,
      normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
    };
  });
}

export const addedTokenJson = ({ id, content, special, singleWord, stripLeft, stripRight, normalized }: AddedToken) => ({
  id,
  content,
  single_word: singleWord ?? false,
  lstrip: stripLeft ?? false,
  rstrip: stripRight ?? false,
  normalized: normalized ?? !special,
  special,
});
