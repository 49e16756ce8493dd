import * as ops from '../ops/index.js';
import type { Value } from '../graph/node.js';
import { Parameter } from '../tensor/index.js';
import { uniform } from './initializers.js';

/** What one direction of one recurrent layer learns; the rows of each are those of its gates, one after the other. */
export interface RecurrentWeights<I extends number = number, H extends number = number> {
  /** [gates * hidden, input] */
  readonly inputWeight: Parameter<readonly [number, I], 'float32'>;
  /** [gates * hidden, hidden] */
  readonly hiddenWeight: Parameter<readonly [number, H], 'float32'>;
  /** [gates * hidden], beside the input */
  readonly inputBias: Parameter<readonly [number], 'float32'> | undefined;
  /** [gates * hidden], beside the state */
  readonly hiddenBias: Parameter<readonly [number], 'float32'> | undefined;
}

/** Weights that are drawn, all of them, uniformly within 1 / sqrt(hidden), as PyTorch does. */
export function createWeights<I extends number, H extends number>(
  gates: number,
  inSize: I,
  hiddenSize: H,
  bias: boolean,
): RecurrentWeights<I, H> {
  const draw = uniform(1 / Math.sqrt(hiddenSize));
  const rows = gates * hiddenSize;
  const ofBias = () => (bias ? new Parameter([rows] as const, draw) : undefined);
  return {
    inputWeight: new Parameter([rows, inSize] as const, draw),
    hiddenWeight: new Parameter([rows, hiddenSize] as const, draw),
    inputBias: ofBias(),
    hiddenBias: ofBias(),
  };
}

/** The input's part of the gates, x W^T, with the biases. */
export function project(x: Value, { inputWeight, inputBias, hiddenBias }: RecurrentWeights): Value {
  const product = ops.matmul(x, inputWeight.value, { transposeB: true });
  return inputBias && hiddenBias ? ops.add(product, ops.add(inputBias.value, hiddenBias.value)) : product;
}

/** The same for a GRU, whose bias beside the state goes with the input only in the gates r and z; that of n comes apart. */
export function projectGru(x: Value, { inputWeight, hiddenWeight, inputBias, hiddenBias }: RecurrentWeights): { x: Value; bias: Value } {
  const product = ops.matmul(x, inputWeight.value, { transposeB: true });
  const hidden = hiddenWeight.shape[1]!;
  if (!inputBias || !hiddenBias) return { x: product, bias: ops.constant(0, [hidden]) };
  const outside = ops.pad(ops.sliceAxis(hiddenBias.value, 0, 0, 2 * hidden), [0], [hidden]);
  return { x: ops.add(product, ops.add(inputBias.value, outside)), bias: ops.sliceAxis(hiddenBias.value, 0, 2 * hidden, 3 * hidden) };
}
