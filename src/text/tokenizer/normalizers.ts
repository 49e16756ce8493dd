import { toByteCharacters } from './bytes.js';
import { charsMap } from './charsMap.js';
import { field, malformed, type Part, partAt, partsAt, textAt, unknownKind } from './json.js';
import { compilePattern, type PatternJson } from './patterns.js';
import { type Piece, prepend, rewrite, sliceOf } from './piece.js';

export type Normalizer = (piece: Piece) => Piece;

/** A base character with its marks (and the jamo of a Hangul syllable): what a Unicode normal form changes together. */
const cluster = /[\u1100-\u11ff\uac00-\ud7ff]+|\P{M}?\p{M}+|[^\0-\x7f]/gu;
const ideograph =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const control = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/gu;
const space = /\p{White_Space}/gu;

const normalForm =
  (form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Normalizer =>
  (piece) =>
    piece.starts ? rewrite(piece, cluster, (match) => match.normalize(form)) : { text: piece.text.normalize(form) };

// By character: 'Σ'.toLowerCase() depends on what stands around it, a tokenizer's rule does not.
const lowercase: Normalizer = (piece) => rewrite(piece, /[A-Z]+|[^\0-\x7f]/gu, (match) => match.toLowerCase());

const without =
  (pattern: RegExp): Normalizer =>
  (piece) =>
    rewrite(piece, pattern, () => '');

function chain(parts: readonly Normalizer[]): Normalizer {
  return (piece) => parts.reduce((done, part) => part(done), piece);
}

/** BERT's: control characters out, white space to blanks, blanks around ideographs, accents off, lower case. */
function bert(part: Part, where: string): Normalizer {
  const lower = field(where, part, 'lowercase', true);
  const accents = part.strip_accents ?? lower;
  const steps: Normalizer[] = [];
  if (field(where, part, 'clean_text', true)) steps.push(without(control), (piece) => rewrite(piece, space, () => ' '));
  if (field(where, part, 'handle_chinese_chars', true)) steps.push((piece) => rewrite(piece, ideograph, (match) => ` ${match} `));
  if (accents) steps.push(normalForm('NFD'), without(/\p{Mn}/gu));
  if (lower) steps.push(lowercase);
  return chain(steps);
}

function strip(left: boolean, right: boolean): Normalizer {
  return (piece) => {
    const from = left ? /^\p{White_Space}*/u.exec(piece.text)![0].length : 0;
    const to = right ? piece.text.length - /\p{White_Space}*$/u.exec(piece.text)![0].length : piece.text.length;
    return sliceOf(piece, from, Math.max(from, to));
  };
}

const kinds: Record<string, (part: Part, where: string) => Normalizer> = {
  BertNormalizer: bert,
  ByteLevel: () => (piece) => rewrite(piece, /./gsu, toByteCharacters),
  Lowercase: () => lowercase,
  NFC: () => normalForm('NFC'),
  NFD: () => normalForm('NFD'),
  NFKC: () => normalForm('NFKC'),
  NFKD: () => normalForm('NFKD'),
  Nmt: () =>
    chain([
      without(/(?![\t\n\f\r\u0080-\u008e\u0090-\u009e])\p{Cc}/gu),
      (piece) => rewrite(piece, /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu, () => ' '),
    ]),
  Precompiled: (part, where) => charsMap(textAt(where, part, 'precompiled_charsmap'), where),
  Prepend(part, where) {
    const text = textAt(where, part, 'prepend');
    return (piece) => (piece.text ? prepend(piece, text) : piece);
  },
  Replace(part, where) {
    if (typeof part.pattern !== 'object' || part.pattern === null) throw malformed(`${where}.pattern`, 'must be { String } or { Regex }');
    const pattern = compilePattern(part.pattern as PatternJson);
    const content = textAt(where, part, 'content');
    return (piece) => rewrite(piece, pattern, () => content);
  },
  Sequence: (part, where) => chain(partsAt(`${where}.normalizers`, part.normalizers).map((inner, i) => make(inner, `${where}[${i}]`))),
  Strip: (part, where) => strip(field(where, part, 'strip_left', true), field(where, part, 'strip_right', true)),
  StripAccents: () => without(/\p{M}/gu),
};

function make(part: Part, where: string): Normalizer {
  const kind = kinds[part.type];
  if (!kind) throw unknownKind(where, part.type, Object.keys(kinds));
  return kind(part, where);
}

/** What cleans a text before it is cut, from the `normalizer` of tokenizer.json. @throws FILE_CORRUPT, UNSUPPORTED */
export function makeNormalizer(json: unknown): Normalizer | undefined {
  const part = partAt('normalizer', json);
  return part && make(part, 'normalizer');
}
