import type { Value } from './node.js';

/**
 * The body of a loop, a graph of its own: its leaves are the parameters, and nothing else of the graph around it is read.
 * It does not know how often it runs.
 */
export interface Loop {
  /** Leaves: the captured values, then the carries, then one slice of each sequence. */
  readonly parameters: readonly Value[];
  /** How many parameters are the same in every iteration. */
  readonly captures: number;
  /** How many parameters come from the iteration before. */
  readonly carries: number;
  /** The carries for the next iteration, then what this one yields. */
  readonly results: readonly Value[];
}
