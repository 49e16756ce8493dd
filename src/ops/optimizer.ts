import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Attributes, Op, Type } from '../graph/op.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import { broadcast } from './broadcast.js';
import { lessEqual } from './comparison.js';
import { defineRecord } from './define.js';
import type { OperandTypes } from './define.js';
import { fail, requireDtype, requireSameShape, showShape } from './support.js';
import { expm1, sqrt, square } from './unary.js';
import { where } from './where.js';

export type SgdAttributes = {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
};
export type AdamAttributes = {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
};

/** Checks tensors shaped as the parameter, then the scalars. */
function requireUpdate(op: string, inputs: OperandTypes, tensors: number, scalars: readonly string[]): void {
  for (const type of inputs as readonly Type[]) requireDtype(op, type, ['float32'], 'an operand');
  for (let i = 1; i < tensors; i++) requireSameShape(op, inputs[0], inputs[i]!);
  for (const [i, name] of scalars.entries()) {
    const { shape } = (inputs as readonly Type[]).at(i - scalars.length)!;
    if (shape.length) fail('SHAPE_MISMATCH', op, `${name} has shape ${showShape(shape)}, but must be a scalar`);
  }
}

const SCALARS = ['learningRate', 'step', 'scale'];

/** 1 - beta^step, exact where beta is close to 1. */
export const biasCorrection = (beta: number, step: Value): Value => neg(expm1(mul(step, Math.log(beta))));

export const optimizerRecords = {
  sgdUpdate: defineRecord<SgdAttributes>({
    name: 'sgdUpdate',
    cost: 'elementwise',
    inPlace: [
      [0, 0],
      [1, 2],
    ],
    infer(inputs, { momentum }) {
      requireUpdate('sgdUpdate', inputs, 2, SCALARS);
      const [p, , buffer] = inputs;
      if (momentum !== 0) requireSameShape('sgdUpdate', p, buffer);
      else if (!sameShape(buffer.shape, [0]))
        fail('SHAPE_MISMATCH', 'sgdUpdate', `without momentum the buffer has shape [0], not ${showShape(buffer.shape)}`);
      return [p, buffer];
    },
    decompose([p, g, buffer, learningRate, step, scale], { momentum, dampening, nesterov, weightDecay }) {
      const scaled = mul(g, scale);
      const slope = weightDecay === 0 ? scaled : add(scaled, mul(p, weightDecay));
      if (momentum === 0) return [sub(p, mul(slope, learningRate)), buffer];
      const first = broadcast(lessEqual(step, 1), p.shape);
      const moved = where(first, slope, add(mul(buffer, momentum), mul(slope, 1 - dampening)));
      const direction = nesterov ? add(slope, mul(moved, momentum)) : moved;
      return [sub(p, mul(direction, learningRate)), moved];
    },
    flops: ([p], _, { momentum }) => (momentum ? 8 : 5) * sizeOf(p.shape),
  }),
  adamUpdate: defineRecord<AdamAttributes>({
    name: 'adamUpdate',
    cost: 'elementwise',
    inPlace: [
      [0, 0],
      [1, 2],
      [2, 3],
    ],
    infer(inputs) {
      requireUpdate('adamUpdate', inputs, 4, SCALARS);
      return [inputs[0], inputs[2], inputs[3]];
    },
    decompose([p, g, m, v, learningRate, step, scale], { beta1, beta2, epsilon, weightDecay, decoupled }) {
      const scaled = mul(g, scale);
      const slope = decoupled || weightDecay === 0 ? scaled : add(scaled, mul(p, weightDecay));
      const decayed = decoupled && weightDecay !== 0 ? mul(p, sub(1, mul(learningRate, weightDecay))) : p;
      const mean = add(mul(m, beta1), mul(slope, 1 - beta1));
      const meanSquare = add(mul(v, beta2), mul(square(slope), 1 - beta2));
      const denominator = add(div(sqrt(meanSquare), sqrt(biasCorrection(beta2, step))), epsilon);
      const rate = div(learningRate, biasCorrection(beta1, step));
      return [sub(decayed, mul(rate, div(mean, denominator))), mean, meanSquare];
    },
    flops: ([p]) => 14 * sizeOf(p.shape),
  }),
};

/** What every update takes: the parameter, its gradient, and scalars (float32): `step` counts from 1, `scale` multiplies the gradient. */
export interface UpdateInputs {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly learningRate: Value;
  readonly step: Value;
  readonly scale: Value;
}

/** How an update enters the graph: as one op, or as elementwise ops, which fuse with what stands around them. */
type Form = { readonly composed?: boolean };

const updated = <A extends Attributes>(op: Op<A>, inputs: readonly Value[], attributes: A, { composed }: Form): readonly Value[] =>
  composed ? op.decompose!(inputs, attributes) : apply(op, inputs, attributes);

/**
 * One step of stochastic gradient descent by PyTorch's rule. `buffer` is shaped as the parameter, or [0] without momentum; at the
 * first step it becomes the gradient.
 */
export function sgdUpdate(
  inputs: UpdateInputs & { readonly buffer: Value },
  attributes: SgdAttributes,
  form: Form = {},
): { parameter: Value; buffer: Value } {
  const { parameter: p, gradient, buffer, learningRate, step, scale } = inputs;
  const [parameter, moved] = updated(optimizerRecords.sgdUpdate, [p, gradient, buffer, learningRate, step, scale], attributes, form);
  return { parameter: parameter!, buffer: moved! };
}

/** One step of Adam (Kingma and Ba 2015), or of AdamW (Loshchilov and Hutter 2019) where `decoupled`. */
export function adamUpdate(
  inputs: UpdateInputs & { readonly mean: Value; readonly meanSquare: Value },
  attributes: AdamAttributes,
  form: Form = {},
): { parameter: Value; mean: Value; meanSquare: Value } {
  const { parameter: p, gradient, mean: m, meanSquare: v, learningRate, step, scale } = inputs;
  const [parameter, mean, meanSquare] = updated(
    optimizerRecords.adamUpdate,
    [p, gradient, m, v, learningRate, step, scale],
    attributes,
    form,
  );
  return { parameter: parameter!, mean: mean!, meanSquare: meanSquare! };
}
