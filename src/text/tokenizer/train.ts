import { setImmediate as macrotask } from 'node:timers/promises';
import { checkOptions, PolluxError } from '../../errors.js';
import { Bpe } from './bpe.js';
import { byteAlphabet } from './bytes.js';
import { addedTokenJson } from './addedTokens.js';
import { Vocabulary } from './model.js';
import { makeNormalizer } from './normalizers.js';
import { pieceOf } from './piece.js';
import { makePreTokenizer } from './preTokenizers.js';
import { Tokenizer } from './tokenizer.js';
import { learnPairs, type PairOptions, type WordCounts } from './trainPairs.js';
import { WordLevel, WordPiece } from './wordPiece.js';

/** Texts to learn from, such as the lines of a file. */
export type Texts = Iterable<string> | AsyncIterable<string>;

export interface TrainTokenizerOptions {
  /** Most tokens, special ones included. Default 30,000. */
  vocabularySize?: number;
  /** Pairs that are rarer are not merged. Default 0: any. */
  minFrequency?: number;
  /** First in the vocabulary, in this order. */
  specialTokens?: readonly string[];
  /** Most characters of the alphabet; the rarest become unknown. Default: all. */
  limitAlphabet?: number;
  /** Longest token, in characters. Default: any. */
  longestToken?: number;
}

export interface TrainBpeOptions extends TrainTokenizerOptions {
  /** Over bytes, as GPT-2 (default), so that nothing is unknown; or over characters, cut at white space and punctuation. */
  level?: 'bytes' | 'characters';
}

export interface TrainWordPieceOptions extends TrainTokenizerOptions {
  /** Lower case, accents off, as bert-base-uncased. Default true. */
  lowercase?: boolean;
}

const common = ['vocabularySize', 'minFrequency', 'specialTokens', 'limitAlphabet', 'longestToken'];

/** A byte-pair tokenizer learnt from texts. @throws INVALID_ARGUMENT if there is no text. */
export async function trainBpe(texts: Texts, options: TrainBpeOptions = {}): Promise<Tokenizer> {
  checkOptions('trainBpe', options, [...common, 'level']);
  const { level = 'bytes', specialTokens = level === 'bytes' ? ['<|endoftext|>'] : ['<unk>'] } = options;
  const bytes = level === 'bytes';
  const preTokenizer = bytes ? { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true } : { type: 'Whitespace' };
  const words = await countWords('trainBpe', texts, undefined, preTokenizer);
  const { tokens, merges } = await learnPairs(words, pairOptions('trainBpe', options, specialTokens, bytes ? byteAlphabet : []));
  const unknownToken = specialTokens.find((token) => /unk/i.test(token));
  return new Tokenizer({
    added_tokens: added(specialTokens),
    pre_tokenizer: preTokenizer,
    post_processor: bytes ? { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true } : null,
    decoder: bytes ? { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } : null,
    model: new Bpe(numbered(tokens), merges, { unknownToken }).toJson(),
  });
}

/** BERT's specials, in the order of its vocabulary. */
const bertTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/**
 * A WordPiece tokenizer with BERT's cleaning, cutting and template, learnt from texts: by byte-pair merges, as the published library
 * does. @throws INVALID_ARGUMENT if there is no text, or the special tokens lack [UNK].
 */
export async function trainWordPiece(texts: Texts, options: TrainWordPieceOptions = {}): Promise<Tokenizer> {
  checkOptions('trainWordPiece', options, [...common, 'lowercase']);
  const { lowercase = true, specialTokens = bertTokens } = options;
  if (!specialTokens.includes('[UNK]'))
    throw new PolluxError('INVALID_ARGUMENT', 'trainWordPiece: specialTokens must hold [UNK], which stands for words that cannot be cut.');
  const normalizer = { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase };
  const preTokenizer = { type: 'BertPreTokenizer' };
  const words = await countWords('trainWordPiece', texts, normalizer, preTokenizer);
  const pairs = pairOptions('trainWordPiece', options, specialTokens, []);
  const { tokens } = await learnPairs(words, { ...pairs, continuingPrefix: '##' });
  const has = (token: string): boolean => specialTokens.includes(token);
  return new Tokenizer({
    added_tokens: added(specialTokens),
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: has('[CLS]') && has('[SEP]') ? bertTemplate(specialTokens) : null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: new WordPiece(numbered(tokens)).toJson(),
  });
}

