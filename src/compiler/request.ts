import type { Value } from '../graph/node.js';
import type { Binding, Roots } from './graph.js';
import type { Target } from './target.js';

export interface CompileOptions {
  /** Join ops into larger kernels. Default: true. Off, every op is a step of its own: slower, and of use in tests. */
  readonly fuse?: boolean;
}

/** A graph to be compiled: what it is given, what must come out, and what will run it. */
export interface CompileRequest extends Roots {
  /** Returned values, in order; they may repeat, and may be leaves or views. */
  readonly results: readonly Value[];
  /** States (leaves that are bound as state) and the values that they take at the end. */
  readonly updates: readonly { readonly target: Value; readonly value: Value }[];
  /** Losses and norms: unless all are finite nothing is committed. */
  readonly checks: readonly Value[];
  /** The leaves, in the order in which the plan takes their buffers. */
  readonly bindings: readonly Binding[];
  readonly target: Target;
  readonly options?: CompileOptions;
}
