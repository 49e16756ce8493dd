import { Parameter, type Tensor } from '../tensor/index.js';
import type { Module } from './module.js';
import { Parametrization, parametrize, removeParametrization } from './parametrize.js';

/** The norm over all axes but one, which is kept; over all without one. */
function normBeside(x: Tensor, axis: number | undefined): Tensor {
  const axes = [...x.shape.keys()].filter((i) => i !== axis);
  return x.square().sum(axes, { keepDims: true }).sqrt();
}

class WeightNorm extends Parametrization {
  readonly direction: Parameter;
  readonly magnitude: Parameter;

  constructor(
    field: string,
    weight: Parameter,
    readonly axis: number | undefined,
  ) {
    super(field);
    const shape = weight.shape.map((size: number, i: number) => (i === axis ? size : 1));
    this.direction = weight;
    // The first value of the weight stays what it was.
    this.magnitude = new Parameter(shape, () => normBeside(weight, axis).value);
  }

  forward(): Tensor {
    return this.direction.mul(this.magnitude.div(normBeside(this.direction, this.axis)));
  }
}

export interface WeightNormOptions {
  /** The axis along which each slice has a length of its own; null: one length for the whole weight. Default 0, the outputs. */
  axis?: number | null;
}

/**
 * Learns the length and the direction of a layer's weight apart: w = magnitude direction / |direction| (Salimans and Kingma 2016).
 * The layer's `weight` becomes `weight.direction` and `weight.magnitude` ([out, 1, ...]). Returns the layer.
 */
export function weightNorm<M extends Module>(layer: M, field = 'weight', options: WeightNormOptions = {}): M {
  const { axis = 0 } = options;
  return parametrize(layer, field, (weight) => {
    if (axis !== null && !(Number.isInteger(axis) && axis >= 0 && axis < weight.rank))
      throw new RangeError(`weightNorm: axis ${axis} lies outside of the weight [${weight.shape.join(', ')}].`);
    return new WeightNorm(field, weight, axis ?? undefined);
  });
}

/** Makes one parameter of length and direction again. Returns the layer. */
export const removeWeightNorm = <M extends Module>(layer: M, field = 'weight'): M => removeParametrization(layer, field);
