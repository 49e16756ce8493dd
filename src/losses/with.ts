import type { Tensor } from '../tensor/index.js';

/**
 * A loss with its options, as the Trainer takes it: `losses.with(losses.crossEntropy, { labelSmoothing: 0.1 })` is
 * `(output, target) => losses.crossEntropy(output, target, { labelSmoothing: 0.1 })`.
 */
export function withOptions<O extends object>(
  loss: (output: Tensor, target: Tensor, options?: O) => Tensor,
  options: O,
): (output: Tensor, target: Tensor) => Tensor<readonly [], 'float32'> {
  return (output, target) => loss(output, target, options);
}
