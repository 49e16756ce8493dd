import type { DType } from '../../graph/dtype.js';
import type { Attributes } from '../../graph/op.js';

/** Where a tensor of a plan lives: in which memory, and at which byte its element [0, 0, ...] lies. */
export interface TensorLocation {
  readonly kind: 'arena' | 'binding' | 'result' | 'constant' | 'moving';
  /** Which binding, result or move; 0 for the arena and the constants. */
  readonly index: number;
  /** Bytes from the start of that memory, or from where the move is. */
  readonly offset: number;
}

export interface TensorDescription {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements; 0 where broadcast, negative where flipped. */
  readonly strides: readonly number[];
  readonly location: TensorLocation;
}

/** An elementwise program in SSA form: values 0 .. inputs-1 are the loaded inputs, instruction i defines value inputs + i. */
export interface ProgramDescription {
  readonly instructions: readonly {
    readonly op: string;
    readonly dtype: DType;
    readonly sources: readonly number[];
    readonly immediate?: number;
  }[];
  /** The value that is stored to each output. */
  readonly stored: readonly number[];
}

export type Queue = 'compute' | 'copy' | 'communicate';

export interface StepDescription {
  readonly kernel: string;
  /** Where it came from, for messages and profiles. */
  readonly label: string;
  /** Indices into `tensors`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly attributes: Attributes;
  /** Of the kernel `elementwise` only. */
  readonly program?: ProgramDescription;
  /** Overwrites state: does nothing once the run has failed or was aborted. Commit steps come last. */
  readonly commit: boolean;
  /** Writes into state rows that count only once a commit step says so: it may run before the commit phase. */
  readonly append?: boolean;
  readonly queue: Queue;
  /** Earlier steps on other queues that must have finished. */
  readonly waits: readonly number[];
  /** Of one run of the plan: in a loop, of all its iterations. */
  readonly flops: number;
  readonly bytes: number;
  /** Of a loop, which calls no kernel: its number. Its steps follow. */
  readonly loop?: number;
}

/** A stretch of steps that runs several times; loops nest. */
export interface LoopDescription {
  readonly length: number;
  /** How many steps, those of loops inside it included, follow the step that names it. */
  readonly steps: number;
}

/**
 * Where something lies that changes place with the iteration i of a loop: at i = 0 where the tensor `first` lies, if there is one;
 * otherwise where `even` or `odd` lies, as i is, plus start + i * stride bytes. All tensors by number; they lie still, or move with
 * an outer loop.
 */
export interface MoveDescription {
  readonly loop: number;
  readonly first?: number;
  readonly even: number;
  readonly odd: number;
  readonly start: number;
  readonly stride: number;
}

/** A plan before it is encoded: what the compiler produces and the runtime executes. Sizes and offsets are in bytes. */
export interface PlanDescription {
  readonly arenaBytes: number;
  /** Given at each run. A `state` is overwritten in place by commit steps and must be a DeviceBuffer. */
  readonly bindings: readonly { readonly bytes: number; readonly kind: 'input' | 'state' }[];
  /** New memory at each run. */
  readonly results: readonly { readonly bytes: number }[];
  /** Uploaded once, when the plan is loaded. */
  readonly constants: Uint8Array;
  readonly tensors: readonly TensorDescription[];
  readonly steps: readonly StepDescription[];
  readonly loops?: readonly LoopDescription[];
  readonly moves?: readonly MoveDescription[];
}
