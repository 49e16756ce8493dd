import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audio, compile, DataLoader, gradientsOf, type Tensor, tensor, zeros } from '../../src/index.js';

interface Stored {
  shape: number[];
  data: number[];
}
const stored = JSON.parse(readFileSync(new URL('../fixtures/audio.json', import.meta.url), 'utf8')) as Record<string, Stored>;
const signal: Tensor = tensor({ data: Float32Array.from(stored['signal']!.data), shape: [1, 400] }) as Tensor;
const framing = { size: 64, windowLength: 50, hop: 20 };
const mel = { ...framing, mels: 10, sampleRate: 8000 };

/** Equal to the stored numbers but for a share of the greatest. */
async function expectStored(found: Tensor, name: string, share = 2e-6): Promise<void> {
  const { shape, data } = stored[name]!;
  expect(found.shape.slice(-shape.length)).toEqual(shape);
  const most = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const values = await found.data();
  data.forEach((x, i) => {
    expect(Math.abs((values[i] as number) - x), `${name}[${i}]: ${values[i]}, not ${x}`).toBeLessThanOrEqual(share * most);
  });
}

describe('features', () => {
  it('are those of float64 formulas', async () => {
    await expectStored(audio.spectrogram(signal, framing), 'spectrogram');
    await expectStored(audio.spectrogram(signal, { ...framing, power: 1 }).square(), 'spectrogram');
    await expectStored(audio.melSpectrogram(signal, mel), 'mel');
    await expectStored(audio.toDecibels(audio.melSpectrogram(signal, mel), { range: 20 }), 'decibels20', 1e-5);
    await expectStored(audio.mfcc(signal, { ...mel, coefficients: 6 }), 'mfcc', 1e-5);
    await expectStored(audio.mfcc(signal, { ...mel, coefficients: 6, logarithm: 'log' }), 'mfccLog', 1e-5);
    await expectStored(audio.melFilterbank(33, { mels: 10, sampleRate: 8000 }), 'htk');
    await expectStored(
      audio.melFilterbank(33, { mels: 10, sampleRate: 8000, low: 50, high: 3500, scale: 'slaney', norm: 'slaney' }),
      'slaney',
    );
  });

  it('treat the sounds of a batch one by one, in compiled steps too', async () => {
    const both = audio.toDecibels(audio.melSpectrogram(tensor([[...stored['signal']!.data], new Array<number>(400).fill(0)]), mel), {
      range: 20,
    });
    const alone = audio.toDecibels(audio.melSpectrogram(signal, mel), { range: 20 });
    expect((await both.data()).slice(0, alone.size)).toEqual(await alone.data());
    const step = compile((x: Tensor) => audio.mfcc(x, { ...mel, coefficients: 6 }).mean());
    const slow = await audio
      .mfcc(signal, { ...mel, coefficients: 6 })
      .mean()
      .toArray();
    expect((await step(signal)).item()).toBeCloseTo(slow as number, 4);
    expect((await step(signal)).item()).toBeCloseTo(slow as number, 4);
  });

  it('have gradients, 0 in silence', async () => {
    const energy = (x: Tensor) => audio.melSpectrogram(x, mel).sum();
    const [slope] = gradientsOf(energy(signal), [signal]);
    const step = 1e-2;
    for (const place of [0, 31, 200, 399]) {
      const moved = (by: number) => tensor([stored['signal']!.data.map((x, i) => x + (i === place ? by : 0))]) as Tensor;
      const found = (((await energy(moved(step)).toArray()) as number) - ((await energy(moved(-step)).toArray()) as number)) / (2 * step);
      expect((await slope!.data())[place] as number).toBeCloseTo(found, 0);
    }
    const silence: Tensor = zeros([1, 400]);
    const [none] = gradientsOf(audio.spectrogram(silence, { ...framing, power: 1 }).sum(), [silence]);
    expect(new Set(await none!.data())).toEqual(new Set([0]));
  });

  it('name what they cannot take', () => {
    expect(() => audio.spectrogram(zeros([0]))).toThrow('too few');
    expect(() => audio.mfcc(zeros([1, 1]))).toThrow('too few');
    expect(() => audio.spectrogram(zeros([2, 300]), { size: 1024 })).toThrow('frames of 1024');
    expect(() => audio.melSpectrogram(zeros([1, 999]), { melBins: 3 } as never)).toThrow('melBins');
    expect(() => audio.melSpectrogram(zeros([1, 999]), { high: 9000 })).toThrow('half the sample rate');
    expect(() => audio.mfcc(zeros([1, 999]), { mels: 20 })).toThrow('20 mels have no 40');
    expect(() => audio.spectrogram(zeros([5], 'int32'))).toThrow('float32[..., samples]');
    expect(() => audio.toDecibels(zeros([5]), { least: 0 })).toThrow('least');
  });
});

