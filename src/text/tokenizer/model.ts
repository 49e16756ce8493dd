/** Tokens of one word: their ids, and how many UTF-16 units of the word each covers. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly lengths: readonly number[];
}

/** Turns words into tokens of its vocabulary. */
export interface TokenModel {
  readonly vocabulary: Vocabulary;
  tokenize(word: string): WordTokens;
  /** The `model` of tokenizer.json. */
  toJson(): Record<string, unknown>;
}

/** Tokens by number, and numbers by token. */
export class Vocabulary {
  readonly #ids: Map<string, number>;
  readonly #tokens: string[] = [];

  constructor(entries: Iterable<readonly [token: string, id: number]>) {
    this.#ids = new Map(entries);
    for (const [token, id] of this.#ids) this.#tokens[id] = token;
  }

  get size(): number {
    return this.#ids.size;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** By id, ascending. */
  entries(): [token: string, id: number][] {
    return [...this.#ids].sort(([, a], [, b]) => a - b);
  }

  has(token: string): boolean {
    return this.#ids.has(token);
  }
}

const mostWords = 50_000;

/** Remembers what became of each word, since texts repeat theirs; a full memory begins anew. */
export function remembered(tokenize: (word: string) => WordTokens): (word: string) => WordTokens {
  let known = new Map<string, WordTokens>();
  return (word) => {
    let found = known.get(word);
    if (!found) {
      found = tokenize(word);
      if (known.size >= mostWords) known = new Map();
      if (word.length <= 256) known.set(word, found);
    }
    return found;
  };
}
