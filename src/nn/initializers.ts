import * as ops from '../ops/index.js';
import type { DrawSource, Initializer } from '../tensor/index.js';

/**
 * Fan-in and fan-out of a weight laid out [out, ...window, in]: how many numbers feed one output, and are fed by one input.
 */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const window = shape.slice(1, -1).reduce((a, b) => a * b, 1);
  return { fanIn: window * (shape.at(-1) ?? 1), fanOut: window * (shape[0] ?? 1) };
}

const number = (x: number) => ops.constant(x, [], 'float32');
const spread = (shape: readonly number[], { state, stream }: DrawSource, bound: number) =>
  ops.sub(ops.mul(ops.uniform(state, shape, stream), number(2 * bound)), number(bound));
const bell = (shape: readonly number[], { state, stream }: DrawSource, std: number) =>
  ops.mul(ops.normal(state, shape, stream), number(std));

/** Every element the same. */
export const constant =
  (value: number): Initializer =>
  (shape) =>
    ops.constant(value, shape, 'float32');
export const zeros: Initializer = constant(0);
export const ones: Initializer = constant(1);
/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number): Initializer =>
  (shape, source) =>
    spread(shape, source, bound);
export const normal =
  (std: number): Initializer =>
  (shape, source) =>
    bell(shape, source, std);

/** Uniform with bound sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010): for tanh and sigmoid, and Keras's default. */
export const glorotUniform: Initializer = (shape, source) => {
  const { fanIn, fanOut } = fans(shape);
  return spread(shape, source, Math.sqrt(6 / (fanIn + fanOut)));
};
/** Normal with std sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export const glorotNormal: Initializer = (shape, source) => {
  const { fanIn, fanOut } = fans(shape);
  return bell(shape, source, Math.sqrt(2 / (fanIn + fanOut)));
};
/** Uniform with bound sqrt(6 / fanIn) (He et al. 2015): for relu. */
export const heUniform: Initializer = (shape, source) => spread(shape, source, Math.sqrt(6 / fans(shape).fanIn));
/** Normal with std sqrt(2 / fanIn) (He et al. 2015): for relu. */
export const heNormal: Initializer = (shape, source) => bell(shape, source, Math.sqrt(2 / fans(shape).fanIn));
/** Uniform with bound 1 / sqrt(fanIn): PyTorch's default for the weights of Linear and Conv2d. */
export const fanInUniform: Initializer = (shape, source) => spread(shape, source, 1 / Math.sqrt(fans(shape).fanIn));
