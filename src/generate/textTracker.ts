import type { Tokenizer } from '../text/index.js';

/** What a token added to a text. */
export interface Progress {
  /** Complete characters that are sure to belong to the text. */
  readonly text: string;
  /** A stop string has come: the text ends before it. */
  readonly stopped: boolean;
}

/** The length of the longest end of a text that a stop string begins with. */
function overlap(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops)
    for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) if (text.endsWith(stop.slice(0, n))) longest = n;
  return longest;
}

/**
 * Turns the tokens of a growing text into characters. Bytes that are no character yet, and what may become a stop string, are held
 * back. Only the last few tokens are decoded again: tokens before them give a decoder its context (blanks, joined bytes).
 */
export class TextTracker {
  readonly #ids: number[] = [];
  /** Tokens from here on are decoded, those up to `#read` to be taken off again. */
  #from = 0;
  #read = 0;
  #held = '';

  constructor(
    readonly tokenizer: Tokenizer,
    readonly stops: readonly string[],
  ) {}

  /** @param last no more tokens come: what was held back is text */
  push(id: number, last: boolean): Progress {
    this.#ids.push(id);
    this.#held += this.#decoded(last);
    const places = this.stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (places.length) return { text: this.#take(Math.min(...places)), stopped: true };
    return { text: this.#take(this.#held.length - (last ? 0 : overlap(this.#held, this.stops))), stopped: false };
  }

  #take(count: number): string {
    const text = this.#held.slice(0, count);
    this.#held = this.#held.slice(count);
    return text;
  }

  #decoded(last: boolean): string {
    const before = this.tokenizer.decode(this.#ids.slice(this.#from, this.#read));
    const now = this.tokenizer.decode(this.#ids.slice(this.#from));
    // A replacement character at the end is a character whose last bytes are still to come.
    if (!last && (now.length <= before.length || now.endsWith('\ufffd'))) return '';
    this.#from = this.#read;
    this.#read = this.#ids.length;
    return now.slice(before.length);
  }
}
