// What the updates of optimizers share: operands, penalties, accumulation and lookahead around a rule.
import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Op, Type } from '../graph/op.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { clamp, mod } from './binary.js';
import { broadcast } from './broadcast.js';
import { equal, lessEqual, notEqual } from './comparison.js';
import { defineRecord } from './define.js';
import { zerosLike } from './leaf.js';
import { fail, requireDtype, requireSameShape, showShape } from './support.js';
import { expm1, sign } from './unary.js';
import { where } from './where.js';

/** What every update may do beside its rule; what it does not do is left out. */
export type UpdateAttributes = {
  readonly weightDecay: number;
  /** The decay shrinks the weights; else it is an L2 penalty, added to the gradient. */
  readonly decoupled?: boolean;
  /** Each element of the gradient, after its scale, is cut to [-clipValue, clipValue]. */
  readonly clipValue?: number;
  readonly l1?: number;
  /** There are an operand `accumulated` and a number `due`. */
  readonly accumulates?: boolean;
  /** There is an operand `slow`, which the weights meet every so many steps. */
  readonly lookahead?: number;
  /** How far the slow weights then go. */
  readonly alpha?: number;
};

/** Numbers (rank 0) that an update reads as it runs. `step` counts from 1, `own` are those of its rule. */
export interface UpdateNumbers {
  readonly learningRate: Value;
  readonly step: Value;
  readonly own: readonly Value[];
}

/** An optimizer's step for elements, in graph ops: new weights, then new slots. */
export interface ElementwiseRule<A> {
  readonly name: string;
  readonly slots: (attributes: A) => number;
  /** Names of the rule's own numbers. */
  readonly numbers?: readonly string[];
  /** Refuses slots that do not fit. Unless it is there, all have the parameter's shape. */
  readonly check?: (parameter: Type, slots: readonly Type[], attributes: A) => void;
  readonly step: (parameter: Value, slope: Value, slots: readonly Value[], numbers: UpdateNumbers, attributes: A) => Value[];
  /** FLOPs of an element. */
  readonly flops: (attributes: A) => number;
}

/** 1 - beta^step, exact where beta is close to 1. */
export const biasCorrection = (beta: number, step: Value): Value => neg(expm1(mul(step, Math.log(beta))));

/** An exponential average: average * decay + x * (1 - decay). */
export const averaged = (average: Value, x: Value, decay: number): Value => add(mul(average, decay), mul(x, 1 - decay));

/** The gradient as a rule sees it: scaled, cut, with the penalties of the parameter's size. */
export function penalised(
  parameter: Value,
  gradient: Value,
  scale: Value,
  { clipValue, l1, weightDecay }: Pick<UpdateAttributes, 'clipValue' | 'l1' | 'weightDecay'>,
): Value {
  let slope = mul(gradient, scale);
  if (clipValue) slope = clamp(slope, -clipValue, clipValue);
  if (l1) slope = add(slope, mul(sign(parameter), l1));
  return weightDecay === 0 ? slope : add(slope, mul(parameter, weightDecay));
}

/** Fast weights and slow ones after a step of lookahead. The slow ones begin where the parameter stood before its first step. */
export function meet(
  before: Value,
  fast: Value,
  slow: Value,
  step: Value,
  { steps, alpha }: { readonly steps: number; readonly alpha: number },
): { parameter: Value; slow: Value } {
  const begun = where(broadcast(lessEqual(step, 1), slow.shape), before, slow);
  const due = broadcast(equal(mod(step, steps), 0), slow.shape);
  const moved = where(due, add(begun, mul(sub(fast, begun), alpha)), begun);
  return { parameter: where(due, moved, fast), slow: moved };
}

/** `next` in calls that update, else what was before. */
export const whenDue = (due: Value, next: Value, before: Value): Value => where(broadcast(due, next.shape), next, before);

/** Where the operands of an update lie: tensors, then numbers. */
function layoutOf<A extends UpdateAttributes>({ slots, numbers = [] }: ElementwiseRule<A>, attributes: A) {
  const { accumulates = false, lookahead = 0 } = attributes;
  const extras = [...(accumulates ? ['accumulated'] : []), ...(lookahead ? ['slow'] : [])];
  const named = ['learningRate', 'step', 'scale', ...numbers, ...(accumulates ? ['due'] : [])];
  const first = 2 + slots(attributes);
  return { slots: first - 2, extras, named, at: (name: string): number => first + [...extras, ...named].indexOf(name) };
}

/**
 * The record of an update: parameter, gradient, slots, [accumulated], [slow], learningRate, step, scale, the rule's numbers, [due]
 * -> parameter, slots, [accumulated], [slow].
 */
