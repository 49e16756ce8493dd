import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
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
  /**
   * True where elementwise ops stand around the update (accumulation, clipping by value): a rule with a kernel of its own then
   * gives plain ops, which fuse with them into one pass.
   */
  readonly composed: boolean;
}

/** How an optimizer changes one parameter: its state for each, and one fused step. */
export interface Rule {
  readonly name: string;
  /** The state tensors of a parameter, by name. */
  slots(parameter: Parameter): Record<string, Tensor>;
  /** New values of the parameter and its slots. */
  update(update: Update): { parameter: Value; slots: Record<string, Value> };
}

/** The gradient times its scale, with an L2 penalty. */
export function slopeOf({ parameter, gradient, scale }: Update, weightDecay = 0): Value {
  const scaled = ops.mul(gradient, scale);
  return weightDecay === 0 ? scaled : ops.add(scaled, ops.mul(parameter, weightDecay));
}

/** The parameter after decoupled decay: p (1 - learningRate * weightDecay). */
export const decayed = ({ parameter, learningRate }: Update, weightDecay: number): Value =>
  weightDecay === 0 ? parameter : ops.mul(parameter, ops.sub(1, ops.mul(learningRate, weightDecay)));

/** An exponential average: average * decay + x * (1 - decay). */
export const averaged = (average: Value, x: Value, decay: number): Value => ops.add(ops.mul(average, decay), ops.mul(x, 1 - decay));

/** Throws unless each of the named numbers is finite and at least 0. */
export function requireNonNegative(where: string, settings: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (!(Number.isFinite(value) && value >= 0))
      throw new RangeError(`${where}: ${name} must be a finite number of at least 0, got ${value}.`);
  }
}

/** Throws unless each of the named decays lies in [0, 1). */
export function requireDecay(where: string, settings: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (!(value >= 0 && value < 1)) throw new RangeError(`${where}: ${name} must lie in [0, 1), got ${value}.`);
  }
}
