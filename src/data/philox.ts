/**
 * Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
 * A draw depends on its key and counter alone, so order, batching and resuming cannot change it.
 */

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

/** Upper 32 bits of a * b: JavaScript's numbers hold 53, so the factors are split into halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const lowLow = Math.imul(aLow, bLow);
  const lowHigh = Math.imul(aLow, bHigh);
  const highLow = Math.imul(aHigh, bLow);
  const middle = (lowLow >>> 16) + (lowHigh & 0xffff) + (highLow & 0xffff);
  return (Math.imul(aHigh, bHigh) + (lowHigh >>> 16) + (highLow >>> 16) + (middle >>> 16)) | 0;
}

/** Writes the four 32-bit words of counter (c0, c1, c2, c3) under key (k0, k1) to `out[at .. at + 3]`. */
export function philox(out: Uint32Array, at: number, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0, multiplier0);
    const high1 = multiplyHigh(c2, multiplier1);
    const low0 = Math.imul(c0, multiplier0);
    const low1 = Math.imul(c2, multiplier1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** Low and high 32-bit words of a whole number up to 2^53. */
const low = (n: number): number => n | 0;
const high = (n: number): number => Math.floor(n / 2 ** 32) | 0;

/** Folds a seed of up to 53 bits into the first key word, as docs/internals.md section 3 does for device draws. */
export function seedKey(seed: number): number {
  return (low(seed) ^ Math.imul(high(seed), weyl0)) | 0;
}

/** The draws of one purpose (`stream`) under one seed: four words for each (index, epoch). */
export class PhiloxStream {
  readonly words = new Uint32Array(4);
  readonly #key0: number;
  readonly #key1: number;

  constructor(seed: number, stream: number) {
    this.#key0 = seedKey(seed);
    this.#key1 = stream | 0;
  }

  /** Fills and returns `words` for this index and epoch; the next call overwrites them. */
  draw(index: number, epoch: number): Uint32Array {
    philox(this.words, 0, low(index), high(index), low(epoch), high(epoch), this.#key0, this.#key1);
    return this.words;
  }
}

/** Maps a 32-bit word to a whole number in [0, bound): the upper half of word * bound, biased by less than bound / 2^32. */
export function below(word: number, bound: number): number {
  return Math.floor((word * bound) / 2 ** 32);
}
