// What the recurrent layers share: the order of the steps, sequences of different lengths, and the way to their gradients.
import { withContext } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import type { Attributes, Op, Type } from '../graph/op.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { mul, sub } from './arithmetic.js';
import { reshape } from './broadcast.js';
import { equal, greater } from './comparison.js';
import type { Flow, GradientCall } from './define.js';
import { gradients } from './gradient.js';
import { constant, identity, iota, zerosLike } from './leaf.js';
import { matmul } from './matmul.js';
import { concat, expandDims, sliceAxis, stack } from './movement.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';
import { square } from './unary.js';
import { where } from './where.js';

/** `reverse`: from the last step of each sequence to the first. */
export type SweepAttributes = { readonly reverse: boolean };

/** Refuses what is no recurrence of `gates` gates; returns the types of all states and of one. */
export function requireRecurrence(
  op: string,
  gates: number,
  x: Type,
  weight: Type,
  states: readonly Type[],
  lengths: Type | undefined,
): { each: Type; last: Type } {
  requireDtype(op, x, float);
  requireRank(op, x, 3, 'x', '[batch, steps, gates * units]');
  requireDtype(op, weight, float, 'the weight');
  const [batch, steps, width] = x.shape as [number, number, number];
  const units = width / gates;
  if (!sameShape(weight.shape, [width, units])) {
    fail('SHAPE_MISMATCH', op, `x ${showShape(x.shape)} takes a weight [${width}, ${units}], not ${showShape(weight.shape)}`);
  }
  for (const state of states) {
    requireDtype(op, state, float, 'a state');
    if (!sameShape(state.shape, [batch, units])) {
      fail('SHAPE_MISMATCH', op, `a state has shape ${showShape(state.shape)}, but must have ${showShape([batch, units])}`);
    }
  }
  if (lengths) {
    requireDtype(op, lengths, ['int32'], 'lengths');
    if (!sameShape(lengths.shape, [batch]))
      fail('SHAPE_MISMATCH', op, `lengths has shape ${showShape(lengths.shape)}, but must have ${showShape([batch])}`);
  }
  return { each: { shape: [batch, steps, units], dtype: x.dtype }, last: { shape: [batch, units], dtype: x.dtype } };
}

/** Operations of the products with the recurrent weight, and about 10 for each gate's function. */
export const sweepFlops = ({ shape }: Type, units: number): number => sizeOf(shape) * (2 * units + 10);

/** Step t of [batch, steps, width]. */
export const stepOf = (x: Value, t: number): Value => reshape(sliceAxis(x, 1, t, t + 1), [x.shape[0]!, x.shape[2]!]);

/** Step t of the states before each step: those after the step that came before, or the first ones. */
export function stateBefore(states: Value, first: Value, t: number, { reverse }: SweepAttributes, lengths: Value | undefined): Value {
  const before = reverse ? t + 1 : t - 1;
  if (before < 0 || before >= states.shape[1]!) return first;
  const found = stepOf(states, before);
  return reverse && lengths ? where(runsAt(lengths, before), found, first) : found;
}

/** The same for all steps at once: [batch, steps, units]. */
export function statesBefore(states: Value, first: Value, { reverse }: SweepAttributes, lengths: Value | undefined): Value {
  const steps = states.shape[1]!;
  if (steps === 0) return states;
  const start = expandDims(first, 1);
  if (!reverse) return concat([start, sliceAxis(states, 1, 0, steps - 1)], 1);
  const found = concat([sliceAxis(states, 1, 1, steps), start], 1);
  if (!lengths) return found;
  const isLast = equal(iota([1, steps, 1], 1), sub(expandDims(lengths, [1, 2]), 1));
  return where(isLast, start, found);
}

/** Which sequences [batch, 1] are longer than t steps. */
const runsAt = (lengths: Value, t: number): Value => greater(expandDims(lengths, 1), t);

/** What one step makes: the next states, and what is recorded of it. */
interface Step {
  readonly states: readonly Value[];
  readonly records: readonly Value[];
}

/**
 * Applies a step at each time, in the order of the sweep or, `backwards`, against it. Beyond the end of a sequence its states stay
 * and its records are zero.
 *
 * @param widths of the records [batch, width], which come back as [batch, steps, width]
 */
export function unroll(
  steps: number,
  forwards: boolean,
  lengths: Value | undefined,
  first: readonly Value[],
  widths: readonly number[],
  step: (t: number, states: readonly Value[]) => Step,
): { states: readonly Value[]; records: Value[] } {
  let states = first;
  const records: Value[][] = widths.map(() => []);
  for (let s = 0; s < steps; s++) {
    const t = forwards ? s : steps - 1 - s;
    const next = step(t, states);
    const runs = lengths && runsAt(lengths, t);
    states = next.states.map((state, i) => (runs ? where(runs, state, states[i]!) : state));
    for (const [i, record] of next.records.entries()) records[i]![t] = runs ? where(runs, record, 0) : record;
  }
  const batch = first[0]!.shape[0]!;
  return { states, records: records.map((list, i) => (steps ? stack(list, 1) : constant(0, [batch, 0, widths[i]!]))) };
}

/** a (1 - a) slope: back through a sigmoid whose value is a. */
export const throughSigmoid = (a: Value, slope: Value): Value => mul(mul(slope, a), sub(1, a));
/** (1 - a^2) slope: back through a tanh whose value is a. */
export const throughTanh = (a: Value, slope: Value): Value => mul(slope, sub(1, square(a)));

/** The gradient of the recurrent weight: the slopes [batch, steps, width] of the products with the states before each step. */
export const recurrentWeightGradient = (slopes: Value, before: Value): Value =>
  matmul(reshape(slopes, [-1, slopes.shape[2]!]), reshape(before, [-1, before.shape[2]!]), { transposeA: true });

/** The cotangent of output i, zeros if it does not reach the result. */
export const cotangentOf = <A>({ cotangents, outputs }: GradientCall<A>, i: number): Value => cotangents[i] ?? zerosLike(outputs[i]!);

/**
 * Cotangents of the inputs by differentiating the decomposition. It serves where what a kernel saves for its gradient is
 * differentiated in turn: in gradients of gradients.
 */
export function throughDecomposition<A extends Attributes>(op: Op<A>, { inputs, cotangents, attributes }: GradientCall<A>): Flow[] {
  const own = inputs.map(identity); // copies: one operand may depend on another
  const parts = withContext({ stopped: false, region: 0 }, () => op.decompose!(own, attributes));
  return gradients(parts, cotangents, own);
}
