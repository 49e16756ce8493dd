import { readFile } from 'node:fs/promises';
import { checkOptions, PolluxError } from '../../errors.js';
import { ioFailed, writeAtomic } from '../../io/atomic.js';
import { type AddedToken, AddedTokens, addedTokenJson, addedTokensOf } from './addedTokens.js';
import { type BatchOptions, type EncodedBatch, padBatch } from './batch.js';
import { bpeOf } from './bpe.js';
import { encodeBytes } from './bytes.js';
import { type Decoder, makeDecoder } from './decoders.js';
import { isObject, malformed, unknownKind } from './json.js';
import type { TokenModel } from './model.js';
import { makeNormalizer, type Normalizer } from './normalizers.js';
import { type Piece, pieceOf } from './piece.js';
import { makePostProcessor, type PostProcessor, type TokenRun } from './postProcessors.js';
import { makePreTokenizer, type PreTokenizer } from './preTokenizers.js';
import { unigramOf } from './unigram.js';
import { wordLevelOf, wordPieceOf } from './wordPiece.js';

/** The parts of tokenizer.json, in the format of the library `tokenizers`. */
export interface TokenizerJson {
  readonly model: Record<string, unknown>;
  readonly added_tokens?: unknown;
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly post_processor?: unknown;
  readonly decoder?: unknown;
  readonly truncation?: unknown;
  readonly padding?: unknown;
  readonly version?: string;
}

export interface EncodeOptions {
  /** A second text, joined to the first by the post-processor's template. */
  pair?: string;
  /** [CLS], <s> and the like. Default true. */
  addSpecialTokens?: boolean;
  /** Cut to this many tokens, special ones included: from the end of the longer text of a pair. */
  maxLength?: number;
  /** Also say where in the text each token stands. */
  offsets?: boolean;
}

/** The tokens of a text. All lists have one entry a token. */
export interface Encoding {
  readonly ids: number[];
  readonly tokens: string[];
  /** 0 for the first text, 1 for the second of a pair (where the template says so). */
  readonly typeIds: number[];
  /** 1 for tokens that the template added. */
  readonly specialTokens: number[];
  /** [start, end) in UTF-16 units of the text, so that `text.slice(start, end)` is the token's source; [0, 0] for special tokens. */
  readonly offsets?: [number, number][];
}

const models: Record<string, (json: Record<string, unknown>) => TokenModel> = {
  BPE: bpeOf,
  Unigram: unigramOf,
  WordLevel: wordLevelOf,
  WordPiece: wordPieceOf,
};

/** Files from before models named their kind. */
const guessKind = (json: Record<string, unknown>): string =>
  json.type === undefined || json.type === null
    ? 'merges' in json
      ? 'BPE'
      : Array.isArray(json.vocab)
        ? 'Unigram'
        : 'WordPiece'
    : String(json.type);

/**
 * Turns text into token ids and back, as the `tokenizer.json` of a published model says: clean, cut into words, look up, add
 * special tokens. Load one, or train one with `trainBpe` or `trainWordPiece`.
 */
export class Tokenizer {
  readonly #json: TokenizerJson;
  readonly #model: TokenModel;
  readonly #added: readonly AddedToken[];
  readonly #addedById: ReadonlyMap<number, AddedToken>;
  readonly #addedByContent: ReadonlyMap<string, AddedToken>;
  readonly #inText: AddedTokens;
  readonly #inCleanText: AddedTokens;
  readonly #normalizer: Normalizer | undefined;
  readonly #preTokenizer: PreTokenizer | undefined;
  readonly #postProcessor: PostProcessor;
  readonly #trimOffsets: boolean;
  readonly #decoder: Decoder;

