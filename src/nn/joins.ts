// Functions of several tensors, for nn.Graph and nn.Parallel.
import { PolluxError } from '../errors.js';
import { sameShape, show } from '../graph/op.js';
import { concat as join, type Tensor } from '../tensor/index.js';

function reduceEqual(name: string, parts: readonly Tensor[], fn: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const [first, ...rest] = parts;
  if (!first) throw new RangeError(`${name}: needs one tensor at least.`);
  for (const part of rest)
    if (!sameShape(part.shape, first.shape))
      throw new PolluxError('SHAPE_MISMATCH', `${name}: takes tensors of one shape, but got ${parts.map(show).join(' and ')}.`);
  return rest.reduce(fn, first);
}

/** Tensors side by side in the last axis, the channels. */
export const concat = (...parts: Tensor[]): Tensor => join(parts, -1);
/** The sum of tensors of one shape. */
export const add = (...parts: Tensor[]): Tensor => reduceEqual('add', parts, (a, b) => a.add(b));
/** The product of tensors of one shape, element by element. */
export const multiply = (...parts: Tensor[]): Tensor => reduceEqual('multiply', parts, (a, b) => a.mul(b));
/** The mean of tensors of one shape. */
export const average = (...parts: Tensor[]): Tensor => reduceEqual('average', parts, (a, b) => a.add(b)).div(parts.length);
