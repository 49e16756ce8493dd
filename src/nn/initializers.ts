import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import type { DrawSource, Initializer } from '../tensor/index.js';
import { calculateGain, type Nonlinearity } from './initializerGain.js';

export { calculateGain, type Nonlinearity } from './initializerGain.js';
export { orthogonal } from './initializerOrthogonal.js';
export { dirac, identity, sparse } from './initializerStructured.js';

/**
 * Fan-in and fan-out of a weight laid out [out, ...window, in]: how many numbers feed one output, and are fed by one input.
 */
export function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const window = shape.slice(1, -1).reduce((a, b) => a * b, 1);
  return { fanIn: window * (shape.at(-1) ?? 1), fanOut: window * (shape[0] ?? 1) };
}

const number = (x: number) => ops.constant(x, [], 'float32');
const spread = (shape: readonly number[], { state, stream }: DrawSource, low: number, high: number) =>
  ops.add(ops.mul(ops.uniform(state, shape, stream), number(high - low)), number(low));
const bell = (shape: readonly number[], { state, stream }: DrawSource, std: number) =>
  ops.mul(ops.normal(state, shape, stream), number(std));

/** Every element the same. */
export const constant =
  (value: number): Initializer =>
  (shape) =>
    ops.constant(value, shape, 'float32');
/** All 0. */
export const zeros: Initializer = constant(0);
/** All 1. */
export const ones: Initializer = constant(1);

/** Uniform in [-bound, bound), or in [low, high). */
export function uniform(bound: number): Initializer;
export function uniform(low: number, high: number): Initializer;
export function uniform(first: number, second?: number): Initializer {
  const [low, high] = second === undefined ? [-first, first] : [first, second];
  return (shape, source) => spread(shape, source, low, high);
}

/** Normal with the given deviation and mean. */
export const normal =
  (std = 1, mean = 0): Initializer =>
  (shape, source) =>
    mean === 0 ? bell(shape, source, std) : ops.add(bell(shape, source, std), number(mean));

export interface TruncatedNormalOptions {
  /** Default 0. */
  mean?: number;
  /** Bounds of the numbers. Default: two deviations from the mean, as Keras; PyTorch's `a` and `b`. */
  low?: number;
  high?: number;
}

/** Beyond this the distribution function is 0 or 1 in float32, and the numbers are those without a bound. */
const FAR = 5;

/** The standard normal distribution function, by erf to 1.5e-7 (Abramowitz and Stegun 7.1.26). */
function distribution(x: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2);
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const tail = (series * Math.exp((-x * x) / 2)) / 2;
  return x > 0 ? 1 - tail : tail;
}

/** Normal, within bounds: the distribution function's inverse of uniform numbers between its values there. */
export function truncatedNormal(std = 1, options: TruncatedNormalOptions = {}): Initializer {
  checkOptions('truncatedNormal', options, ['mean', 'low', 'high']);
  const { mean = 0, low = mean - 2 * std, high = mean + 2 * std } = options;
  if (!(low < high)) throw new RangeError(`truncatedNormal: low ${low} must be below high ${high}.`);
  const [from, to] = [low, high].map((bound) => distribution(Math.max(-FAR, Math.min(FAR, (bound - mean) / std))));
  return (shape, source): Value => {
    const place = spread(shape, source, 2 * from! - 1, 2 * to! - 1);
    const x = ops.add(ops.mul(ops.erfinv(place), number(std * Math.SQRT2)), number(mean));
    return ops.minimum(ops.maximum(x, number(low)), number(high));
  };
}

export interface VarianceScalingOptions {
  /** The variance is scale / fan. Default 1. */
  scale?: number;
  /** Default 'fanIn'. */
  mode?: 'fanIn' | 'fanOut' | 'fanAverage';
  /** Default 'normal'. The truncated normal has the same variance as the others. */
  distribution?: 'normal' | 'uniform' | 'truncatedNormal';
}

/** Deviation of a standard normal number that is cut at 2. */
const CUT_DEVIATION = 0.879_625_661_034_239_8;

