import type { DType } from '../graph/dtype.js';
import { byteSize } from '../graph/dtype.js';
import type { Node } from '../graph/node.js';
import type { Attributes, Op } from '../graph/op.js';
import { sizeOf } from '../graph/op.js';
import type { Program } from '../ops/elementwiseProgram.js';
import { contiguous, isContiguous } from './layout.js';
import type { Layout } from './layout.js';

/** Where a buffer lies; the arena's offsets are found last. */
export type Location =
  | { readonly kind: 'arena'; offset: number }
  | { readonly kind: 'binding' | 'result' | 'constant'; readonly index: number; readonly offset: number };

/**
 * A stretch of memory that is written once. A state that is overwritten is two buffers at one place: the old content, and the new.
 */
export class Buffer {
  location: Location = { kind: 'arena', offset: -1 };
  readonly readers = new Set<Step>();

  constructor(
    readonly bytes: number,
    /** undefined for bindings and constants. */
    readonly producer: Step | undefined,
  ) {}
}

/** A value as a kernel sees it. */
export interface View extends Layout {
  readonly buffer: Buffer;
  readonly dtype: DType;
}

export const isWhole = (view: View): boolean =>
  view.offset === 0 && isContiguous(view) && sizeOf(view.shape) * byteSize(view.dtype) === view.buffer.bytes;

/** One call of a kernel. */
export class Step {
  readonly outputs: readonly View[];
  /** Overwrites state, so it does nothing once the run has failed. */
  commit = false;
  /** Writes rows that nobody reads into a state, ahead of the commit phase (Op.appends). */
  append = false;

  constructor(
    readonly kernel: string,
    readonly op: Op,
    readonly inputs: readonly View[],
    outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[],
    readonly attributes: Attributes,
    readonly sources: readonly Node[],
    readonly program?: Program,
  ) {
    for (const input of inputs) input.buffer.readers.add(this);
    this.outputs = outputs.map(({ shape, dtype }) => ({
      ...contiguous(shape),
      dtype,
      buffer: new Buffer(sizeOf(shape) * byteSize(dtype), this),
    }));
  }

  /** Steps that read what this one writes. */
  *consumers(): Iterable<Step> {
    for (const { buffer } of this.outputs) if (buffer.producer === this) yield* buffer.readers;
  }
}
