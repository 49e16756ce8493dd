import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type DType, Parameter, type Shape, type Tensor, tensorValue, wrap } from '../tensor/index.js';
import { requireLast, requireSize } from './checks.js';
import { constant } from './initializers.js';
import { Module } from './module.js';
import type { Elementwise, Flatten, io } from './types.js';

const activation = (op: (x: Value) => Value, name: string): Elementwise =>
  Object.defineProperty((x: Tensor) => wrap(op(tensorValue(x, name))), 'name', { value: name }) as Elementwise;

/** max(x, 0) */
export const relu = activation(ops.relu, 'relu');
/** 1 / (1 + exp(-x)) */
export const sigmoid = activation(ops.sigmoid, 'sigmoid');
/** Hyperbolic tangent. */
export const tanh = activation(ops.tanh, 'tanh');
/** log(1 + exp(x)) */
export const softplus = activation(ops.softplus, 'softplus');
/** x * sigmoid(x) */
export const silu = activation(ops.silu, 'silu');
/** x * Phi(x), by erf (Hendrycks and Gimpel 2016). */
export const gelu = activation(ops.gelu, 'gelu');
/** The tanh form of gelu. */
export const geluTanh = activation(ops.geluTanh, 'geluTanh');
/** Over the last axis. A classifier that is trained with losses.crossEntropy takes logits and needs none. */
export const softmax = activation((x) => ops.softmax(x), 'softmax');
/** Over the last axis. */
export const logSoftmax = activation((x) => ops.logSoftmax(x), 'logSoftmax');

/** x where it is > 0, else slope * x. */
export const leakyRelu = (slope = 0.01): Elementwise => activation((x) => ops.leakyRelu(x, slope), 'leakyRelu');
/** x where it is > 0, else alpha * (exp(x) - 1) (Clevert et al. 2016). */
export const elu = (alpha = 1): Elementwise => activation((x) => ops.elu(x, alpha), 'elu');
/** The self-normalising scale of elu (Klambauer et al. 2017). */
export const selu = activation(ops.selu, 'selu');
/** x where it is > 0, else alpha * (exp(x / alpha) - 1) (Barron 2017). */
export const celu = (alpha = 1): Elementwise => activation((x) => ops.celu(x, alpha), 'celu');
/** x between low and high, which it does not leave. */
export const hardTanh = (low = -1, high = 1): Elementwise => {
  if (!(low < high)) throw new RangeError(`hardTanh: low ${low} must be below high ${high}.`);
  return activation((x) => ops.hardTanh(x, low, high), 'hardTanh');
};
/** min(max(x, 0), 6) */
export const relu6 = activation(ops.relu6, 'relu6');
/** 0 below -3, 1 above 3, x / 6 + 1 / 2 between. */
export const hardSigmoid = activation(ops.hardSigmoid, 'hardSigmoid');
/** x * hardSigmoid(x) (Howard et al. 2019). */
export const hardSwish = activation(ops.hardSwish, 'hardSwish');
/** x * tanh(softplus(x)) (Misra 2019). */
export const mish = activation(ops.mish, 'mish');
/** x / (1 + |x|) */
export const softSign = activation(ops.softSign, 'softSign');
/** x - tanh(x) */
export const tanhShrink = activation(ops.tanhShrink, 'tanhShrink');
/** x brought `lambda` nearer to 0; 0 within. */
export const softShrink = (lambda = 0.5): Elementwise => activation((x) => ops.softShrink(x, lambda), 'softShrink');
/** x beyond `lambda` of 0; 0 within. */
export const hardShrink = (lambda = 0.5): Elementwise => activation((x) => ops.hardShrink(x, lambda), 'hardShrink');
/** log(sigmoid(x)), without underflow. */
export const logSigmoid = activation(ops.logSigmoid, 'logSigmoid');
/** x where it is > limit, else value. */
export const threshold = (limit: number, value: number): Elementwise => activation((x) => ops.threshold(x, limit, value), 'threshold');
/** a * sigmoid(b), a and b being the halves of x along an axis, by default the last (Dauphin et al. 2017). */
export const glu =
  (axis = -1) =>
  (x: Tensor): Tensor =>
    wrap(ops.glu(tensorValue(x, 'glu'), axis));

/** x where it is > 0, else weight * x, with a learned weight: one, or one a channel, the last axis (He et al. 2015). */
export class PReLU extends Module {
  declare readonly [io]?: 'same';
  declare readonly layerName?: 'PReLU';
  readonly weight: Parameter<readonly [number], 'float32'>;

  /** @param channels 1, or the size of the last axis. @param initial first value of the weight, 0.25 by default as PyTorch. */
  constructor(
    readonly channels = 1,
    initial = 0.25,
  ) {
    super();
    requireSize('PReLU', 'channels', channels);
    this.weight = new Parameter([channels] as const, constant(initial));
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    if (this.channels > 1) requireLast('PReLU', x, this.channels, 'channels');
    return wrap(ops.leakyRelu(x.value, this.weight.value));
  }
}

/** [N, ...] to [N, product]: the border between convolutions and dense layers. */
export const flatten: Flatten = (x) => x.flatten();
