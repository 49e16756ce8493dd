/** A stretch of text on its way to tokens; if it is tracked, each UTF-16 unit knows which part of the original it came from. */
export interface Piece {
  readonly text: string;
  readonly starts?: Int32Array;
  readonly ends?: Int32Array;
}

/** The whole of a text as one piece. */
export function pieceOf(text: string, tracked: boolean): Piece {
  if (!tracked) return { text };
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  let at = 0;
  // The two halves of a surrogate pair are one character, and so have one origin.
  for (const character of text) {
    starts.fill(at, at, at + character.length);
    ends.fill(at + character.length, at, at + character.length);
    at += character.length;
  }
  return { text, starts, ends };
}

/** The part of a piece in [from, to). */
export const sliceOf = ({ text, starts, ends }: Piece, from: number, to: number): Piece =>
  from === 0 && to === text.length
    ? { text, starts, ends }
    : { text: text.slice(from, to), starts: starts?.subarray(from, to), ends: ends?.subarray(from, to) };

/** Replaces each match; what replaces it comes from where the match came from. */
export function rewrite(piece: Piece, pattern: RegExp, replace: (match: string) => string): Piece {
  const { text, starts, ends } = piece;
  if (!starts || !ends) return { text: text.replace(pattern, (match) => replace(match)) };
  const parts: string[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const keep = (first: number, last: number): void => {
    parts.push(text.slice(first, last));
    for (let i = first; i < last; i++) {
      from.push(starts[i]!);
      to.push(ends[i]!);
    }
  };
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    keep(done, match.index);
    done = match.index + match[0].length;
    const replacement = replace(match[0]);
    parts.push(replacement);
    const [start, end] = match[0].length
      ? [starts[match.index]!, ends[done - 1]!]
      : [ends[match.index - 1] ?? starts[0] ?? 0, ends[match.index - 1] ?? starts[0] ?? 0];
    for (let i = 0; i < replacement.length; i++) {
      from.push(start);
      to.push(end);
    }
  }
  if (!done && !parts.length) return piece;
  keep(done, text.length);
  return { text: parts.join(''), starts: Int32Array.from(from), ends: Int32Array.from(to) };
}

/** Puts text in front, with the origin of what was first. */
export const prepend = (piece: Piece, text: string): Piece => rewrite(piece, /^(?=.)/gs, () => text);

/** What becomes of the text that a splitting pattern matches, by the names of tokenizer.json. */
export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

/** Splits a piece at the matches of a pattern (`invert`: at what lies between them). Empty parts are left out. */
export function split(piece: Piece, pattern: RegExp, behavior: SplitBehavior, invert = false): Piece[] {
  const { text } = piece;
  const spans: { from: number; to: number; matched: boolean }[] = [];
  const add = (from: number, to: number, matched: boolean): void => {
    if (to > from) spans.push({ from, to, matched: matched !== invert });
  };
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    add(done, match.index, false);
    done = match.index + match[0].length;
    add(match.index, done, true);
  }
  add(done, text.length, false);
  return join(spans, behavior).map(({ from, to }) => sliceOf(piece, from, to));
}

function join(spans: { from: number; to: number; matched: boolean }[], behavior: SplitBehavior): { from: number; to: number }[] {
  if (behavior === 'Removed') return spans.filter(({ matched }) => !matched);
  if (behavior === 'Isolated') return spans;
  const joined: typeof spans = [];
  let before: (typeof spans)[number] | undefined;
  for (const span of spans) {
    const last = joined.at(-1);
    const together =
      last &&
      ((behavior === 'Contiguous' && before!.matched === span.matched) ||
        (behavior === 'MergedWithPrevious' && span.matched && !before!.matched) ||
        (behavior === 'MergedWithNext' && before!.matched && !span.matched));
    if (together) last.to = span.to;
    else joined.push({ ...span });
    before = span;
  }
  return joined;
}
