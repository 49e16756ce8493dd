import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mono, readWav, resample, writeWav } from '../../src/audio/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pollux-audio-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sine = (hertz: number, rate: number, seconds: number) =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));

describe('WAV files', () => {
  it('come back as they were written', async () => {
    const sound = { channels: [sine(440, 8000, 0.1), sine(220, 8000, 0.1)], sampleRate: 8000 };
    const exact = path.join(folder, 'exact.wav');
    await writeWav(exact, sound, { bits: '32f' });
    expect(await readWav(exact)).toEqual(sound);
    const rounded = path.join(folder, 'rounded.wav');
    await writeWav(rounded, { channels: [sine(440, 16_000, 0.1)], sampleRate: 16_000 });
    const { channels, sampleRate } = await readWav(rounded);
    expect(sampleRate).toBe(16_000);
    const worst = sine(440, 16_000, 0.1).reduce((most, value, i) => Math.max(most, Math.abs(value - channels[0]![i]!)), 0);
    expect(worst).toBeLessThan(1 / 32_000);
    expect(mono(sound).samples[7]).toBeCloseTo((sound.channels[0]![7]! + sound.channels[1]![7]!) / 2, 6);
  });

  it('of any bit depth are read', async () => {
    const { WaveFile } = (await import('wavefile')).default;
    for (const bits of ['8', '16', '24', '32', '32f', '64']) {
      const wave = new WaveFile();
      const scale = { 8: 127, 16: 2 ** 15 - 1, 24: 2 ** 23 - 1, 32: 2 ** 31 - 1 }[bits] ?? 1;
      wave.fromScratch(
        1,
        8000,
        bits,
        Float64Array.from([0, 0.5, -0.5, 0.25], (value) => value * scale + (bits === '8' ? 128 : 0)),
      );
      const { channels } = await readWav(wave.toBuffer());
      for (const [i, value] of [0, 0.5, -0.5, 0.25].entries()) expect(Math.abs(channels[0]![i]! - value)).toBeLessThan(0.02);
    }
  });

  it('that are none are named', async () => {
    const file = path.join(folder, 'a.wav');
    await writeWav(file, { channels: [sine(440, 8000, 0.1)], sampleRate: 8000 });
    const bytes = await (await import('node:fs/promises')).readFile(file);
    for (const [name, broken] of Object.entries({
      'cut.wav': bytes.subarray(0, 500),
      'head.wav': bytes.subarray(0, 30),
      'text.wav': Buffer.from('this is no sound at all'),
      'empty.wav': Buffer.alloc(0),
    })) {
      await writeFile(path.join(folder, name), broken);
      await expect(readWav(path.join(folder, name))).rejects.toMatchObject({
        code: 'FILE_CORRUPT',
        message: expect.stringContaining(name),
      });
    }
    await expect(readWav(path.join(folder, 'none.wav'))).rejects.toMatchObject({ code: 'IO_FAILED' });
    await expect(writeWav(file, { channels: [sine(1, 10, 1), sine(1, 10, 2)], sampleRate: 10 })).rejects.toThrow('one length');
  });
});

describe('resampling', () => {
  it('keeps a tone, up and down', async () => {
    for (const [from, to] of [
      [8000, 16_000],
      [44_100, 16_000],
      [16_000, 22_050],
    ] as const) {
      const out = await resample(sine(440, from, 0.2), from, to, { width: 16 });
      const wanted = sine(440, to, 0.2);
      expect(Math.abs(out.length - wanted.length)).toBeLessThanOrEqual(1);
      // Away from the ends, where the signal is cut off.
      for (let i = 200; i < out.length - 200; i++) expect(Math.abs(out[i]! - wanted[i]!)).toBeLessThan(2e-3);
    }
  });

  it('takes out what the lower rate cannot hold', async () => {
    const out = await resample(sine(7000, 16_000, 0.2), 16_000, 8000, { width: 16 });
    expect(Math.max(...out.subarray(100, -100).map(Math.abs))).toBeLessThan(5e-3);
    expect(await resample(Float32Array.of(1, 2), 8000, 8000)).toEqual(Float32Array.of(1, 2));
    expect(await resample(new Float32Array(0), 8000, 4000)).toHaveLength(0);
    await expect(resample(new Float32Array(1), 0, 8000)).rejects.toThrow(RangeError);
  });
});
