import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import type { Initializer } from '../tensor/index.js';

/** True where all conditions hold. */
const all = (conditions: readonly Value[]): Value => conditions.reduce((a, b) => ops.logicalAnd(a, b));

/** The identity matrix times `gain`, for weights [out, in]; cut or filled with zeros where they are not square. */
export const identity =
  (gain = 1): Initializer =>
  (shape) => {
    if (shape.length !== 2) throw new RangeError(`identity: needs a weight [out, in], got [${shape.join(', ')}].`);
    return ops.where(ops.equal(ops.iota(shape, 0), ops.iota(shape, 1)), gain, ops.constant(0, shape));
  };

/**
 * A convolution's weight [out, ...window, in] that hands its input on: 1 at the middle of the window, output channel i reading input
 * channel i (of each of `groups` parts of the output); torch.nn.init.dirac_.
 */
export const dirac =
  (groups = 1): Initializer =>
  (shape) => {
    const [rank, out] = [shape.length, shape[0]!];
    if (rank < 3 || rank > 5) throw new RangeError(`dirac: needs a weight [out, ...window, in], got [${shape.join(', ')}].`);
    if (!Number.isInteger(groups) || groups < 1 || out % groups)
      throw new RangeError(`dirac: ${out} output channels do not fall into ${groups} groups.`);
    const within = ops.remainder(ops.iota(shape, 0), out / groups);
    const middle = shape.slice(1, -1).map((size, i) => ops.equal(ops.iota(shape, i + 1), size >> 1));
    return ops.where(all([ops.equal(within, ops.iota(shape, rank - 1)), ...middle]), 1, ops.constant(0, shape));
  };

/**
 * Normal numbers of which each column of a weight [out, in] has a share of ceil(sparsity out) zeros (Martens 2010);
 * torch.nn.init.sparse_.
 */
export function sparse(sparsity: number, std = 0.01): Initializer {
  if (!(sparsity >= 0 && sparsity <= 1)) throw new RangeError(`sparse: sparsity must lie in [0, 1], got ${sparsity}.`);
  return (shape, { state, stream }) => {
    if (shape.length !== 2) throw new RangeError(`sparse: needs a weight [out, in], got [${shape.join(', ')}].`);
    const zeros = Math.ceil(sparsity * shape[0]!);
    const drawn = ops.mul(ops.normal(state, shape, stream), std);
    // The ranks of uniform numbers are a random order of each column's rows. A second stream: the numbers above are not theirs.
    const order = ops.sort(ops.uniform(state, shape, (stream ^ 0x5bd1e995) >>> 0), 0).indices;
    const rank = ops.sort(order, 0).indices;
    return ops.where(ops.less(rank, zeros), 0, drawn);
  };
}
