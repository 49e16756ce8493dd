import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue, wrap } from '../tensor/index.js';
import type { Elementwise, Flatten } from './types.js';

const activation = (op: (x: Value) => Value, name: string): Elementwise =>
  Object.defineProperty((x: Tensor) => wrap(op(tensorValue(x, name))), 'name', { value: name }) as Elementwise;

/** max(x, 0) */
export const relu = activation(ops.relu, 'relu');
export const sigmoid = activation(ops.sigmoid, 'sigmoid');
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

/** [N, ...] to [N, product]: the border between convolutions and dense layers. */
export const flatten: Flatten = (x) => x.flatten();
