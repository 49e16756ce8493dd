import type { Value } from '../graph/node.js';
import type { Op } from '../graph/op.js';
import type { UpdateAttributes, UpdateExtras } from '../ops/index.js';
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
  /** Each element of the scaled gradient is cut to [-clipValue, clipValue]; undefined: it is not. */
  readonly clipValue: number | undefined;
  readonly l1: number;
  /** Gradients so far, their sum with this one, and a number that is 1 where this call updates, else 0. */
  readonly accumulation?: { readonly accumulated: Value; readonly sum: Value; readonly due: Value } | undefined;
  /** Slow weights that are to meet the parameter at every so many steps. */
  readonly lookahead?: UpdateExtras['lookahead'];
}

/** New values of a parameter and its slots. */
export interface Updated {
  readonly parameter: Value;
  readonly slots: Record<string, Value>;
  /** New sum of gradients, from a rule that saw to accumulation itself: all its values hold for calls without an update too. */
  readonly accumulated?: Value | undefined;
  /** New slow weights, from a rule that saw to lookahead itself. */
  readonly slow?: Value | undefined;
}

/** How an optimizer changes one parameter: its state for each, and one fused step. */
export interface Rule {
  readonly name: string;
  /** The state tensors of a parameter, by name. */
  slots(parameter: Parameter): Record<string, Tensor>;
  update(update: Update): Updated;
}

/** One step by a record with a kernel, in one pass over memory whatever the options. `slots` are named in the record's order. */
export function inOnePass<A extends UpdateAttributes>(
  record: Op<A>,
  update: Update,
  slots: readonly string[],
  attributes: A,
  numbers: readonly Value[] = [],
): Updated {
  const { clipValue, l1, accumulation, lookahead } = update;
  const next = ops.applyUpdate(
    record,
    update,
    slots.map((name) => update.slots[name]!),
    { ...attributes, ...(clipValue !== undefined && { clipValue }), ...(l1 !== 0 && { l1 }) },
    { numbers, accumulation, lookahead },
  );
  return { ...next, slots: Object.fromEntries(slots.map((name, i) => [name, next.slots[i]!])) };
}

/** The gradient in graph ops: scaled, cut, with its penalties. */
export const slopeOf = ({ parameter, gradient, scale, clipValue, l1, accumulation }: Update): Value =>
  ops.penalised(parameter, accumulation?.sum ?? gradient, scale, { clipValue, l1, weightDecay: 0 });

/** The parameter after decoupled decay: p (1 - learningRate * weightDecay). */
export const decayed = ({ parameter, learningRate }: Update, weightDecay: number): Value =>
  weightDecay === 0 ? parameter : ops.mul(parameter, ops.sub(1, ops.mul(learningRate, weightDecay)));

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
