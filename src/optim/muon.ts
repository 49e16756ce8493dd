import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type Parameter, zeros } from '../tensor/index.js';
import { type AdamOptions, adamRule } from './adam.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { decayed, requireDecay, requireNonNegative, type Rule, slopeOf } from './rule.js';

export interface MuonOptions extends CommonOptions {
  /** Default 0.95. */
  momentum?: number;
  /** Nesterov's form of momentum. Default true. */
  nesterov?: boolean;
  /** Decoupled decay of the matrices. Default 0.1. */
  weightDecay?: number;
  /** Newton-Schulz iterations. Default 5. */
  iterations?: number;
  /** False: AdamW for matrices too. For groups: embeddings and the last layer do better without. Default true. */
  orthogonalize?: boolean;
  /** Of AdamW, which takes the parameters that are no matrices. Its learning rate is the group's. */
  adamW?: Pick<AdamOptions, 'betas' | 'epsilon' | 'weightDecay'>;
}

/**
 * The nearest semi-orthogonal matrix, roughly: singular values come to lie between about 0.7 and 1.2. Odd quintic polynomials
 * x (3.4445 - 4.775 x x' + 2.0315 (x x')^2), of matmuls alone.
 */
export function orthogonalized(matrix: Value, iterations: number): Value {
  const [rows, columns] = matrix.shape as [number, number];
  let x = ops.div(matrix, ops.maximum(ops.norm(matrix), 1e-7));
  const tall = rows > columns; // the product is the smaller one where x is wide
  if (tall) x = ops.transpose(x);
  for (let i = 0; i < iterations; i++) {
    const product = ops.matmul(x, x, { transposeB: true });
    const polynomial = ops.add(ops.mul(product, -4.775), ops.mul(ops.matmul(product, product), 2.0315));
    x = ops.add(ops.mul(x, 3.4445), ops.matmul(polynomial, x));
  }
  return tall ? ops.transpose(x) : x;
}

function rule(options: MuonOptions): Rule {
  const { momentum = 0.95, nesterov = true, weightDecay = 0.1, iterations = 5, orthogonalize = true, adamW = {} } = options;
  requireDecay('muon', { momentum });
  requireNonNegative('muon', { weightDecay });
  if (!Number.isInteger(iterations) || iterations < 1)
    throw new RangeError(`muon: iterations must be an integer of at least 1, got ${iterations}.`);
  const others = adamRule('muon', adamW, true);
  const isMatrix = ({ shape }: { shape: Parameter['shape'] }): boolean => orthogonalize && shape.length === 2;
  return {
    name: 'muon',
    slots: (parameter) => (isMatrix(parameter) ? { momentum: zeros(parameter.shape) } : others.slots(parameter)),
    update(update) {
      if (!isMatrix(update.parameter)) return others.update(update);
      const { parameter, learningRate } = update;
      const slope = slopeOf(update);
      const moved = ops.averaged(update.slots['momentum']!, slope, momentum);
      const direction = orthogonalized(nesterov ? ops.averaged(moved, slope, momentum) : moved, iterations);
      const [rows, columns] = parameter.shape as [number, number];
      const rate = ops.mul(learningRate, Math.sqrt(Math.max(1, rows / columns)));
      return { parameter: ops.sub(decayed(update, weightDecay), ops.mul(direction, rate)), slots: { momentum: moved } };
    },
  };
}

/**
 * Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"): momentum whose matrix is made orthogonal,
 * in the form of PyTorch's (from 2.9). Parameters of rank 2 alone; biases, norms and kernels of convolutions get AdamW.
 */
export const muon = (options: Grouped<MuonOptions> = {}): OptimizerDescription =>
  describe('muon', options, {
    learningRate: 1e-3,
    own: ['momentum', 'nesterov', 'weightDecay', 'iterations', 'orthogonalize', 'adamW'],
    rule,
  });