describe('waveforms', () => {
  it('fall into frames', async () => {
    expect(await audio.frames(tensor([[0, 1, 2, 3, 4, 5, 6]]), 3, 2).toArray()).toEqual([
      [
        [0, 1, 2],
        [2, 3, 4],
        [4, 5, 6],
      ],
    ]);
    expect(audio.frames(zeros([2, 1]), 4, 1).shape).toEqual([2, 0, 4]);
  });

  it('are emphasised, and companded there and back', async () => {
    expect(await audio.preEmphasis(tensor([1, 1, 3]), 0.5).toArray()).toEqual([1, 0.5, 2.5]);
    expect(await audio.preEmphasis(tensor([2])).toArray()).toEqual([2]);
    expect(audio.preEmphasis(zeros([3, 0])).shape).toEqual([3, 0]);
    const levels = audio.muLawEncode(tensor([-2, -1, -0.5, -0.001, 0, 0.001, 0.5, 1]));
    // floor((sign(x) ln(1 + 255 |x|) / ln 256 + 1) / 2 * 255 + 0.5)
    expect(await levels.toArray()).toEqual([0, 0, 16, 122, 128, 133, 239, 255]);
    const all = tensor(
      Array.from({ length: 256 }, (_, i) => i),
      'int32',
    );
    expect(await audio.muLawEncode(audio.muLawDecode(all)).toArray()).toEqual(await all.toArray());
  });
});

describe('specAugment', () => {
  const ones: Tensor = zeros([6, 20, 30]).add(1);
  const options = { frequencyMasks: 1, frequencyWidth: 5, timeMasks: 2, timeWidth: 6, seed: 3 };

  it('hides bands and spans that depend on seed, epoch and index alone', async () => {
    const masked = (await audio.specAugment(ones, options).toArray()) as number[][][];
    for (const sample of masked) {
      const rows = sample.filter((row) => row.every((x) => x === 0)).length;
      const columns = sample[0]!.map((_, t) => sample.every((row) => row[t] === 0)).filter(Boolean).length;
      expect(rows).toBeLessThanOrEqual(5);
      expect(columns).toBeLessThanOrEqual(12);
      // Nothing is hidden but whole rows and columns.
      expect(sample.flat().filter((x) => x === 0).length).toBe(rows * 30 + columns * 20 - rows * columns);
    }
    expect(new Set(masked.map((sample) => JSON.stringify(sample))).size).toBeGreaterThan(3);
    const two = (await audio
      .specAugment(ones.slice([4, 0, 0], [6, 20, 30]) as Tensor, { ...options, indices: [4, 1] })
      .toArray()) as number[][][];
    expect(two).toEqual([masked[4], masked[1]]);
    expect(await audio.specAugment(ones, { ...options, epoch: 1 }).toArray()).not.toEqual(masked);
    expect(await audio.specAugment(ones, { frequencyMasks: 0, timeShare: 0 }).toArray()).toEqual(await ones.toArray());
    expect(() => audio.specAugment(ones, { indices: [1] })).toThrow('1 indices for 6 samples');
  });
});

describe('audioFolder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'pollux-audio-'));
    for (const name of ['low', 'high']) await mkdir(path.join(folder, name));
    const tone = (length: number, value: number) => ({ channels: [new Float32Array(length).fill(value)], sampleRate: 8000 });
    await audio.writeWav(path.join(folder, 'low', 'a.wav'), tone(4, 0.25), { bits: '32f' });
    await audio.writeWav(path.join(folder, 'low', 'b.wav'), tone(9, 0.5), { bits: '32f' });
    await audio.writeWav(path.join(folder, 'high', 'c.wav'), { ...tone(400, 0.75), sampleRate: 16_000 }, { bits: '32f' });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('reads, cuts, extends and resamples', async () => {
    const sounds = await audio.audioFolder(folder, { sampleRate: 8000, length: 6 });
    expect(sounds.classes).toEqual(['high', 'low']);
    expect(sounds.length).toBe(3);
    const { x, y } = await sounds.get([1, 2, 0]);
    expect([...y.data]).toEqual([1, 1, 0]);
    expect([...x.data.slice(0, 12)]).toEqual([0.25, 0.25, 0.25, 0.25, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    const long = await audio.audioFolder(folder, { sampleRate: 8000, length: 300 });
    const resampled = (await long.get([0])).x.data;
    expect(resampled[100]).toBeCloseTo(0.75, 2);
    expect([...resampled.slice(200)].every((value) => value === 0)).toBe(true);
    for await (const batch of new DataLoader(long, { batchSize: 3 })) expect(batch.x.shape).toEqual([3, 300]);
    await expect(audio.audioFolder(path.join(folder, 'low'), { sampleRate: 8000, length: 3 })).rejects.toThrow('holds no sounds');
  });
});
