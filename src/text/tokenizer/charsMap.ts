import { encodeBytes } from './bytes.js';
import { malformed } from './json.js';
import { type Piece, rewrite } from './piece.js';

/**
 * SentencePiece's table of replacements: a double-array trie over UTF-8 (Aoe 1989, in the layout of Darts) that leads to texts in
 * one blob. As in the original, a grapheme that stands in the table is replaced whole, else each character by itself.
 */
export function charsMap(base64: string, where: string): (piece: Piece) => Piece {
  const bytes = Buffer.from(base64, 'base64');
  const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : -1;
  if (size < 4 || size % 4 || 4 + size > bytes.length) throw malformed(`${where}.precompiled_charsmap`, 'is no table of replacements');
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const texts = bytes.subarray(4 + size);

  /** Where the shortest entry that begins `text` has its replacement, or -1. */
  const find = (text: string): number => {
    const offset = (unit: number): number => (unit >>> 10) << ((unit & 512) >>> 6);
    let place = offset(units[0]!);
    for (const byte of encodeBytes(text)) {
      if (byte === 0) break;
      place ^= byte;
      const unit = units[place];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return -1;
      place ^= offset(unit);
      if ((unit >>> 8) & 1) return units[place]! & 0x7fffffff;
    }
    return -1;
  };
  const replacement = (text: string): string | undefined => {
    const at = find(text);
    if (at < 0) return undefined;
    const end = texts.indexOf(0, at);
    return texts.toString('utf8', at, end < 0 ? texts.length : end);
  };
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const known = new Map<string, string>();
  const replaceGrapheme = (grapheme: string): string =>
    (encodeBytes(grapheme).length < 6 ? replacement(grapheme) : undefined) ??
    Array.from(grapheme, (character) => replacement(character) ?? character).join('');
  return (piece) =>
    rewrite(piece, /.+/gsu, (run) => {
      let out = '';
      for (const { segment } of graphemes.segment(run)) {
        const found = known.get(segment) ?? replaceGrapheme(segment);
        known.set(segment, found);
        out += found;
      }
      return out;
    });
}
