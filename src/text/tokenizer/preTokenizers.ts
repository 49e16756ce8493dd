import { toByteCharacters } from './bytes.js';
import { field, malformed, type Part, partAt, partsAt, textAt, unknownKind } from './json.js';
import { compilePattern, type PatternJson } from './patterns.js';
import { type Piece, prepend, rewrite, type SplitBehavior, split } from './piece.js';

/** Cuts pieces into the words that the model sees. `first`: the piece begins the text. */
export type PreTokenizer = (piece: Piece, first: boolean) => Piece[];

/** The pattern of GPT-2: contractions, letters, digits, the rest, with the blank before them. */
const gpt2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const punctuation = /[!-/:-@[-`{-~\p{P}]/gu;
const whiteSpace = /\p{White_Space}+/gu;
/** Letters, marks, digits, connectors and joiners; or a run of what is neither these nor white space. */
const inWord = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d';
const words = new RegExp(`[${inWord}]+|[^${inWord}\\p{White_Space}]+`, 'gu');
const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];

const byPattern =
  (pattern: RegExp, behavior: SplitBehavior, invert = false): PreTokenizer =>
  (piece) =>
    split(piece, pattern, behavior, invert);

function sequence(parts: readonly PreTokenizer[]): PreTokenizer {
  return (piece, first) => parts.reduce((pieces, part) => pieces.flatMap((each, i) => part(each, first && i === 0)), [piece]);
}

function behaviorOf(part: Part, where: string): SplitBehavior {
  const behavior = field(where, part, 'behavior', 'Isolated');
  if (!behaviors.includes(behavior)) throw malformed(`${where}.behavior`, `must be one of ${behaviors.join(', ')}`);
  return behavior as SplitBehavior;
}

function byteLevel(part: Part, where: string): PreTokenizer {
  const prefix = field(where, part, 'add_prefix_space', true);
  const cut = field(where, part, 'use_regex', true);
  return (piece) => {
    const text = prefix && !/^\p{White_Space}/u.test(piece.text) ? prepend(piece, ' ') : piece;
    return (cut ? split(text, gpt2, 'Isolated') : [text]).map((word) => rewrite(word, /./gsu, toByteCharacters));
  };
}

/** SentencePiece's: blanks become a visible mark, and words begin with it. */
function metaspace(part: Part, where: string): PreTokenizer {
  const mark = field(where, part, 'replacement', '\u2581');
  // Older files say `add_prefix_space` where newer ones say `prepend_scheme`.
  const scheme: string = field(where, part, 'prepend_scheme', field(where, part, 'add_prefix_space', true) ? 'always' : 'never');
  const cut = field(where, part, 'split', true);
  const pattern = compilePattern({ String: mark });
  return (piece, first) => {
    let text = rewrite(piece, / /g, () => mark);
    if ((scheme === 'always' || (scheme === 'first' && first)) && !text.text.startsWith(mark)) text = prepend(text, mark);
    return cut ? split(text, pattern, 'MergedWithNext') : [text];
  };
}

const kinds: Record<string, (part: Part, where: string) => PreTokenizer> = {
  BertPreTokenizer: () => sequence([byPattern(whiteSpace, 'Removed'), byPattern(punctuation, 'Isolated')]),
  ByteLevel: byteLevel,
  CharDelimiterSplit: (part, where) => byPattern(compilePattern({ String: textAt(where, part, 'delimiter') }), 'Removed'),
  Digits: (part, where) =>
    field(where, part, 'individual_digits', false) ? byPattern(/\p{N}/gu, 'Isolated') : byPattern(/\p{N}+/gu, 'Isolated'),
  FixedLength: (part, where) => byPattern(new RegExp(`[^]{1,${field(where, part, 'length', 5)}}`, 'gu'), 'Isolated'),
  Metaspace: metaspace,
  Punctuation: (part, where) => byPattern(punctuation, behaviorOf(part, where)),
  Sequence: (part, where) =>
    sequence(partsAt(`${where}.pretokenizers`, part.pretokenizers).map((inner, i) => make(inner, `${where}[${i}]`))),
  Split(part, where) {
    if (typeof part.pattern !== 'object' || part.pattern === null) throw malformed(`${where}.pattern`, 'must be { String } or { Regex }');
    return byPattern(compilePattern(part.pattern as PatternJson), behaviorOf(part, where), field(where, part, 'invert', false));
  },
  Whitespace: () => byPattern(words, 'Removed', true),
  WhitespaceSplit: () => byPattern(whiteSpace, 'Removed'),
};

function make(part: Part, where: string): PreTokenizer {
  const kind = kinds[part.type];
  if (!kind) throw unknownKind(where, part.type, Object.keys(kinds));
  return kind(part, where);
}

/** What cuts a text into words, from the `pre_tokenizer` of tokenizer.json. @throws FILE_CORRUPT, UNSUPPORTED */
export function makePreTokenizer(json: unknown): PreTokenizer | undefined {
  const part = partAt('pre_tokenizer', json);
  return part && make(part, 'pre_tokenizer');
}
