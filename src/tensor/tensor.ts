import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { Indexing } from './indexing.js';
import type { Shape } from './shapes.js';
import { announce } from './wrap.js';

// biome-ignore-start lint/suspicious/noExplicitAny: a bare `Tensor` is open in shape and dtype, and assignable both ways
/**
 * A lazy n-dimensional array: a handle on a node of a graph that runs when somebody asks for values. Row-major; images are
 * NHWC. Its shape and dtype are part of its type where they are known: `Tensor<readonly [2, 3], 'float32'>`.
 *
 * A Tensor is not thenable: `await x.data()`, `await x.toArray()`, `await evaluate(x, y)`. Graph tensors hold no memory;
 * evaluated ones free theirs on `dispose()`, at the end of `using` or `tidy()`, or when collected.
 */
export class Tensor<out S extends Shape = any, out D extends DType = any> extends Indexing {
  declare readonly shape: S;
  declare readonly dtype: D;

  /** @internal Tensors are made by `tensor()`, `zeros()` and the like, and by methods. */
  constructor(type: { shape: readonly number[]; dtype: DType }, value?: Value) {
    super(type, value);
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: end

announce((value) => new Tensor(value, value));