function bertTemplate(specialTokens: readonly string[]): object {
  const token = (id: string, typeId: number) => ({ SpecialToken: { id, type_id: typeId } });
  const text = (id: string, typeId: number) => ({ Sequence: { id, type_id: typeId } });
  const single = [token('[CLS]', 0), text('A', 0), token('[SEP]', 0)];
  const entry = (id: string) => [id, { id, ids: [specialTokens.indexOf(id)], tokens: [id] }];
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, text('B', 1), token('[SEP]', 1)],
    special_tokens: Object.fromEntries(['[CLS]', '[SEP]'].map(entry)),
  };
}

function pairOptions(
  where: string,
  options: TrainTokenizerOptions,
  specialTokens: readonly string[],
  initialAlphabet: readonly string[],
): PairOptions {
  const { vocabularySize = 30_000, minFrequency = 0, limitAlphabet, longestToken = Infinity } = options;
  if (!(Number.isInteger(vocabularySize) && vocabularySize >= specialTokens.length + initialAlphabet.length))
    throw new RangeError(
      `${where}: vocabularySize must be a whole number of at least ${specialTokens.length + initialAlphabet.length} (special tokens and alphabet), got ${vocabularySize}.`,
    );
  return {
    vocabularySize,
    minFrequency,
    specialTokens,
    initialAlphabet,
    limitAlphabet,
    longestToken,
    continuingPrefix: '',
    wordSuffix: '',
  };
}

const numbered = (tokens: readonly string[]): Vocabulary => new Vocabulary(tokens.map((token, id) => [token, id]));
const added = (tokens: readonly string[]) => tokens.map((content, id) => addedTokenJson({ id, content, special: true }));

/** The words of all texts, as the model will see them. */
export async function countWords(where: string, texts: Texts, normalizer: unknown, preTokenizer: unknown): Promise<WordCounts> {
  if (typeof texts === 'string') throw new TypeError(`${where}: give a list of texts, not one text.`);
  const clean = makeNormalizer(normalizer);
  const cut = makePreTokenizer(preTokenizer)!;
  const counts = new Map<string, number>();
  let rested = performance.now();
  for await (const text of texts) {
    if (typeof text !== 'string') throw new TypeError(`${where}: the texts must be strings, not ${typeof text}.`);
    const piece = pieceOf(text, false);
    for (const word of cut(clean ? clean(piece) : piece, true)) counts.set(word.text, (counts.get(word.text) ?? 0) + 1);
    if (performance.now() - rested < 5) continue;
    await macrotask();
    rested = performance.now();
  }
  if (!counts.size) throw new PolluxError('INVALID_ARGUMENT', `${where}: the texts hold no words to learn from.`);
  return counts;
}

export interface TrainWordsOptions extends Pick<TrainTokenizerOptions, 'vocabularySize' | 'minFrequency' | 'specialTokens'> {
  /** Default true. */
  lowercase?: boolean;
}

/**
 * A vocabulary of whole words, the most frequent first (of equally frequent ones, by their letters); others are <unk>. Words are
 * what white space and punctuation part. @throws INVALID_ARGUMENT if there is no text, or the special tokens lack <unk>.
 */
export async function trainWords(texts: Texts, options: TrainWordsOptions = {}): Promise<Tokenizer> {
  checkOptions('trainWords', options, ['vocabularySize', 'minFrequency', 'specialTokens', 'lowercase']);
  const { vocabularySize = 30_000, minFrequency = 1, specialTokens = ['<pad>', '<unk>', '<s>', '</s>'], lowercase = true } = options;
  if (!specialTokens.includes('<unk>'))
    throw new PolluxError('INVALID_ARGUMENT', 'trainWords: specialTokens must hold <unk>, which stands for words outside the vocabulary.');
  const normalizer = lowercase ? { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] } : { type: 'NFC' };
  const preTokenizer = { type: 'Whitespace' };
  const counts = await countWords('trainWords', texts, normalizer, preTokenizer);
  const words = [...counts]
    .filter(([word, count]) => count >= minFrequency && !specialTokens.includes(word))
    .sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
    .slice(0, Math.max(0, vocabularySize - specialTokens.length))
    .map(([word]) => word);
  return new Tokenizer({
    added_tokens: added(specialTokens),
    normalizer,
    pre_tokenizer: preTokenizer,
    model: new WordLevel(numbered([...specialTokens, ...words]), '<unk>').toJson(),
  });
}
