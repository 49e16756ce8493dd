import { describe, expect, it } from 'vitest';
import { below, philox, PhiloxStream, seedKey } from '../../src/data/philox.js';

const hex = (words: Uint32Array): string => [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // The known answers that come with Random123 (kat_vectors).
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[-1, -1, -1, -1], [-1, -1], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('counter %j under key %j', (counter, key, expected) => {
    const words = new Uint32Array(4);
    philox(words, 0, counter[0]!, counter[1]!, counter[2]!, counter[3]!, key[0]!, key[1]!);
    expect(hex(words)).toBe(expected);
  });

  it('separates streams, indices, epochs and seeds, also beyond 32 bits', () => {
    const draws = new Set<string>();
    for (const seed of [0, 1, 2 ** 40]) {
      for (const stream of [0, 1]) {
        for (const index of [0, 1, 2 ** 32, 2 ** 33 + 1]) {
          for (const epoch of [0, 1, 2 ** 32]) draws.add(hex(new PhiloxStream(seed, stream).draw(index, epoch)));
        }
      }
    }
    expect(draws.size).toBe(3 * 2 * 4 * 3);
    expect(seedKey(5)).toBe(5);
  });

  it('draws whole numbers evenly', () => {
    const stream = new PhiloxStream(1, 2);
    const counts = new Array<number>(5).fill(0);
    for (let i = 0; i < 10_000; i++) for (const word of stream.draw(i, 0)) counts[below(word, 5)]!++;
    // 40,000 draws, 8,000 expected each with deviation 80; five deviations.
    for (const count of counts) expect(Math.abs(count - 8000)).toBeLessThan(400);
    expect(below(0xffffffff, 5)).toBe(4);
  });
});
