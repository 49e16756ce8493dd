import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { add } from './arithmetic.js';
import { greater } from './comparison.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { matmul } from './matmul.js';
import {
  cotangentOf,
  recurrentWeightGradient,
  requireRecurrence,
  statesBefore,
  stepOf,
  sweepFlops,
  type SweepAttributes,
  throughTanh,
  unroll,
} from './recurrentSweep.js';
import { requireSameShape } from './support.js';
import { relu, tanh } from './unary.js';
import { where } from './where.js';

export type RnnActivation = 'tanh' | 'relu';
type RnnAttributes = SweepAttributes & { readonly nonlinearity: string };

function requireActivation(nonlinearity: string): void {
  if (nonlinearity === 'tanh' || nonlinearity === 'relu') return;
  throw new TypeError(`rnn: nonlinearity '${nonlinearity}' must be 'tanh' or 'relu'`);
}

/** One step of a plain recurrent layer, from the input's part x [batch, units] on: the next state. */
export const rnnCell = (x: Value, weight: Value, h: Value, nonlinearity: RnnActivation): Value =>
  (nonlinearity === 'relu' ? relu : tanh)(add(x, matmul(h, weight, { transposeB: true })));

export const rnnRecords = {
  /** Elman 1990. */
  rnn: defineRecord<RnnAttributes>({
    name: 'rnn',
    cost: 'contraction',
    infer([x, weight, h, lengths], { nonlinearity }) {
      requireActivation(nonlinearity);
      const { each, last } = requireRecurrence('rnn', 1, x, weight, [h], lengths);
      return [each, last];
    },
    gradient(call): Flow[] {
      const { inputs, outputs, attributes } = call;
      const [, weight, h, lengths] = inputs;
      const [y] = outputs;
      const operands = [cotangentOf(call, 0), cotangentOf(call, 1), y, weight];
      const [dx, dh] = apply(rnnRecords.rnnGrad, inputs.length > 3 ? [...operands, lengths] : operands, attributes);
      const before = () => statesBefore(y, h, attributes, inputs.length > 3 ? lengths : undefined);
      return [dx, () => recurrentWeightGradient(dx!, before()), dh];
    },
    decompose([x, weight, h, lengths], { reverse, nonlinearity }) {
      const [, steps, units] = x.shape as [number, number, number];
      const { states, records } = unroll(steps, !reverse, lengths, [h], [units], (t, [before]) => {
        const y = rnnCell(stepOf(x, t), weight, before!, nonlinearity as RnnActivation);
        return { states: [y], records: [y] };
      });
      return [records[0]!, states[0]!];
    },
    flops: ([x, weight]) => sweepFlops(x, weight.shape[1]!),
  }),
  rnnGrad: defineRecord<RnnAttributes>({
    name: 'rnnGrad',
    cost: 'contraction',
    infer([dy, dh, y, weight, lengths]) {
      const { each, last } = requireRecurrence('rnnGrad', 1, y, weight, [dh], lengths);
      requireSameShape('rnnGrad', dy, each);
      return [each, last];
    },
    decompose([dy, dh, y, weight, lengths], { reverse, nonlinearity }) {
      const [, steps, units] = y.shape as [number, number, number];
      const { states, records } = unroll(steps, reverse, lengths, [dh], [units], (t, [later]) => {
        const slope = add(later!, stepOf(dy, t));
        const state = stepOf(y, t);
        const dx = nonlinearity === 'relu' ? where(greater(state, 0), slope, 0) : throughTanh(state, slope);
        return { states: [matmul(dx, weight)], records: [dx] };
      });
      return [records[0]!, states[0]!];
    },
    flops: ([, , y, weight]) => sweepFlops(y, weight.shape[1]!),
  }),
};

/**
 * A plain recurrent layer in one direction: h' = tanh(x + W h), or relu.
 *
 * @param x float32 [batch, steps, units]: the input's part
 * @param weight float32 [units, units], of the state
 * @param state the first h, float32 [batch, units]
 * @param lengths int32 [batch]: how many steps of each sequence count, within [0, steps]; beyond them the state stays and y is 0
 * @param reverse from the last step of each sequence to the first
 * @returns h of each step [batch, steps, units], and h after the last
 */
export function rnn(
  x: Value,
  weight: Value,
  state: Value,
  nonlinearity: RnnActivation = 'tanh',
  lengths?: Value,
  reverse = false,
): { y: Value; h: Value } {
  const operands = [x, weight, state];
  const [y, h] = apply(rnnRecords.rnn, lengths ? [...operands, lengths] : operands, { reverse, nonlinearity });
  return { y: y!, h: h! };
}
