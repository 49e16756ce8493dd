import { checkOptions } from '../errors.js';
import { noGrad, normal, type Parameter, type Tensor } from '../tensor/index.js';
import { requireSize } from './checks.js';
import { ConvTranspose1d, ConvTranspose2d } from './convTranspose.js';
import type { Module } from './module.js';
import { Parametrization, parametrize, removeParametrization } from './parametrize.js';

export interface SpectralNormOptions {
  /** Steps of the power iteration in each forward pass of training mode. Default 1. */
  iterations?: number;
  /** Lengths below it count as it. Default 1e-12. */
  epsilon?: number;
  /** The axis of the outputs. Default 0, and the last one for transposed convolutions. */
  axis?: number;
}

class SpectralNorm extends Parametrization {
  readonly original: Parameter;
  /** Estimates of the first singular vectors, [out] and [the rest]. */
  readonly leftVector: Tensor;
  readonly rightVector: Tensor;

  constructor(
    field: string,
    weight: Parameter,
    readonly axis: number,
    readonly iterations: number,
    readonly epsilon: number,
  ) {
    super(field);
    this.original = weight;
    const rows: number = weight.shape[axis]!;
    this.leftVector = this.unit(normal([rows]));
    this.rightVector = this.unit(normal([weight.size / rows]));
  }

  private unit(x: Tensor): Tensor {
    return x.div(x.square().sum().sqrt().maximum(this.epsilon));
  }

  forward(): Tensor {
    const { original, axis } = this;
    const others = [...original.shape.keys()].filter((i) => i !== axis);
    const matrix: Tensor = original.transpose([axis, ...others]).reshape([original.shape[axis]!, -1]);
    if (this.training) noGrad(() => this.iterate(matrix.detach()));
    // u W v; no gradient flows through the vectors (Miyato et al. 2018).
    const [left, right] = [this.leftVector.detach(), this.rightVector.detach()];
    return original.div(matrix.matmul(right).mul(left).sum());
  }

  private iterate(matrix: Tensor): void {
    let [left, right] = [this.leftVector, this.rightVector];
    for (let i = 0; i < this.iterations; i++) {
      right = this.unit(left.matmul(matrix));
      left = this.unit(matrix.matmul(right));
    }
    this.leftVector.assign(left);
    this.rightVector.assign(right);
  }
}

/**
 * Divides a layer's weight by its largest singular value (Miyato et al. 2018), which a step of the power iteration follows in each
 * forward pass of training mode. The layer's `weight` becomes `weight.original`, with the buffers `weight.leftVector` and
 * `weight.rightVector`. Returns the layer.
 */
export function spectralNorm<M extends Module>(layer: M, field = 'weight', options: SpectralNormOptions = {}): M {
  checkOptions('spectralNorm', options, ['iterations', 'epsilon', 'axis']);
  const { iterations = 1, epsilon = 1e-12 } = options;
  requireSize('spectralNorm', 'iterations', iterations);
  const transposed = layer instanceof ConvTranspose1d || layer instanceof ConvTranspose2d;
  return parametrize(layer, field, (weight) => {
    const { axis = transposed ? weight.rank - 1 : 0 } = options;
    if (weight.rank < 2 || !Number.isInteger(axis) || axis < 0 || axis >= weight.rank)
      throw new RangeError(`spectralNorm: axis ${axis} of a weight [${weight.shape.join(', ')}]: it needs two axes, and one of them.`);
    return new SpectralNorm(field, weight, axis, iterations, epsilon);
  });
}

/** Makes a plain parameter again, with the value that was divided. Returns the layer. */
export const removeSpectralNorm = <M extends Module>(layer: M, field = 'weight'): M => removeParametrization(layer, field);
