import type { DType } from '../graph/dtype.js';
import { byteSize } from '../graph/dtype.js';
import type { Node } from '../graph/node.js';
import type { Attributes, Op, Type } from '../graph/op.js';
import { sizeOf } from '../graph/op.js';
import type { Program } from '../ops/elementwiseProgram.js';
import { contiguous, isContiguous } from './layout.js';
import type { Layout } from './layout.js';

/** Where a buffer lies; the arena's offsets are found last. */
export type Location =
  | { readonly kind: 'arena'; offset: number }
  | { readonly kind: 'binding' | 'result' | 'constant'; readonly index: number; readonly offset: number }
  | { readonly kind: 'moving'; readonly move: Move; readonly offset: number };

/**
 * How a place changes with the iteration i of a loop: at i = 0 it is that of `first`, if there is one; otherwise that of `even` or
 * `odd`, as i is, plus start + i * stride bytes.
 */
export interface Move {
  readonly body: LoopSteps;
  readonly first?: View;
  even: View;
  odd: View;
  readonly start: number;
  readonly stride: number;
}

/** What a loop repeats, in order. Its buffers have offsets from the step's workspace, until the whole plan has its arena. */
export interface LoopSteps {
  readonly length: number;
  steps: readonly Step[];
  buffers: readonly Buffer[];
}

/**
 * A stretch of memory that is written once. A state that is overwritten is two buffers at one place: the old content, and the new.
 */
export class Buffer {
  location: Location = { kind: 'arena', offset: -1 };
  readonly readers = new Set<Step>();

  constructor(
    readonly bytes: number,
    /** undefined for bindings and constants, and for what a loop is given. */
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
  readonly inputs: readonly View[] = [];
  readonly outputs: readonly View[] = [];
  /** Overwrites state, so it does nothing once the run has failed. */
  commit = false;
  program: Program | undefined;
  /** Of a loop, which calls no kernel. */
  loop: LoopSteps | undefined;
  /** Writes rows that nobody reads into a state, ahead of the commit phase (Op.appends). */
  append = false;

  constructor(
    readonly kernel: string,
    readonly op: Op,
    inputs: readonly View[],
    outputs: readonly Type[],
    readonly attributes: Attributes,
    readonly sources: readonly Node[],
    program?: Program,
  ) {
    this.program = program;
    for (const input of inputs) this.read(input);
    for (const output of outputs) this.write(output);
  }

  /** Adds an input. */
  read(view: View): void {
    (this.inputs as View[]).push(view);
    view.buffer.readers.add(this);
  }

  /** Adds an output. */
  write({ shape, dtype }: Type): View {
    const view = { ...contiguous(shape), dtype, buffer: new Buffer(sizeOf(shape) * byteSize(dtype), this) };
    (this.outputs as View[]).push(view);
    return view;
  }

  /** Lets a program store one of its outputs a second time. */
  storeAgain(view: View): View {
    const { instructions, stored } = this.program!;
    this.program = { instructions, stored: [...stored, stored[this.outputs.indexOf(view)]!] };
    return this.write(view);
  }

  /** Steps that read what this one writes. */
  *consumers(): Iterable<Step> {
    for (const { buffer } of this.outputs) if (buffer.producer === this) yield* buffer.readers;
  }
}
