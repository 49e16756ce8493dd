import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Shape, type Tensor, tensor, tensorValue, wrap } from '../tensor/index.js';

/** What becomes of the losses of the samples: their mean, their sum, or all of them as they are. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions<R extends Reduction = Reduction> {
  /** 'mean' (default), 'sum', or 'none' for the losses before they are summed up. */
  reduction?: R;
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of unreduced losses is known at run time
export type Reduced<R extends Reduction> = Tensor<R extends 'none' ? any : readonly [], 'float32'>;

/** Checks the options, `reduction` included. */
export function checkLoss(where: string, options: LossOptions, known: readonly string[] = []): void {
  checkOptions(where, options, ['reduction', ...known]);
  const { reduction = 'mean' } = options;
  if (!['mean', 'sum', 'none'].includes(reduction))
    throw new RangeError(`${where}: reduction is 'mean', 'sum' or 'none', got '${String(reduction)}'.`);
}

/** Sums up losses as the options say. The mean is over all of them, or by `weights`: sum(losses) / sum(weights). */
export function reduced<R extends Reduction>(losses: Value, { reduction }: LossOptions<R>, weights?: Value): Reduced<R> {
  if (reduction === 'none') return wrap(losses);
  if (reduction === 'sum') return wrap(ops.sum(losses));
  return wrap(weights ? ops.div(ops.sum(losses), ops.sum(weights)) : ops.mean(losses)) as Reduced<R>;
}

/** The values of tensors that must have one shape: their names and roles stand in the message. */
export function alike<const N extends string>(where: string, tensors: Readonly<Record<N, Tensor>>): Record<N, Value> {
  const entries = (Object.entries(tensors) as [N, Tensor][]).map(([name, tensor]) => [name, tensorValue(tensor, where)] as const);
  const [[firstName, first], ...others] = entries as [readonly [N, Value], ...(readonly [N, Value])[]];
  for (const [name, value] of others) {
    if (sameShape(first.shape, value.shape)) continue;
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: ${firstName} ${show(first)} and ${name} ${show(value)} must have one shape; broadcasting here hides mistakes. ` +
        'Reshape one of them, or broadcastTo() what is meant to be repeated.',
    );
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, asFloat(value)])) as Record<N, Value>;
}

/** Targets may be of any arithmetic type or bool. */
export const asFloat = (x: Value): Value => (x.dtype === 'float32' ? x : ops.cast(x, 'float32'));

/** Weights given as numbers or as a tensor, of one shape. */
export function weightsOf(where: string, name: string, weights: Tensor | readonly number[], shape: Shape): Value {
  const value = Array.isArray(weights) ? vector(weights as readonly number[]) : tensorValue(weights, where);
  if (!sameShape(value.shape, shape))
    throw new PolluxError('SHAPE_MISMATCH', `${where}: ${name} ${show(value)} must have the shape [${shape.join(', ')}].`);
  return value;
}

/** Numbers that are part of the plan. */
function vector(numbers: readonly number[]): Value {
  return tensor({ data: Float32Array.from(numbers), shape: [numbers.length] }).value;
}

/** Throws unless the number is above 0. */
export function requirePositive(where: string, name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${where}: ${name} must be a finite number above 0, got ${value}.`);
}
