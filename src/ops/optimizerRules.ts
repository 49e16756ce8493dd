// The rules of elementwise optimizers: what their kernels (native/cpu/kernels/optimizer.cpp) compute in one pass, in graph ops.
import type { Value } from '../graph/node.js';
import { add, div, mul, sub } from './arithmetic.js';
import { clamp, maximum } from './binary.js';
import { broadcast } from './broadcast.js';
import { greater, less, lessEqual } from './comparison.js';
import { onesLike } from './leaf.js';
import {
  averaged,
  biasCorrection,
  requireBuffer,
  applyUpdate,
  type UpdateAttributes,
  type UpdateInputs,
  updateRecord,
} from './optimizer.js';
import { abs, sign, sqrt, square } from './unary.js';
import { where } from './where.js';

export type SgdAttributes = UpdateAttributes & { readonly momentum: number; readonly dampening: number; readonly nesterov: boolean };
/** Decays of the two moments, and what is added to the denominator. */
export type MomentAttributes = UpdateAttributes & { readonly beta1: number; readonly beta2: number; readonly epsilon: number };
export type AdamAttributes = MomentAttributes & { readonly decoupled: boolean; readonly amsgrad?: boolean };
export type LionAttributes = UpdateAttributes & { readonly beta1: number; readonly beta2: number };
export type RmspropAttributes = UpdateAttributes & {
  readonly decay: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly centered: boolean;
};
export type AdagradAttributes = UpdateAttributes & { readonly epsilon: number };
export type AdadeltaAttributes = UpdateAttributes & { readonly epsilon: number; readonly decay: number };
/** Factors and bounds of the step sizes. */
export type RpropAttributes = UpdateAttributes & {
  readonly less: number;
  readonly more: number;
  readonly least: number;
  readonly most: number;
};

/** Both moments, and the denominator: sqrt(v) / sqrt(1 - beta2^step) + epsilon. */
function moments(slope: Value, [m, v]: readonly Value[], step: Value, { beta1, beta2, epsilon }: MomentAttributes) {
  const mean = averaged(m!, slope, beta1);
  const meanSquare = averaged(v!, square(slope), beta2);
  const corrected = (x: Value): Value => add(div(sqrt(x), sqrt(biasCorrection(beta2, step))), epsilon);
  return { mean, meanSquare, corrected };
}

const correctedRate = (learningRate: Value, step: Value, beta: number): Value => div(learningRate, biasCorrection(beta, step));

