import { readFile } from 'node:fs/promises';
import { optional } from '../data/packages.js';
import { checkOptions, PolluxError } from '../errors.js';
import { ioFailed, writeAtomic } from '../io/atomic.js';

/** Sound as numbers in [-1, 1]. */
export interface Sound {
  /** One array a channel, of equal lengths. */
  readonly channels: readonly Float32Array[];
  /** Samples a second. */
  readonly sampleRate: number;
}

/** A four-letter word of a RIFF file. */
const word = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/** Where the samples begin and end as the file says, or what is wrong with it. */
function checkRiff(bytes: Uint8Array): string | undefined {
  if (bytes.length < 12 || !['RIFF', 'RIFX', 'RF64'].includes(word(bytes, 0)) || word(bytes, 8) !== 'WAVE')
    return 'it is no RIFF WAVE file';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = word(bytes, 0) !== 'RIFX';
  let format = false;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [name, size] = [word(bytes, at), view.getUint32(at + 4, little)];
    if (name === 'fmt ') format = true;
    if (name === 'data') {
      if (!format) return 'its data stand before their format';
      const there = bytes.length - at - 8;
      return size > there && size !== 0xffffffff ? `its data are cut off after ${there} of ${size} bytes` : undefined;
    }
    at += 8 + size + (size % 2);
  }
  return `it has no ${format ? 'data' : 'format'}`;
}

/**
 * Decodes a WAV file (8 to 32 bits, float, A-law, mu-law, IMA ADPCM; any number of channels) through the package wavefile
 * (optional: `npm install wavefile`).
 * @throws FILE_CORRUPT for what is no WAV file or is cut off; IO_FAILED; UNSUPPORTED if the package is missing.
 */
export async function readWav(source: string | Uint8Array): Promise<Sound> {
  const name = typeof source === 'string' ? source : 'the WAV data';
  const bytes = typeof source === 'string' ? await readBytes(source) : source;
  const wrong = checkRiff(bytes);
  if (wrong) throw new PolluxError('FILE_CORRUPT', `${name}: ${wrong}.`);
  const { WaveFile } = await waveFile('readWav');
  try {
    const wave = new WaveFile(bytes);
    const { sampleRate, numChannels } = wave.fmt as { sampleRate: number; numChannels: number };
    if (!(sampleRate > 0 && numChannels > 0)) throw new RangeError(`${numChannels} channels of ${sampleRate} samples a second`);
    wave.toBitDepth('32f');
    const samples = wave.getSamples(false, Float32Array) as unknown as Float32Array | Float32Array[];
    return { channels: numChannels === 1 ? [samples as Float32Array] : (samples as Float32Array[]), sampleRate };
  } catch (cause) {
    throw new PolluxError('FILE_CORRUPT', `${name}: is no WAV file that can be decoded: ${(cause as Error).message}.`, { cause });
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw ioFailed('read', file, error);
  }
}

async function waveFile(where: string): Promise<typeof import('wavefile')> {
  const loaded = await optional(where, 'wavefile', () => import('wavefile'));
  // A CommonJS package: its names may lie one level down.
  return 'WaveFile' in loaded ? loaded : (loaded as unknown as { default: typeof loaded }).default;
}

/** Writes a WAV file of 16-bit integers (default) or 32-bit floats; values beyond [-1, 1] are clipped to it as integers. */
export async function writeWav(file: string, sound: Sound, options: { bits?: '16' | '32f' } = {}): Promise<void> {
  checkOptions('writeWav', options, ['bits']);
  const { bits = '16' } = options;
  const [first] = sound.channels;
  if (!first || sound.channels.some(({ length }) => length !== first.length))
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `writeWav: channels must be of one length, got ${sound.channels.map(({ length }) => length).join(', ')}.`,
    );
  const { WaveFile } = await waveFile('writeWav');
  const wave = new WaveFile();
  const scaled = sound.channels.map((channel) =>
    bits === '32f' ? channel : Int16Array.from(channel, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767)),
  );
  wave.fromScratch(scaled.length, sound.sampleRate, bits, (scaled.length === 1 ? scaled[0] : scaled) as unknown as Float64Array);
  await writeAtomic(file, [wave.toBuffer()]);
}

/** The mean of all channels. */
export function mono({ channels, sampleRate }: Sound): { samples: Float32Array; sampleRate: number } {
  const [first = new Float32Array(0), ...others] = channels;
  const samples = first.slice();
  for (const channel of others) for (let i = 0; i < samples.length; i++) samples[i]! += channel[i]!;
  for (let i = 0; i < samples.length; i++) samples[i]! /= channels.length;
  return { samples, sampleRate };
}