/** Numbers of mean 0 and variance scale / fan, for weights [out, ...window, in]: what the named initialisers below are made of. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  checkOptions('varianceScaling', options, ['scale', 'mode', 'distribution']);
  const { scale = 1, mode = 'fanIn', distribution: kind = 'normal' } = options;
  if (!(scale > 0)) throw new RangeError(`varianceScaling: scale must be above 0, got ${scale}.`);
  if (!['fanIn', 'fanOut', 'fanAverage'].includes(mode))
    throw new RangeError(`varianceScaling: mode must be 'fanIn', 'fanOut' or 'fanAverage', got '${mode}'.`);
  if (!['normal', 'uniform', 'truncatedNormal'].includes(kind))
    throw new RangeError(`varianceScaling: distribution must be 'normal', 'uniform' or 'truncatedNormal', got '${kind}'.`);
  return (shape, source) => {
    const { fanIn, fanOut } = fans(shape);
    const variance = scale / { fanIn, fanOut, fanAverage: (fanIn + fanOut) / 2 }[mode];
    if (kind === 'uniform') return uniform(Math.sqrt(3 * variance))(shape, source);
    if (kind === 'normal') return bell(shape, source, Math.sqrt(variance));
    return truncatedNormal(Math.sqrt(variance) / CUT_DEVIATION)(shape, source);
  };
}

export interface KaimingOptions {
  /** Which fan keeps its variance: 'fanIn' (default) that of the activations, 'fanOut' that of the gradients. */
  mode?: 'fanIn' | 'fanOut';
  /** What follows the layer. Default 'relu'. */
  nonlinearity?: Nonlinearity;
  /** Slope of a leaky relu below 0. Default 0.01. */
  slope?: number;
}

const kaiming = (name: string, options: KaimingOptions, distribution: 'normal' | 'uniform'): Initializer => {
  checkOptions(name, options, ['mode', 'nonlinearity', 'slope']);
  const { mode = 'fanIn', nonlinearity = 'relu', slope } = options;
  return varianceScaling({ scale: calculateGain(nonlinearity, slope) ** 2, mode, distribution });
};

/** Uniform with bound gain sqrt(3 / fan) (He et al. 2015); torch.nn.init.kaiming_uniform_. */
export const kaimingUniform = (options: KaimingOptions = {}): Initializer => kaiming('kaimingUniform', options, 'uniform');
/** Normal with deviation gain / sqrt(fan) (He et al. 2015); torch.nn.init.kaiming_normal_. */
export const kaimingNormal = (options: KaimingOptions = {}): Initializer => kaiming('kaimingNormal', options, 'normal');
/** Uniform with bound gain sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010); torch.nn.init.xavier_uniform_. */
export const xavierUniform = (gain = 1): Initializer => varianceScaling({ scale: gain ** 2, mode: 'fanAverage', distribution: 'uniform' });
/** Normal with deviation gain sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010); torch.nn.init.xavier_normal_. */
export const xavierNormal = (gain = 1): Initializer => varianceScaling({ scale: gain ** 2, mode: 'fanAverage' });

/** Uniform with bound sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010): for tanh and sigmoid, and Keras's default. */
export const glorotUniform: Initializer = xavierUniform();
/** Normal with std sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). Not cut, as Keras's is at two deviations. */
export const glorotNormal: Initializer = xavierNormal();
/** Uniform with bound sqrt(6 / fanIn) (He et al. 2015): for relu. */
export const heUniform: Initializer = kaimingUniform();
/** Normal with std sqrt(2 / fanIn) (He et al. 2015): for relu. */
export const heNormal: Initializer = kaimingNormal();
/** Uniform with bound sqrt(3 / fanIn) (LeCun et al. 1998): for selu. */
export const lecunUniform: Initializer = varianceScaling({ distribution: 'uniform' });
/** Normal with std sqrt(1 / fanIn) (LeCun et al. 1998): for selu. */
export const lecunNormal: Initializer = varianceScaling();
/** Uniform with bound 1 / sqrt(fanIn): PyTorch's default for the weights of Linear and Conv2d. */
export const fanInUniform: Initializer = varianceScaling({ scale: 1 / 3, distribution: 'uniform' });
