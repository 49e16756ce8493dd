// Spectra of sound as networks take them. All are functions of tensors: differentiable, and at home in compiled steps.
import { checkWhole } from '../data/checks.js';
import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { currentTrace, fft, leafTensor, outsideTidy, type Tensor, tensorValue, wrap } from '../tensor/index.js';
import { melFilterbank, type MelOptions, melOptions } from './mel.js';
import { signalOf } from './signal.js';

export interface SpectrogramOptions {
  /** Samples of a frame. Default 400. */
  size?: number;
  /** Samples of the window within the frame. Default size. */
  windowLength?: number;
  /** Samples between the beginnings of two frames. Default floor(windowLength / 2). */
  hop?: number;
  /** Default 'hann'. */
  window?: 'hann' | 'hamming' | 'blackman';
  /** Exponent of the magnitude: 2 (default) for power, 1 for magnitude. */
  power?: number;
  /** Frame t is centred at t * hop: the signal is reflected at both ends. Default true. */
  center?: boolean;
  /** Divide by the root of the window's energy. Default false. */
  normalized?: boolean;
}

const spectrumOptions = ['size', 'windowLength', 'hop', 'window', 'power', 'center', 'normalized'];

/**
 * Tables by what they depend on, so that an eager loop neither computes nor uploads them again. They live as long as the process;
 * beyond a handful of settings the oldest goes.
 */
const tables = new Map<string, Tensor>();

function table(key: string, make: () => Tensor): Tensor {
  if (currentTrace()) return make(); // a constant of the plan
  const known = tables.get(key);
  if (known) return known;
  if (tables.size >= 16) tables.delete(tables.keys().next().value!);
  const made = outsideTidy(make);
  tables.set(key, made);
  return made;
}

/** The powers [..., frames, bins]. */
function powers(where: string, x: Tensor, options: SpectrogramOptions): Value {
  signalOf(where, x);
  const size = checkWhole(where, 'size', options.size ?? 400, 1);
  const windowLength = checkWhole(where, 'windowLength', options.windowLength ?? size, 1);
  const hop = checkWhole(where, 'hop', options.hop ?? Math.max(1, Math.floor(windowLength / 2)), 1);
  const { window = 'hann', power = 2, center = true, normalized = false } = options;
  if (!['hann', 'hamming', 'blackman'].includes(window))
    throw new RangeError(`${where}: window is 'hann', 'hamming' or 'blackman', not '${window}'.`);
  if (!(power > 0)) throw new RangeError(`${where}: power must be above 0, got ${power}.`);
  const weights = table(`${window} ${windowLength}`, () => fft[window](windowLength) as Tensor);
  const pairs = ops.swapAxes(fft.stft(x, size, { windowLength, hop, center, window: weights }).value, -2, -3);
  const squares = ops.sum(ops.square(pairs), -1);
  const scaled = normalized ? ops.div(squares, ops.sum(ops.square(weights.value))) : squares;
  if (power === 2) return scaled;
  // The root has no slope at 0: silence gets none.
  const positive = ops.greater(scaled, 0);
  return ops.where(positive, ops.pow(ops.where(positive, scaled, 1), power / 2), 0);
}

/**
 * Powers of the short-time spectrum: [..., samples] to [..., size / 2 + 1, frames], as torchaudio's Spectrogram.
 * @throws SHAPE_MISMATCH for a signal shorter than a frame needs.
 */
export function spectrogram(x: Tensor, options: SpectrogramOptions = {}): Tensor {
  checkOptions('spectrogram', options, spectrumOptions);
  return wrap(ops.swapAxes(powers('spectrogram', x, options), -1, -2));
}

export interface MelSpectrogramOptions extends SpectrogramOptions, MelOptions {}

/** The mel spectrum [..., frames, mels]. */
function melPowers(where: string, x: Tensor, options: MelSpectrogramOptions): Value {
  const spectrum = powers(where, x, options);
  const ofMel = Object.fromEntries(Object.entries(options).filter(([name]) => melOptions.includes(name)));
  const bins = spectrum.shape.at(-1)!;
  return ops.matmul(spectrum, table(`mel ${bins} ${JSON.stringify(ofMel)}`, () => melFilterbank(bins, ofMel) as Tensor).value);
}

