import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, zeros } from '../tensor/index.js';
import { type CommonOptions, describe, type Grouped, type OptimizerDescription } from './description.js';
import { decayed, requireNonNegative, type Rule, slopeOf } from './rule.js';

export interface AdafactorOptions extends CommonOptions {
  /** The mean squares keep 1 - step^beta2Decay of themselves. Default -0.8. */
  beta2Decay?: number;
  /** Least mean square, and least size of a parameter. Default [2^-23, 1e-3]. */
  epsilons?: readonly [number, number];
  /** Largest root mean square of an update before the rate. Default 1. */
  clipThreshold?: number;
  /** Decoupled decay of the weights. Default 0. */
  weightDecay?: number;
}

const meanSquare = (x: Value, axis?: number): Value =>
  ops.div(ops.sumSquares(x, axis, true), axis === undefined ? sizeOf(x.shape) : x.shape.at(axis)!);
const rootMeanSquare = (x: Value): Value => ops.sqrt(ops.reshape(meanSquare(x), []));

function rule({
  beta2Decay = -0.8,
  epsilons: [least, leastSize] = [2 ** -23, 1e-3],
  clipThreshold = 1,
  weightDecay = 0,
}: AdafactorOptions): Rule {
  requireNonNegative('adafactor', { 'epsilons[0]': least, 'epsilons[1]': leastSize, weightDecay });
  if (!(beta2Decay <= 0)) throw new RangeError(`adafactor: beta2Decay must not be above 0, got ${beta2Decay}.`);
  if (!(clipThreshold > 0)) throw new RangeError(`adafactor: clipThreshold must be above 0, got ${clipThreshold}.`);
  return {
    name: 'adafactor',
    slots: ({ shape }): Record<string, Tensor> =>
      shape.length > 1
        ? { rowSquare: zeros([...shape.slice(0, -1), 1]), columnSquare: zeros([...shape.slice(0, -2), 1, shape.at(-1)!]) }
        : { meanSquare: zeros(shape) },
    update(update) {
      const { parameter, learningRate, step } = update;
      const slope = slopeOf(update);
      const share = ops.exp(ops.mul(ops.log(step), beta2Decay)); // of the new square
      const toward = (average: Value, x: Value): Value => ops.add(average, ops.mul(ops.sub(x, average), share));
      const slots: Record<string, Value> = {};
      let spread: Value;
      if (parameter.shape.length > 1) {
        const rows = (slots['rowSquare'] = toward(update.slots['rowSquare']!, meanSquare(slope, -1)));
        const columns = (slots['columnSquare'] = toward(update.slots['columnSquare']!, meanSquare(slope, -2)));
        spread = ops.mul(ops.div(rows, ops.maximum(ops.mean(rows, -2, true), least)), columns);
      } else spread = slots['meanSquare'] = toward(update.slots['meanSquare']!, ops.square(slope));
      const direction = ops.mul(slope, ops.rsqrt(ops.maximum(spread, least * least)));
      const tooLong = ops.maximum(ops.div(rootMeanSquare(direction), clipThreshold), 1);
      const relative = ops.mul(ops.maximum(rootMeanSquare(parameter), leastSize), ops.minimum(learningRate, ops.rsqrt(step)));
      return { parameter: ops.sub(decayed(update, weightDecay), ops.mul(direction, ops.div(relative, tooLong))), slots };
    },
  };
}

/**
 * Adafactor (Shazeer and Stern 2018): for a matrix the mean squares of rows and columns alone, so that its state is almost
 * nothing; rates relative to the parameter's size. In the form of PyTorch's (from 2.5): the rate is at most 1 / sqrt(step).
 */
export const adafactor = (options: Grouped<AdafactorOptions> = {}): OptimizerDescription =>
  describe('adafactor', options, { learningRate: 1e-2, own: ['beta2Decay', 'epsilons', 'clipThreshold', 'weightDecay'], rule });
