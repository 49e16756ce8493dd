import { sizeOf } from '../../src/graph/op.js';
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

const MASK = 0xffffffffn;
const low = (x: bigint): bigint => x & MASK;
const high = (x: bigint): bigint => (x >> 32n) & MASK;

/** Philox4x32-10 of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011). */
export function philox(counter: readonly bigint[], key: readonly bigint[]): bigint[] {
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const first = c0 * 0xd2511f53n;
    const second = c2 * 0xcd9e8d57n;
    [c0, c1, c2, c3] = [high(second) ^ c1 ^ k0, low(second), high(first) ^ c3 ^ k1, low(first)];
    k0 = low(k0 + 0x9e3779b9n);
    k1 = low(k1 + 0xbb67ae85n);
  }
  return [c0, c1, c2, c3];
}

/** The four words that hold the random word of a global element (docs/internals.md, section 3). */
export function wordsOf(state: { seed: bigint; step: bigint }, stream: number, element: bigint): bigint[] {
  const { seed, step } = state;
  const group = element >> 2n;
  const key = low(low(seed) ^ low(high(seed) * 0x9e3779b9n));
  return philox([low(group), high(group), low(step), high(step)], [key, BigInt(stream)]);
}

const unit = (word: bigint): number => Number(word >> 8n) * 2 ** -24;

function draw(state: NdArray64, stream: number, size: number, fromWords: (words: bigint[], lane: number) => number): number[] {
  const [seed, step, first] = [...state.data].map((x) => BigInt(x)) as [bigint, bigint, bigint];
  return Array.from({ length: size }, (_, i) => {
    const element = BigInt(i) + first;
    return fromWords(wordsOf({ seed, step }, stream, element), Number(element & 3n));
  });
}

const uniforms = (state: NdArray64, stream: number, size: number): number[] =>
  draw(state, stream, size, (words, lane) => unit(words[lane]!));

export const randomReferences: References<'uniform' | 'normal' | 'dropout'> = {
  uniform: ([state], { shape, stream }, [type]) => {
    const numbers = uniforms(state!, stream, sizeOf(shape));
    return [build(type!, (_, i) => numbers[i]!)];
  },
  normal: ([state], { shape, stream }, [type]) => {
    const numbers = draw(state!, stream, sizeOf(shape), (words, lane) => {
      const pair = lane & 2;
      const radius = Math.sqrt(-2 * Math.log(1 - unit(words[pair]!)));
      const angle = 2 * Math.PI * unit(words[pair + 1]!);
      return radius * (lane & 1 ? Math.sin(angle) : Math.cos(angle));
    });
    return [build(type!, (_, i) => numbers[i]!)];
  },
  dropout: ([x, state], { rate, stream }, [type]) => {
    const numbers = uniforms(state!, stream, x!.data.length);
    return [build(type!, (_, i) => (numbers[i]! >= Math.fround(rate) ? x!.data[i]! / (1 - rate) : 0))];
  },
};