/** The spectrogram through a `melFilterbank`: [..., samples] to [..., mels, frames], as torchaudio's MelSpectrogram. */
export function melSpectrogram(x: Tensor, options: MelSpectrogramOptions = {}): Tensor {
  checkOptions('melSpectrogram', options, [...spectrumOptions, ...melOptions]);
  return wrap(ops.swapAxes(melPowers('melSpectrogram', x, options), -1, -2));
}

export interface DecibelOptions {
  /** What x measures: 'power' (default) or 'magnitude'. */
  of?: 'power' | 'magnitude';
  /** What counts as 0 dB. Default 1. */
  reference?: number;
  /** Smaller numbers count as this. Default 1e-10. */
  least?: number;
  /** What lies further below the maximum of its spectrogram [bins, frames] is raised to there. Default: no limit. */
  range?: number;
}

function decibels(x: Value, { of = 'power', reference = 1, least = 1e-10, range }: DecibelOptions): Value {
  const factor = of === 'power' ? 10 : 20;
  const found = ops.sub(ops.mul(ops.log10(ops.maximum(x, least)), factor), factor * Math.log10(Math.max(least, reference)));
  if (range === undefined) return found;
  const axes = x.shape.length > 1 ? [-2, -1] : [-1];
  return ops.maximum(found, ops.sub(ops.max(found, axes, true), range));
}

/** 10 log10(x / reference) of powers, 20 log10 of magnitudes: torchaudio's AmplitudeToDB (`range` is its topDb). */
export function toDecibels(x: Tensor, options: DecibelOptions = {}): Tensor {
  checkOptions('toDecibels', options, ['of', 'reference', 'least', 'range']);
  const { of = 'power', reference = 1, least = 1e-10, range = 1 } = options;
  if (of !== 'power' && of !== 'magnitude') throw new RangeError(`toDecibels: of is 'power' or 'magnitude', not '${of}'.`);
  for (const [name, value] of Object.entries({ reference, least, range }))
    if (!(value > 0)) throw new RangeError(`toDecibels: ${name} must be above 0, got ${value}.`);
  return wrap(decibels(tensorValue(x, 'toDecibels'), options));
}

export interface MfccOptions extends MelSpectrogramOptions {
  /** Coefficients kept, of as many as there are mels. Default 40. */
  coefficients?: number;
  /** 'decibels' with a range of 80 (default), or 'log', ln(mel + 1e-6). */
  logarithm?: 'decibels' | 'log';
}

/** The orthonormal DCT-II: [mels, coefficients]. */
const dct = (mels: number, coefficients: number): Tensor =>
  leafTensor(
    [mels, coefficients],
    'float32',
    Float32Array.from({ length: mels * coefficients }, (_, place) => {
      const [n, k] = [Math.floor(place / coefficients), place % coefficients];
      return Math.cos((Math.PI / mels) * (n + 0.5) * k) * Math.sqrt((k ? 2 : 1) / mels);
    }),
  );

/**
 * Mel-frequency cepstral coefficients (Davis and Mermelstein 1980): the orthonormal DCT-II over the mels of the logarithm of the
 * mel spectrogram. [..., samples] to [..., coefficients, frames], as torchaudio's MFCC.
 */
export function mfcc(x: Tensor, options: MfccOptions = {}): Tensor {
  const { coefficients = 40, logarithm = 'decibels', ...mel } = options;
  checkOptions('mfcc', mel, [...spectrumOptions, ...melOptions]);
  checkWhole('mfcc', 'coefficients', coefficients, 1);
  if (logarithm !== 'decibels' && logarithm !== 'log')
    throw new RangeError(`mfcc: logarithm is 'decibels' or 'log', not '${String(logarithm)}'.`);
  const spectrum = melPowers('mfcc', x, mel);
  const mels = spectrum.shape.at(-1)!;
  if (coefficients > mels) throw new RangeError(`mfcc: ${mels} mels have no ${coefficients} coefficients.`);
  const logs = logarithm === 'log' ? ops.log(ops.add(spectrum, 1e-6)) : decibels(spectrum, { range: 80 });
  const found = ops.matmul(logs, table(`dct ${mels} ${coefficients}`, () => dct(mels, coefficients)).value);
  return wrap(ops.swapAxes(found, -1, -2));
}
