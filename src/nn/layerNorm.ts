import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { type DType, Parameter, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { requireSize, requireTrailing } from './checks.js';
import { ones, zeros } from './initializers.js';
import { Module } from './module.js';
import type { io } from './types.js';

/** The normalised axes: the size of the last one, or those of the last few. */
export type NormalizedShape = number | readonly number[];

export interface RmsNormOptions {
  /** Added to the mean square. Default 1.1920929e-7 (float32's epsilon), as PyTorch; Llama-like models use 1e-5 or 1e-6. */
  epsilon?: number;
  /** Learn a weight for each normalised element. Default true. */
  affine?: boolean;
}

export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Learn a weight, and a bias, for each normalised element. Default true. */
  affine?: boolean;
  /** Learn the bias, if affine. Default true. */
  bias?: boolean;
}

function shapeOf(layer: string, shape: NormalizedShape): readonly number[] {
  const sizes = typeof shape === 'number' ? [shape] : [...shape];
  if (sizes.length === 0) throw new RangeError(`${layer}: normalizedShape names no axis.`);
  for (const size of sizes) requireSize(layer, 'normalizedShape', size);
  return sizes;
}

/**
 * (x - mean) / sqrt(variance + epsilon) * weight + bias, over the last axes of each sample (Ba et al. 2016). The variance is the
 * biased one. `weight` and `bias` have the shape of the normalised axes.
 */
export class LayerNorm extends Module {
  declare readonly [io]?: 'same';
  declare readonly layerName?: 'LayerNorm';
  readonly normalizedShape: readonly number[];
  readonly weight: Parameter<readonly number[], 'float32'> | undefined;
  readonly bias: Parameter<readonly number[], 'float32'> | undefined;
  readonly epsilon: number;

  constructor(normalizedShape: NormalizedShape, options: LayerNormOptions = {}) {
    super();
    checkOptions('LayerNorm', options, ['epsilon', 'affine', 'bias']);
    const { epsilon = 1e-5, affine = true, bias = true } = options;
    this.normalizedShape = shapeOf('LayerNorm', normalizedShape);
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter(this.normalizedShape, ones) : undefined;
    this.bias = affine && bias ? new Parameter(this.normalizedShape, zeros) : undefined;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    requireTrailing('LayerNorm', x, this.normalizedShape);
    const { epsilon, normalizedShape, weight, bias } = this;
    return wrap(ops.layerNorm(x.value, { scale: weight?.value, shift: bias?.value, axes: normalizedShape.length, epsilon }));
  }
}

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axes of each sample (Zhang and Sennrich 2019). */
export class RmsNorm extends Module {
  declare readonly [io]?: 'same';
  declare readonly layerName?: 'RmsNorm';
  readonly normalizedShape: readonly number[];
  readonly weight: Parameter<readonly number[], 'float32'> | undefined;
  readonly epsilon: number;

  constructor(normalizedShape: NormalizedShape, options: RmsNormOptions = {}) {
    super();
    checkOptions('RmsNorm', options, ['epsilon', 'affine']);
    const { epsilon = 2 ** -23, affine = true } = options;
    this.normalizedShape = shapeOf('RmsNorm', normalizedShape);
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter(this.normalizedShape, ones) : undefined;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    requireTrailing('RmsNorm', x, this.normalizedShape);
    const { epsilon, normalizedShape, weight } = this;
    return wrap(ops.rmsNorm(x.value, { scale: weight?.value, axes: normalizedShape.length, epsilon }));
  }
}
