import * as ops from '../ops/index.js';
import { scalar, type Tensor, wrap } from '../tensor/index.js';

/** Euclidean norm of all gradients together, a float32 scalar. */
export function globalNorm(gradients: readonly Tensor[]): Tensor<readonly [], 'float32'> {
  const squares = gradients.map((gradient) => ops.sumSquares(gradient.value));
  return wrap(ops.sqrt(squares.reduce((a, b) => ops.add(a, b))));
}

/** Gradients scaled so that their global norm is at most `limit`, and the norm before. */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  limit: number,
): { gradients: Tensor[]; norm: Tensor<readonly [], 'float32'> } {
  if (!(limit > 0)) throw new RangeError(`clipByGlobalNorm: the limit must be above 0, got ${limit}.`);
  const norm = globalNorm(gradients);
  const factor = wrap(ops.minimum(ops.div(scalar(limit, 'float32'), ops.add(norm.value, scalar(1e-6, 'float32'))), scalar(1, 'float32')));
  return { gradients: gradients.map((gradient) => gradient.mul(factor)), norm };
}

/** Each element of each gradient cut to [-limit, limit]. */
export function clipByValue(gradients: readonly Tensor[], limit: number): Tensor[] {
  if (!(limit > 0)) throw new RangeError(`clipByValue: the limit must be above 0, got ${limit}.`);
  return gradients.map((gradient) => gradient.clamp(-limit, limit));
}
