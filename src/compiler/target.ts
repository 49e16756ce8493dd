import type { DType } from '../graph/dtype.js';

/** What a backend says of one of its kernels (PolluxKernelInfo in native/backend.h). */
export interface KernelDescription {
  /** Accepted dtypes of the first input; of the output, if there is no input. */
  readonly dtypes: ReadonlySet<DType>;
  /** Inputs may have any strides. */
  readonly stridedInputs: boolean;
  /** The last two axes of an input may be swapped, its leading axes may have any stride. */
  readonly matrixInputs: boolean;
  readonly stridedOutputs: boolean;
  /** Epilogues, by name: `bias`, `relu`. */
  readonly fusions: ReadonlySet<string>;
}

/** What the compiler asks of a backend; it never knows a backend by name. */
export interface Target {
  /** For messages. */
  readonly name?: string;
  kernel(name: string): KernelDescription | undefined;
  /** One instruction of elementwise programs, with the dtypes of the value that it defines. */
  instruction(op: string): { readonly dtypes: ReadonlySet<DType> } | undefined;
}