export function updateRecord<A extends UpdateAttributes>(rule: ElementwiseRule<A>): Op<A> {
  const { name } = rule;
  return defineRecord<A>({
    name,
    cost: 'elementwise',
    // Each tensor that is kept; of an op with fewer outputs the rest says nothing.
    inPlace: [[0, 0], ...[1, 2, 3, 4, 5].map((output) => [output, output + 1] as const)],
    infer(operands, attributes) {
      const inputs: readonly Type[] = operands;
      const { slots, extras, named } = layoutOf(rule, attributes);
      const tensors = 2 + slots + extras.length;
      if (inputs.length !== tensors + named.length)
        fail('SHAPE_MISMATCH', name, `takes ${tensors + named.length} operands, not ${inputs.length}`);
      for (const type of inputs) requireDtype(name, type, ['float32'], 'an operand');
      const held = inputs.slice(2, 2 + slots);
      const alike = [inputs[1]!, ...(rule.check ? [] : held), ...inputs.slice(2 + slots, tensors)];
      for (const type of alike) requireSameShape(name, inputs[0]!, type);
      rule.check?.(inputs[0]!, held, attributes);
      for (const [i, number] of named.entries()) {
        const { shape } = inputs[tensors + i]!;
        if (shape.length) fail('SHAPE_MISMATCH', name, `${number} has shape ${showShape(shape)}, but must be a scalar`);
      }
      return [inputs[0]!, ...inputs.slice(2, tensors)];
    },
    decompose(operands, attributes) {
      const inputs: readonly Value[] = operands;
      const { slots: count, named, at } = layoutOf(rule, attributes);
      const { weightDecay, decoupled = false, accumulates, lookahead, alpha = 1 } = attributes;
      const [p, g] = inputs as [Value, Value];
      const slots = inputs.slice(2, 2 + count);
      const input = (key: string): Value => inputs[at(key)]!;
      const [learningRate, step] = [input('learningRate'), input('step')];
      const gradient = accumulates ? add(input('accumulated'), g) : g;
      const slope = penalised(p, gradient, input('scale'), decoupled ? { ...attributes, weightDecay: 0 } : attributes);
      const start = decoupled && weightDecay !== 0 ? mul(p, sub(1, mul(learningRate, weightDecay))) : p;
      const own = named.slice(3).map(input);
      let [next, ...moved] = rule.step(start, slope, slots, { learningRate, step, own }, attributes) as [Value, ...Value[]];
      let slow: Value | undefined;
      if (lookahead) ({ parameter: next, slow } = meet(p, next, input('slow'), step, { steps: lookahead, alpha }));
      if (!accumulates) return [next, ...moved, ...(slow ? [slow] : [])];
      const due = notEqual(input('due'), 0);
      moved = moved.map((value, i) => whenDue(due, value, slots[i]!));
      const kept = whenDue(due, zerosLike(gradient), gradient);
      return [whenDue(due, next, p), ...moved, kept, ...(slow ? [whenDue(due, slow, input('slow'))] : [])];
    },
    flops: ([p], _, attributes) => rule.flops(attributes) * sizeOf(p.shape),
  });
}

/** What every update takes: float32 tensors of one shape, and numbers of rank 0; `scale` multiplies the gradient. */
export interface UpdateInputs {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly learningRate: Value;
  readonly step: Value;
  readonly scale: Value;
}

/** What goes with an update's attributes `accumulates` and `lookahead`, and its rule's own numbers. */
export interface UpdateExtras {
  readonly numbers?: readonly Value[];
  /** Sum of the gradients so far, and 1 where this call updates, else 0. */
  readonly accumulation?: { readonly accumulated: Value; readonly due: Value } | undefined;
  readonly lookahead?: { readonly slow: Value; readonly steps: number; readonly alpha: number } | undefined;
}

export interface Updated {
  readonly parameter: Value;
  readonly slots: Value[];
  readonly accumulated?: Value | undefined;
  readonly slow?: Value | undefined;
}

/** One update by a record of `optimizerRecords`. */
export function applyUpdate<A extends UpdateAttributes>(
  record: Op<A>,
  inputs: UpdateInputs,
  slots: readonly Value[],
  attributes: A,
  { numbers = [], accumulation, lookahead }: UpdateExtras = {},
): Updated {
  const { parameter, gradient, learningRate, step, scale } = inputs;
  const outputs = apply(
    record,
    [
      ...[parameter, gradient, ...slots],
      ...[...(accumulation ? [accumulation.accumulated] : []), ...(lookahead ? [lookahead.slow] : [])],
      ...[learningRate, step, scale, ...numbers, ...(accumulation ? [accumulation.due] : [])],
    ],
    {
      ...attributes,
      ...(accumulation && { accumulates: true }),
      ...(lookahead && { lookahead: lookahead.steps, alpha: lookahead.alpha }),
    },
  );
  const end = 1 + slots.length;
  return {
    parameter: outputs[0]!,
    slots: outputs.slice(1, end),
    accumulated: accumulation && outputs[end],
    slow: lookahead && outputs.at(-1),
  };
}

/** Refuses a buffer that does not fit: without a momentum it has no elements. */
export function requireBuffer(name: string, parameter: Type, buffer: Type, used: boolean): void {
  if (used) requireSameShape(name, parameter, buffer);
  else if (!sameShape(buffer.shape, [0]))
    fail('SHAPE_MISMATCH', name, `without momentum the buffer has shape [0], not ${showShape(buffer.shape)}`);
}