  /** @throws FILE_CORRUPT naming the part that is malformed; UNSUPPORTED for a kind of part that is not known. */
  constructor(json: TokenizerJson) {
    if (!isObject(json) || !isObject(json.model)) throw malformed('model', 'is missing: this is no tokenizer');
    const kind = guessKind(json.model);
    if (!models[kind]) throw unknownKind('model', kind, Object.keys(models));
    this.#json = json;
    this.#model = models[kind](json.model);
    this.#added = addedTokensOf(json.added_tokens);
    this.#addedById = new Map(this.#added.map((token) => [token.id, token]));
    this.#addedByContent = new Map(this.#added.map((token) => [token.content, token]));
    this.#normalizer = makeNormalizer(json.normalizer);
    const clean = (text: string): string => this.#normalizer?.({ text }).text ?? text;
    this.#inText = new AddedTokens(this.#added.filter((token) => !token.normalized));
    this.#inCleanText = new AddedTokens(
      this.#added.filter((token) => token.normalized),
      clean,
    );
    this.#preTokenizer = makePreTokenizer(json.pre_tokenizer);
    this.#postProcessor = makePostProcessor(json.post_processor);
    this.#trimOffsets = JSON.stringify(json.post_processor ?? null).includes('"trim_offsets":true');
    this.#decoder = makeDecoder(json.decoder);
  }

  /** Reads a tokenizer.json. @throws IO_FAILED, FILE_CORRUPT, UNSUPPORTED */
  static async load(file: string): Promise<Tokenizer> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      throw ioFailed('read', file, cause);
    }
    return Tokenizer.parse(text, file);
  }

  /** A tokenizer from the text of a tokenizer.json. */
  static parse(text: string, name = 'tokenizer.json'): Tokenizer {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw new PolluxError('FILE_CORRUPT', `${name} is no JSON: ${(cause as Error).message}. Was it cut off?`, { cause });
    }
    return new Tokenizer(json as TokenizerJson);
  }

  /** Writes a tokenizer.json that this and the published library read. The old file stays whole until the new one is. */
  async save(file: string): Promise<void> {
    await writeAtomic(file, [encodeBytes(`${JSON.stringify(this.toJson(), null, 2)}\n`)]);
  }

  toJson(): TokenizerJson {
    const {
      truncation = null,
      padding = null,
      normalizer = null,
      pre_tokenizer = null,
      post_processor = null,
      decoder = null,
    } = this.#json;
    return {
      version: '1.0',
      truncation,
      padding,
      added_tokens: this.#added.map(addedTokenJson),
      normalizer,
      pre_tokenizer,
      post_processor,
      decoder,
      model: this.#model.toJson(),
    };
  }

  /** Number of ids: an embedding needs as many rows. */
  get vocabularySize(): number {
    const extra = this.#added.filter(({ id }) => this.#model.vocabulary.tokenOf(id) === undefined);
    return extra.reduce((size, { id }) => Math.max(size, id + 1), this.#model.vocabulary.size);
  }

  /** The id of a token, or undefined. */
  idOf(token: string): number | undefined {
    return this.#addedByContent.get(token)?.id ?? this.#model.vocabulary.idOf(token);
  }

  /** The token of an id, or undefined. */
  tokenOf(id: number): string | undefined {
    return this.#addedById.get(id)?.content ?? this.#model.vocabulary.tokenOf(id);
  }

  /** Ids of the special tokens: those that `decode` leaves out. */
  get specialIds(): number[] {
    return this.#added.filter(({ special }) => special).map(({ id }) => id);
  }

  /** The tokens of a text, or of a pair of texts. */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    checkOptions('encode', options, ['pair', 'addSpecialTokens', 'maxLength', 'offsets']);
    const { pair, addSpecialTokens = true, maxLength, offsets = false } = options;
    if (typeof text !== 'string') throw new TypeError(`encode: the text must be a string, not ${typeof text}.`);
    const runs = [this.#run(text, offsets), ...(pair === undefined ? [] : [this.#run(pair, offsets)])];
    if (maxLength !== undefined) {
      const room = maxLength - (addSpecialTokens ? this.#postProcessor.added(pair !== undefined) : 0);
      if (!(Number.isInteger(maxLength) && room >= 0))
        throw new RangeError(`encode: maxLength ${maxLength} leaves no room: the special tokens alone are ${maxLength - room}.`);
      truncate(runs, room);
    }
    const run = addSpecialTokens ? this.#postProcessor.apply(runs[0]!, runs[1]) : joined(runs);
    return {
      ids: run.ids,
      tokens: run.ids.map((id) => this.tokenOf(id) ?? ''),
      typeIds: run.typeIds,
      specialTokens: run.special,
      ...(run.offsets && { offsets: run.offsets }),
    };
  }

  /**
   * Texts (or pairs) as one batch of equal length: ids and typeIds int32 [N, T], mask bool [N, T], true where a token stands,
   * lengths int32 [N].
   */
  encodeBatch(texts: readonly (string | readonly [string, string])[], options: BatchOptions = {}): EncodedBatch {
    const { padTo, padId, padSide, padToMultipleOf, ...rest } = options;
    const encodings = texts.map((text) =>
      typeof text === 'string' ? this.encode(text, rest) : this.encode(text[0], { ...rest, pair: text[1] }),
    );
    return padBatch(encodings, { padTo, padSide, padToMultipleOf, padId: padId ?? this.padId });
  }

  /** The id that pads: what the file says, else that of a token named like one, else 0. */
  get padId(): number {
    const said = isObject(this.#json.padding) ? this.#json.padding.pad_id : undefined;
    if (Number.isInteger(said)) return said as number;
    return ['[PAD]', '<pad>', '<|pad|>', '<|endoftext|>'].map((token) => this.idOf(token)).find((id) => id !== undefined) ?? 0;
  }

  /** The text of ids. Special tokens are left out unless `skipSpecialTokens: false`. @throws INDEX_OUT_OF_RANGE for an unknown id. */
  decode(ids: ArrayLike<number | bigint>, options: { skipSpecialTokens?: boolean } = {}): string {
    checkOptions('decode', options, ['skipSpecialTokens']);
    const { skipSpecialTokens = true } = options;
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = Number(ids[i]);
      const added = this.#addedById.get(id);
      if (added?.special && skipSpecialTokens) continue;
      const token = added?.content ?? this.#model.vocabulary.tokenOf(id);
      if (token === undefined)
        throw new PolluxError(
          'INDEX_OUT_OF_RANGE',
          `decode: token ${id} at place ${i} lies outside the vocabulary of ${this.vocabularySize}.`,
        );
      tokens.push(token);
    }
    return this.#decoder(tokens).join('');
  }

  /** The tokens of one text, before special ones are added. */
  #run(text: string, tracked: boolean): TokenRun {
    const run: TokenRun = { ids: [], typeIds: [], special: [], ...(tracked && { offsets: [] }) };
    const add = (id: number, offset: [number, number]): void => {
      run.ids.push(id);
      run.typeIds.push(0);
      run.special.push(0);
      run.offsets?.push(offset);
    };
    let first = true;
    for (const raw of this.#inText.split(pieceOf(text, tracked))) {
      const found = raw.token ? [raw] : this.#inCleanText.split(this.#normalizer?.(raw.piece) ?? raw.piece);
      for (const { piece, token } of found) {
        if (token) add(token.id, spanOf(piece, 0, piece.text.length));
        else for (const word of this.#preTokenizer?.(piece, first) ?? [piece]) this.#addWord(word, text, add);
        first = false;
      }
    }
    return run;
  }

  #addWord(word: Piece, text: string, add: (id: number, offset: [number, number]) => void): void {
    if (!word.text) return;
    const { ids, lengths } = this.#model.tokenize(word.text);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      // A token of no length (a byte of a character) comes from the character that follows.
      const span = word.starts ? spanOf(word, at, at + Math.max(1, lengths[i]!)) : ([0, 0] as [number, number]);
      add(ids[i]!, this.#trimOffsets && word.starts ? trimmed(text, span) : span);
      at += lengths[i]!;
    }
  }
}