export const optimizerRecords = {
  sgdUpdate: updateRecord<SgdAttributes>({
    name: 'sgdUpdate',
    slots: () => 1,
    check: (parameter, [buffer], { momentum }) => requireBuffer('sgdUpdate', parameter, buffer!, momentum !== 0),
    step(p, slope, [buffer], { learningRate, step }, { momentum, dampening, nesterov }) {
      if (momentum === 0) return [sub(p, mul(slope, learningRate)), buffer!];
      const first = broadcast(lessEqual(step, 1), p.shape);
      const moved = where(first, slope, add(mul(buffer!, momentum), mul(slope, 1 - dampening)));
      const direction = nesterov ? add(slope, mul(moved, momentum)) : moved;
      return [sub(p, mul(direction, learningRate)), moved];
    },
    flops: ({ momentum }) => (momentum ? 8 : 5),
  }),
  adamUpdate: updateRecord<AdamAttributes>({
    name: 'adamUpdate',
    slots: ({ amsgrad = false }) => (amsgrad ? 3 : 2),
    step(p, slope, slots, { learningRate, step }, attributes) {
      const { mean, meanSquare, corrected } = moments(slope, slots, step, attributes);
      const largest = attributes.amsgrad ? [maximum(slots[2]!, meanSquare)] : [];
      const rate = correctedRate(learningRate, step, attributes.beta1);
      return [sub(p, mul(rate, div(mean, corrected(largest[0] ?? meanSquare)))), mean, meanSquare, ...largest];
    },
    flops: () => 14,
  }),
  nadamUpdate: updateRecord<MomentAttributes>({
    name: 'nadamUpdate',
    slots: () => 2,
    numbers: ['ofSlope', 'ofMean'],
    step(p, slope, slots, { step, own: [ofSlope, ofMean] }, attributes) {
      const { mean, meanSquare, corrected } = moments(slope, slots, step, attributes);
      return [sub(p, div(add(mul(slope, ofSlope!), mul(mean, ofMean!)), corrected(meanSquare))), mean, meanSquare];
    },
    flops: () => 16,
  }),
  radamUpdate: updateRecord<MomentAttributes>({
    name: 'radamUpdate',
    slots: () => 2,
    numbers: ['rectification'],
    step(p, slope, slots, { learningRate, step, own: [rectification] }, attributes) {
      const { mean, meanSquare } = moments(slope, slots, step, attributes);
      const rate = correctedRate(learningRate, step, attributes.beta1);
      const adapted = div(mul(rate, rectification!), add(sqrt(meanSquare), attributes.epsilon));
      const known = broadcast(greater(rectification!, 0), p.shape);
      return [sub(p, mul(mean, where(known, adapted, broadcast(rate, p.shape)))), mean, meanSquare];
    },
    flops: () => 13,
  }),
  adamaxUpdate: updateRecord<MomentAttributes>({
    name: 'adamaxUpdate',
    slots: () => 2,
    step(p, slope, [m, u], { learningRate, step }, { beta1, beta2, epsilon }) {
      const mean = averaged(m!, slope, beta1);
      const largest = maximum(mul(u!, beta2), add(abs(slope), epsilon));
      return [sub(p, mul(div(mean, largest), correctedRate(learningRate, step, beta1))), mean, largest];
    },
    flops: () => 11,
  }),
  lionUpdate: updateRecord<LionAttributes>({
    name: 'lionUpdate',
    slots: () => 1,
    step: (p, slope, [mean], { learningRate }, { beta1, beta2 }) => [
      sub(p, mul(sign(averaged(mean!, slope, beta1)), learningRate)),
      averaged(mean!, slope, beta2),
    ],
    flops: () => 10,
  }),
  rmspropUpdate: updateRecord<RmspropAttributes>({
    name: 'rmspropUpdate',
    slots: ({ centered, momentum }) => 1 + Number(centered) + Number(momentum !== 0),
    step(p, slope, slots, { learningRate }, { decay, epsilon, momentum, centered }) {
      const next = [averaged(slots[0]!, square(slope), decay)];
      let spread = next[0]!;
      if (centered) {
        const mean = averaged(slots[1]!, slope, decay);
        next.push(mean);
        spread = maximum(sub(spread, square(mean)), 0); // rounding must not bring it below
      }
      let direction = div(slope, add(sqrt(spread), epsilon));
      if (momentum !== 0) next.push((direction = add(mul(slots.at(-1)!, momentum), direction)));
      return [sub(p, mul(direction, learningRate)), ...next];
    },
    flops: ({ centered, momentum }) => 10 + (centered ? 6 : 0) + (momentum ? 2 : 0),
  }),
  adagradUpdate: updateRecord<AdagradAttributes>({
    name: 'adagradUpdate',
    slots: () => 1,
    step(p, slope, [sum], { learningRate }, { epsilon }) {
      const sumSquare = add(sum!, square(slope));
      return [sub(p, mul(div(slope, add(sqrt(sumSquare), epsilon)), learningRate)), sumSquare];
    },
    flops: () => 8,
  }),
  adadeltaUpdate: updateRecord<AdadeltaAttributes>({
    name: 'adadeltaUpdate',
    slots: () => 2,
    step(p, slope, [before, changes], { learningRate }, { decay, epsilon }) {
      const meanSquare = averaged(before!, square(slope), decay);
      const change = mul(sqrt(div(add(changes!, epsilon), add(meanSquare, epsilon))), slope);
      return [sub(p, mul(change, learningRate)), meanSquare, averaged(changes!, square(change), decay)];
    },
    flops: () => 16,
  }),
  rpropUpdate: updateRecord<RpropAttributes>({
    name: 'rpropUpdate',
    slots: () => 2,
    step(p, slope, [previous, sizes], { learningRate, step }, { less: shorter, more, least, most }) {
      const agreement = mul(slope, previous!);
      const turned = less(agreement, 0);
      const factor = where(turned, shorter, where(greater(agreement, 0), mul(onesLike(slope), more), 1));
      const size = clamp(mul(where(lessEqual(step, 1), learningRate, sizes!), factor), least, most);
      const kept = where(turned, 0, slope);
      return [sub(p, mul(sign(kept), size)), kept, size];
    },
    flops: () => 10,
  }),
};

/**
 * One step of stochastic gradient descent by PyTorch's rule. `buffer` is shaped as the parameter, or [0] without momentum; at the
 * first step it becomes the gradient.
 */
export function sgdUpdate(
  inputs: UpdateInputs & { readonly buffer: Value },
  attributes: SgdAttributes,
): { parameter: Value; buffer: Value } {
  const { parameter, slots } = applyUpdate(optimizerRecords.sgdUpdate, inputs, [inputs.buffer], attributes);
  return { parameter, buffer: slots[0]! };
}

/** One step of Adam (Kingma and Ba 2015), or of AdamW (Loshchilov and Hutter 2019) where `decoupled`. */
export function adamUpdate(
  inputs: UpdateInputs & { readonly mean: Value; readonly meanSquare: Value },
  attributes: AdamAttributes,
): { parameter: Value; mean: Value; meanSquare: Value } {
  const { parameter, slots } = applyUpdate(optimizerRecords.adamUpdate, inputs, [inputs.mean, inputs.meanSquare], attributes);
  return { parameter, mean: slots[0]!, meanSquare: slots[1]! };
}
