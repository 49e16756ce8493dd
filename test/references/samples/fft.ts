import { real } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Transforms = 'fft' | 'rfft' | 'irfft';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

/** Powers of two, of small primes, primes that are large, and products of all; few rows and many. */
const sequences: { rows: readonly number[]; size: number }[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((size) => ({ rows: [], size })),
  { rows: [2], size: 12 },
  { rows: [9], size: 16 },
  { rows: [2, 3], size: 15 },
  { rows: [0], size: 4 },
  { rows: [5], size: 37 },
  { rows: [], size: 74 },
  { rows: [3], size: 60 },
  { rows: [], size: 64 },
];
const binsOf = (size: number): number => Math.floor(size / 2) + 1;

export const fftSamples: Samples<Transforms> = {
  fft: sequences.flatMap(({ rows, size }) => [false, true].map((inverse) => call([real([...rows, size, 2])], { inverse }))),
  rfft: sequences.map(({ rows, size }) => call([real([...rows, size])], {})),
  irfft: sequences.map(({ rows, size }) => call([real([...rows, binsOf(size), 2])], { size })),
};