const spanOf = ({ starts, ends }: Piece, from: number, to: number): [number, number] =>
  starts && to > from && from < starts.length ? [starts[from]!, ends![Math.min(to, ends!.length) - 1]!] : [0, 0];

function trimmed(text: string, [start, end]: [number, number]): [number, number] {
  let [from, to] = [start, end];
  while (from < to && /\p{White_Space}/u.test(text[from]!)) from++;
  while (to > from && /\p{White_Space}/u.test(text[to - 1]!)) to--;
  return [from, to];
}

/** Cuts the longer run first, as long as it is the longer. */
function truncate(runs: readonly TokenRun[], room: number): void {
  const sizes = runs.map(({ ids }) => ids.length);
  while (sizes.reduce((sum, size) => sum + size, 0) > room) sizes[sizes.length > 1 && sizes[1]! >= sizes[0]! ? 1 : 0]!--;
  for (const [i, run] of runs.entries())
    for (const list of [run.ids, run.typeIds, run.special, run.offsets ?? []]) list.length = Math.min(list.length, sizes[i]!);
}

const joined = ([first, second]: readonly TokenRun[]): TokenRun =>
  second
    ? {
        ids: [...first!.ids, ...second.ids],
        typeIds: [...first!.typeIds, ...second.typeIds.map(() => 1)],
        special: [...first!.special, ...second.special],
        ...(first!.offsets && { offsets: [...first!.offsets, ...second.offsets!] }),
      }
    : first!;
