import { decodeBytes, fromByteCharacters } from './bytes.js';
import { field, malformed, type Part, partAt, partsAt, textAt, unknownKind } from './json.js';
import { compilePattern, type PatternJson } from './patterns.js';

/** Turns tokens into the parts of a text, which are then joined. */
export type Decoder = (tokens: string[]) => string[];

const each =
  (change: (token: string, place: number, count: number) => string): Decoder =>
  (tokens) =>
    tokens.map((token, i) => change(token, i, tokens.length));

/** Takes back the blanks that cutting put before punctuation and contractions, as the models' published tokenizers do. */
const tidy = (text: string): string =>
  text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");

function wordPiece(part: Part, where: string): Decoder {
  const prefix = field(where, part, 'prefix', '##');
  const cleanup = field(where, part, 'cleanup', true);
  return each((token, i) => {
    const text = i > 0 ? (token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`) : token;
    return cleanup ? tidy(text) : text;
  });
}

function metaspace(part: Part, where: string): Decoder {
  const mark = field(where, part, 'replacement', '\u2581');
  const prepended = field(where, part, 'prepend_scheme', field(where, part, 'add_prefix_space', true) ? 'always' : 'never') !== 'never';
  return each((token, i) => {
    const text = token.replaceAll(mark, ' ');
    return i === 0 && prepended && text.startsWith(' ') ? text.slice(1) : text;
  });
}

/** Tokens such as <0xE2> are single bytes; a run of them that is no UTF-8 becomes one U+FFFD a byte. */
const byteFallback: Decoder = (tokens) => {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (!bytes.length) return;
    const text = decodeBytes(bytes);
    out.push(text.includes('\ufffd') ? '\ufffd'.repeat(bytes.length) : text);
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) bytes.push(Number.parseInt(byte[1]!, 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
};

function strip(part: Part, where: string): Decoder {
  const content = textAt(where, part, 'content');
  const [most, mostAtEnd] = [field(where, part, 'start', 0), field(where, part, 'stop', 0)];
  return each((token) => {
    let text = token;
    for (let i = 0; i < most && text.startsWith(content); i++) text = text.slice(content.length);
    for (let i = 0; i < mostAtEnd && text.endsWith(content); i++) text = text.slice(0, -content.length);
    return text;
  });
}

/** Connectionist temporal classification: repeats are one, the padding token is silence. */
function ctc(part: Part, where: string): Decoder {
  const pad = field(where, part, 'pad_token', '<pad>');
  const delimiter = field(where, part, 'word_delimiter_token', '|');
  const cleanup = field(where, part, 'cleanup', true);
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(pad, ''))
      .map((token) => (cleanup ? tidy(token).replaceAll(delimiter, ' ') : token))
      .filter((token) => token !== '');
}

const kinds: Record<string, (part: Part, where: string) => Decoder> = {
  BPEDecoder(part, where) {
    const suffix = field(where, part, 'suffix', '</w>');
    return each((token, i, count) => token.replaceAll(suffix, i === count - 1 ? '' : ' '));
  },
  ByteFallback: () => byteFallback,
  ByteLevel: () => (tokens) => [fromByteCharacters(tokens.join(''))],
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join('')],
  Metaspace: metaspace,
  Replace(part, where) {
    if (typeof part.pattern !== 'object' || part.pattern === null) throw malformed(`${where}.pattern`, 'must be { String } or { Regex }');
    const pattern = compilePattern(part.pattern as PatternJson);
    const content = textAt(where, part, 'content');
    return each((token) => token.replace(pattern, () => content));
  },
  Sequence(part, where) {
    const parts = partsAt(`${where}.decoders`, part.decoders).map((inner, i) => make(inner, `${where}[${i}]`));
    return (tokens) => parts.reduce((done, decode) => decode(done), tokens);
  },
  Strip: strip,
  WordPiece: wordPiece,
};

function make(part: Part, where: string): Decoder {
  const kind = kinds[part.type];
  if (!kind) throw unknownKind(where, part.type, Object.keys(kinds));
  return kind(part, where);
}

/** What turns tokens back into text, from the `decoder` of tokenizer.json; without one, tokens are joined by blanks. */
export function makeDecoder(json: unknown): Decoder {
  const part = partAt('decoder', json);
  return part ? make(part, 'decoder') : (tokens) => [tokens.join(' ')];
}
