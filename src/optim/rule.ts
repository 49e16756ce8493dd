import type { Value } from '../graph/node.js';
import type { Parameter, Tensor } from '../tensor/index.js';

/** What a rule sees of one parameter at one step. All values are of that moment; `slots` are the rule's own state. */
export interface Update {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly slots: Readonly<Record<string, Value>>;
  /** Rank 0, float32. */
  readonly learningRate: Value;
  /** Rank 0, float32, counts from 1. */
  readonly step: Value;
  /** Rank 0, float32: factor of the gradient (clipping). */
  readonly scale: Value;
}

/** How an optimizer changes one parameter: its state for each, and one fused step. */
export interface Rule {
  readonly name: string;
  /** Names of the state tensors, each with the parameter's shape (or none). */
  slots(parameter: Parameter): Record<string, Tensor>;
  /** New values of the parameter and its slots. */
  update(update: Update): { parameter: Value; slots: Record<string, Value> };
}
