import { below, PhiloxStream } from '../data/philox.js';
import { checkOptions, PolluxError } from '../errors.js';
import { mean } from './numbers.js';
import { normalCdf, normalQuantile } from './normal.js';

/** Takes the drawn samples out of anything that has one entry a sample. */
export type Pick = <T>(values: ArrayLike<T>) => T[];

export interface BootstrapOptions {
  /** Default 1000. */
  resamples?: number;
  /** Default 0.95. */
  confidence?: number;
  /** 'percentile' (default), or 'bca': corrected for bias and skewness (Efron 1987), at one more evaluation a sample. */
  method?: 'percentile' | 'bca';
  /** Default 0. */
  seed?: number;
}

/** A figure and its confidence interval. */
export interface Interval {
  /** Of all samples, each once. */
  value: number;
  low: number;
  high: number;
  standardError: number;
}

const stream = 0x626f6f74;

function* resampled(count: number, resamples: number, seed: number): Generator<Pick> {
  const philox = new PhiloxStream(seed, stream);
  const indices = new Uint32Array(count);
  const pick: Pick = (values) => {
    if (values.length !== count)
      throw new PolluxError('SHAPE_MISMATCH', `bootstrap: ${values.length} values cannot be picked from; there are ${count} samples.`);
    return Array.from(indices, (index) => values[index]!);
  };
  for (let round = 0; round < resamples; round++) {
    for (let i = 0; i < count; i++) {
      if (i % 4 === 0) philox.draw(i / 4, round);
      indices[i] = below(philox.words[i % 4]!, count);
    }
    yield pick;
  }
}

const all: Pick = (values) => Array.from(values);
const without =
  (left: number): Pick =>
  (values) =>
    Array.from(values).filter((_, i) => i !== left);

function checkRun(where: string, count: number, { resamples = 1000, confidence = 0.95, seed = 0 }: BootstrapOptions) {
  if (!(Number.isInteger(count) && count >= 1)) throw new PolluxError('INVALID_ARGUMENT', `${where}: there are no samples to draw from.`);
  if (!(Number.isInteger(resamples) && resamples >= 1)) throw new RangeError(`${where}: resamples must be a whole number of at least 1.`);
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`${where}: confidence must lie between 0 and 1, got ${confidence}.`);
  return { resamples, confidence, seed };
}

/**
 * Confidence interval of any figure by drawing samples with replacement (Efron 1979):
 * `bootstrap((pick) => f1(pick(predictions), pick(labels)), labels.length)`. Equal seeds give equal intervals. Resamples whose
 * figure is not defined (NaN) are left out.
 *
 * @param count samples that are drawn from, and drawn
 * @throws INVALID_ARGUMENT if there are no samples, or no resample gives a number; whatever the figure throws
 */
export function bootstrap(figure: (pick: Pick) => number, count: number, options: BootstrapOptions = {}): Interval {
  checkOptions('bootstrap', options, ['resamples', 'confidence', 'method', 'seed']);
  const { resamples, confidence, seed } = checkRun('bootstrap', count, options);
  const value = figure(all);
  const found: number[] = [];
  for (const pick of resampled(count, resamples, seed)) found.push(figure(pick));
  const sorted = Float64Array.from(found.filter((one) => !Number.isNaN(one))).sort();
  if (!sorted.length) throw new PolluxError('INVALID_ARGUMENT', 'bootstrap: the figure is NaN on every resample.');
  const half = (1 - confidence) / 2;
  const [low, high] =
    options.method === 'bca'
      ? correctedLevels(figure, count, value, sorted, half)
      : options.method === undefined || options.method === 'percentile'
        ? [half, 1 - half]
        : unknownMethod(options.method);
  const average = mean(sorted);
  const variance = sorted.reduce((sum, one) => sum + (one - average) ** 2, 0) / Math.max(1, sorted.length - 1);
  return { value, low: quantile(sorted, low), high: quantile(sorted, high), standardError: Math.sqrt(variance) };
}

function unknownMethod(method: string): never {
  throw new PolluxError('UNKNOWN_OPTION', `bootstrap: unknown method "${method}". Known: percentile, bca.`);
}

/** Levels of the bias-corrected and accelerated interval; the acceleration comes from leaving out one sample at a time. */
function correctedLevels(
  figure: (pick: Pick) => number,
  count: number,
  value: number,
  sorted: Float64Array,
  half: number,
): [number, number] {
  const below_ = sorted.filter((one) => one < value).length + sorted.filter((one) => one === value).length / 2;
  const bias = normalQuantile(below_ / sorted.length);
  const jackknife = Float64Array.from({ length: count }, (_, i) => figure(without(i)));
  const average = mean(jackknife);
  const cubes = jackknife.reduce((sum, one) => sum + (average - one) ** 3, 0);
  const squares = jackknife.reduce((sum, one) => sum + (average - one) ** 2, 0);
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
  const level = (z: number): number => normalCdf(bias + (bias + z) / (1 - acceleration * (bias + z)));
  const end = Number.isFinite(bias) ? normalQuantile(half) : 0;
  return Number.isFinite(bias) ? [level(end), level(-end)] : [half, 1 - half];
}

/** Linear between the neighbours, as NumPy's. */
function quantile(sorted: Float64Array, level: number): number {
  const place = level * (sorted.length - 1);
  const lower = Math.floor(place);
  const upper = Math.min(sorted.length - 1, lower + 1);
  return sorted[lower]! + (place - lower) * (sorted[upper]! - sorted[lower]!);
}

/** How much two models differ on the same samples, and how sure that is. */
export interface PairedComparison {
  /** Figure of the first model minus that of the second. */
  difference: number;
  low: number;
  high: number;
  /** Share of resamples in which the difference vanishes or has the other sign: one-sided, as Koehn (2004). */
  pValue: number;
}

/** Compares two models on the same samples: both figures are taken of the same draws, so what is common to both cancels. */
export function pairedBootstrap(
  first: (pick: Pick) => number,
  second: (pick: Pick) => number,
  count: number,
  options: Omit<BootstrapOptions, 'method'> = {},
): PairedComparison {
  checkOptions('pairedBootstrap', options, ['resamples', 'confidence', 'seed']);
  const { resamples, confidence, seed } = checkRun('pairedBootstrap', count, options);
  const difference = first(all) - second(all);
  const found: number[] = [];
  for (const pick of resampled(count, resamples, seed)) found.push(first(pick) - second(pick));
  const sorted = Float64Array.from(found).sort();
  const against = found.filter((one) => one * Math.sign(difference) <= 0).length;
  const half = (1 - confidence) / 2;
  return { difference, low: quantile(sorted, half), high: quantile(sorted, 1 - half), pValue: against / resamples };
}
