import { describe, expect, it } from 'vitest';
import { fft, gradientsOf, type Tensor, tensor } from '../../src/index.js';
import { fftReferences } from '../references/fft.js';
import { arrayOf } from '../references/array.js';
import { randomOf } from '../references/samples/sample.js';

const random = randomOf(5);
const noise = (size: number): Float32Array => Float32Array.from({ length: size }, () => 2 * random() - 1);

/** What a float32 holds of the exact number, but for an error of the float64 sums. */
function expectRounded(found: ArrayLike<number>, expected: Float64Array): void {
  const norm = Math.hypot(...expected);
  expected.forEach((x, i) => {
    expect(Math.abs(found[i]! - x), `element ${i}`).toBeLessThanOrEqual(Math.abs(x) * 2 ** -24 + norm * 1e-13);
  });
}
const expectClose = (found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void => {
  expect(found.length).toBe(expected.length);
  expected.forEach((x, i) => {
    expect(Math.abs(found[i]! - x), `element ${i}: ${found[i]}, not ${x}`).toBeLessThanOrEqual(tolerance);
  });
};

describe('transforms', () => {
  // A power of two, small factors, a prime and twice a prime (both by convolution), and a square of a prime.
  it.each([512, 600, 1009, 634, 361])('of length %i are rounded, no more', async (size) => {
    const rows = size === 600 ? 9 : 1;
    const x = noise(rows * size);
    const bins = Math.floor(size / 2) + 1;
    const type = { shape: [rows, size], dtype: 'float32' as const };
    const half = { shape: [rows, bins, 2], dtype: 'float32' as const };
    const [spectrum] = fftReferences.rfft([arrayOf(type, x)], {}, [half]);
    const found = fft.rfft(tensor({ data: x, shape: [rows, size] }));
    expectRounded(await found.data(), spectrum!.data);

    const pairs = noise(size * 2);
    const complex = { shape: [size, 2], dtype: 'float32' as const };
    const [whole] = fftReferences.fft([arrayOf(complex, pairs)], { inverse: false }, [complex]);
    expectRounded(await fft.fft(tensor({ data: pairs, shape: [size, 2] })).data(), whole!.data);
    expectClose(await fft.irfft(found, { size }).data(), [...x], 3e-7);
  });

  it('undo each other under every norm, cut and extend', async () => {
    const x: Tensor = tensor([1, -2, 3, 0.5, 4]);
    for (const norm of ['backward', 'ortho', 'forward'] as const) {
      expectClose(await fft.irfft(fft.rfft(x, { norm }), { size: 5, norm }).data(), [1, -2, 3, 0.5, 4]);
      const pairs: Tensor = x.reshape([5, 1]).mul(tensor([1, -1]));
      expectClose(await fft.ifft(fft.fft(pairs, { norm }), { norm }).data(), [1, -1, -2, 2, 3, -3, 0.5, -0.5, 4, -4]);
    }
    expectClose(await fft.rfft(x, { size: 2 }).data(), [-1, 0, 3, 0]);
    expect(fft.rfft(x, { size: 9 }).shape).toEqual([5, 2]);
    const energy = async (y: Tensor) => (await y.square().sum().toArray()) as number;
    expect(await energy(fft.fft(x.reshape([5, 1]).mul(tensor([1, 0])), { norm: 'ortho' }))).toBeCloseTo(await energy(x), 4);
    expect(() => fft.rfft(x, { norm: 'both' as never })).toThrow(/norm/);
    expect(() => fft.fft(x)).toThrow(/pairs of real and imaginary/);
  });

  it('know their frequencies', async () => {
    expect([...(await fft.fftFrequencies(4).data())]).toEqual([0, 0.25, -0.5, -0.25]);
    expectClose(await fft.fftFrequencies(5, 0.5).data(), [0, 0.4, 0.8, -0.8, -0.4]);
    expectClose(await fft.rfftFrequencies(5).data(), [0, 0.2, 0.4]);
  });
});

// Expected values: PyTorch 1.13.
describe('short-time transform', () => {
  const samples = [0.5, -1, 2, 0.25, 1.5, -0.75, 0.125, 3, -2, 1, 0.5];
  const x: Tensor = tensor(samples);
  const options = { hop: 2, window: fft.hann(5) };

  it('is that of PyTorch, and its inverse gives the samples back', async () => {
    const spectrum = fft.stft(x, 6, { ...options, normalized: true });
    expect(spectrum.shape).toEqual([4, 6, 2]);
    const first = await spectrum.get(':', 0).data();
    expectClose([...first.slice(0, 4), first[6]!], [-0.0435857, 0, 0.2115695, -0.046657, -0.977035], 1e-5);
    const back = fft.istft(spectrum, 6, { ...options, normalized: true, length: 11 });
    expectClose(await back.data(), samples, 1e-5);
    const sides = fft.stft(x, 6, { ...options, onesided: false });
    expect(sides.shape).toEqual([6, 6, 2]);
    expectClose(await fft.istft(sides, 6, { ...options, onesided: false }).data(), samples.slice(0, 10), 1e-5);
    expect(fft.stft(x, 6, { hop: 2, center: false }).shape).toEqual([4, 3, 2]);
  });

  it('has a gradient, and takes batches', async () => {
    const batch: Tensor = tensor([samples, samples.map((v) => -v)]);
    expect(fft.stft(batch, 6, options).shape).toEqual([2, 4, 6, 2]);
    const [slope] = gradientsOf(
      fft
        .istft(fft.stft(x, 6, options), 6, options)
        .square()
        .sum()
        .mul(0.5),
      [x],
    );
    expectClose(await slope!.data(), [...samples.slice(0, 10), 0], 1e-5);
  });

  it('says what is wrong', () => {
    expect(() => fft.stft(tensor([1, 2]), 6)).toThrow(/2 samples are too few for frames of 6/);
    expect(() => fft.stft(x, 4, { window: fft.hann(5) })).toThrow(/window of 5 does not fit/);
    expect(() => fft.istft(x, 6)).toThrow(/takes \[\.\.\., 4, frames, 2\]/);
  });

  it('windows', async () => {
    expectClose(await fft.hann(4).data(), [0, 0.5, 1, 0.5]);
    expectClose(await fft.blackman(5).data(), [0, 0.2007701, 0.8492299, 0.8492298, 0.2007701]);
    expectClose(await fft.hamming(4, { periodic: false }).data(), [0.08, 0.77, 0.77, 0.08]);
  });
});
