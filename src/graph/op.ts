import type { DType } from './dtype.js';
import type { Loop } from './loop.js';
import type { Node, Value } from './node.js';

/** Shape and dtype: all that is known of a value before it is computed. */
export interface Type {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export type Attribute = number | boolean | string | readonly number[];
/** The declared attributes of an op; they alone (beside its inputs) are its identity. */
export type Attributes = { readonly [name: string]: Attribute };

/**
 * What an op costs and how the compiler may treat it.
 * - `source`: no tensor inputs (constant, iota) or only a random state.
 * - `elementwise`: every output element depends on the same element of each input; all inputs have the output's shape. (Kernels of
 *   their own, dropout and the optimizers' updates, take scalars or a random state beside.)
 * - `move`: copies elements without arithmetic. `view`: a `move` that strides alone can express.
 */
export type Cost = 'source' | 'elementwise' | 'reduce' | 'contraction' | 'move' | 'view' | 'normalisation' | 'effect';

/**
 * The one record of an op. Every part of the system reads it; nothing else lists ops.
 * Ops are created with `defineRecord`; users create theirs with the public `defineOp`.
 */
export interface Op<A extends Attributes = Attributes> {
  readonly name: string;
  readonly cost: Cost;
  /** Shapes and dtypes of the outputs. Throws a PolluxError that names the op, the shapes and the remedy. */
  infer(inputs: readonly Type[], attributes: A): Type[];
  /**
   * Cotangents of the inputs, given those of the outputs (undefined: that output does not reach the result).
   * Builds graph nodes only, so that gradients of gradients work. undefined for an input: no gradient flows there.
   * An op without `gradient` stops the flow with NOT_DIFFERENTIABLE if its input needs one, unless `stops` is set.
   */
  gradient?(node: Node, cotangents: readonly (Value | undefined)[], needed: readonly boolean[]): (Value | undefined)[];
  /** True where the derivative is zero everywhere it exists (floor, comparisons, argmax): nothing flows, nothing is thrown. */
  readonly stops?: boolean;
  /** The same mathematics in simpler ops: the fallback of a backend that lacks the kernel, and an oracle that tests it. */
  decompose?(inputs: readonly Value[], attributes: A, node?: Node): Value[];
  /** Pairs [output, input]: this output may be written over that input. */
  readonly inPlace?: readonly (readonly [output: number, input: number])[];
  /** May set the status word (a label or index out of range, a value that is not finite): it never runs after a state is overwritten. */
  readonly reports?: boolean;
  /**
   * Output 0 is input 0 with rows written where nothing valid lies: whether they count is up to another state. So it may be written
   * into a state before the commit phase; a run that fails later leaves rows that nobody reads.
   */
  readonly appends?: boolean;
  /** What a loop repeats. Its content, not the record that holds it, is the identity of such an op. */
  readonly loop?: Loop;
  /** Floating-point operations of one evaluation. Default: one an output element for elementwise and reduce, else 0. */
  flops?(inputs: readonly Type[], outputs: readonly Type[], attributes: A): number;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((d, i) => d === b[i]);
export const show = (type: Type): string => `${type.dtype}[${type.shape.join(', ')}]`;
