import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, mul, sub } from './arithmetic.js';
import { sum } from './broadcast.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { matmul } from './matmul.js';
import { concat, sliceAxis, split } from './movement.js';
import {
  cotangentOf,
  recurrentWeightGradient,
  requireRecurrence,
  stateBefore,
  statesBefore,
  stepOf,
  sweepFlops,
  type SweepAttributes,
  throughDecomposition,
  throughSigmoid,
  throughTanh,
  unroll,
} from './recurrentSweep.js';
import { fail, requireSameShape, showShape } from './support.js';
import { sigmoid, tanh } from './unary.js';

const three = (x: Value): [Value, Value, Value] => split(x, 3, -1) as [Value, Value, Value];

function requireBias(bias: Type, units: number): void {
  if (sameShape(bias.shape, [units])) return;
  fail('SHAPE_MISMATCH', 'gru', `the bias has shape ${showShape(bias.shape)}, but must have ${showShape([units])}: that of the new gate`);
}

/**
 * One step of a GRU, of elementwise ops and a product.
 *
 * @param x float32 [batch, 3 * units]: the gates r, z, n without the state's part
 * @returns the next state, the gates after their functions, and what the reset gate weighs
 */
export function gruCell(x: Value, weight: Value, bias: Value, h: Value): { h: Value; gates: readonly Value[]; inner: Value } {
  const given = three(x);
  const [r, z, n] = three(matmul(h, weight, { transposeB: true }));
  const inner = add(n, bias);
  const reset = sigmoid(add(given[0], r));
  const update = sigmoid(add(given[1], z));
  const fresh = tanh(add(given[2], mul(reset, inner)));
  return { h: add(fresh, mul(update, sub(h, fresh))), gates: [reset, update, fresh], inner };
}

export const gruRecords = {
  /**
   * Cho et al. 2014, with the reset gate applied to the product, so that all products of a step are one (as cuDNN and PyTorch).
   * Gates: reset, update, new.
   */
  gru: defineRecord<SweepAttributes>({
    name: 'gru',
    cost: 'contraction',
    infer([x, weight, bias, h, lengths]) {
      const { each, last } = requireRecurrence('gru', 3, x, weight, [h], lengths);
      requireBias(bias, last.shape[1]!);
      return [each, last, x, each];
    },
    gradient(call): Flow[] {
      const { inputs, outputs, attributes, cotangents } = call;
      if (cotangents[2] || cotangents[3]) return throughDecomposition(gruRecords.gru, call);
      const [, weight, , h, lengths] = inputs;
      const [y, , gates, inner] = outputs;
      const operands = [cotangentOf(call, 0), cotangentOf(call, 1), gates, inner, y, weight, h];
      const [dx, slopes, dh] = apply(gruRecords.gruGrad, inputs.length > 4 ? [...operands, lengths] : operands, attributes);
      const units = y.shape[2]!;
      const before = () => statesBefore(y, h, attributes, inputs.length > 4 ? lengths : undefined);
      const ofBias = () => sum(sliceAxis(slopes!, 2, 2 * units, 3 * units), [0, 1]);
      return [dx, () => recurrentWeightGradient(slopes!, before()), ofBias, dh];
    },
    decompose([x, weight, bias, h, lengths], { reverse }) {
      const [, steps, width] = x.shape as [number, number, number];
      const units = width / 3;
      const { states, records } = unroll(steps, !reverse, lengths, [h], [units, width, units], (t, [before]) => {
        const next = gruCell(stepOf(x, t), weight, bias, before!);
        return { states: [next.h], records: [next.h, concat(next.gates, -1), next.inner] };
      });
      return [records[0]!, ...states, records[1]!, records[2]!];
    },
    flops: ([x, weight]) => sweepFlops(x, weight.shape[1]!),
  }),
  /** The slopes of x, those of the products with the state (which differ in the new gate), and that of the first state. */
  gruGrad: defineRecord<SweepAttributes>({
    name: 'gruGrad',
    cost: 'contraction',
    infer([dy, dh, gates, inner, y, weight, h, lengths]) {
      const { each, last } = requireRecurrence('gruGrad', 3, gates, weight, [dh, h], lengths);
      for (const type of [dy, inner, y]) requireSameShape('gruGrad', type, each);
      return [gates, gates, last];
    },
    decompose([dy, dh, gates, inner, y, weight, h, lengths], attributes) {
      const [, steps, width] = gates.shape as [number, number, number];
      const { states, records } = unroll(steps, attributes.reverse, lengths, [dh], [width, width], (t, [later]) => {
        const [reset, update, fresh] = three(stepOf(gates, t));
        const slope = add(later!, stepOf(dy, t));
        const dfresh = throughTanh(fresh, mul(slope, sub(1, update)));
        const dupdate = throughSigmoid(update, mul(slope, sub(stateBefore(y, h, t, attributes, lengths), fresh)));
        const dreset = throughSigmoid(reset, mul(dfresh, stepOf(inner, t)));
        const slopes = concat([dreset, dupdate, mul(dfresh, reset)], -1);
        return {
          states: [add(mul(slope, update), matmul(slopes, weight))],
          records: [concat([dreset, dupdate, dfresh], -1), slopes],
        };
      });
      return [...records, ...states];
    },
    flops: ([, , gates, , , weight]) => sweepFlops(gates, weight.shape[1]!),
  }),
};

/**
 * A GRU layer in one direction, from the input's part of its gates on: h' = n + z (h - n), n = tanh(x_n + r (W_n h + bias)).
 *
 * @param x float32 [batch, steps, 3 * units]: the gates r, z, n without the state's part
 * @param weight float32 [3 * units, units], of the state
 * @param bias float32 [units], within the reach of the reset gate
 * @param state the first h, float32 [batch, units]
 * @param lengths int32 [batch]: how many steps of each sequence count, within [0, steps]; beyond them the state stays and y is 0
 * @param reverse from the last step of each sequence to the first
 * @returns h of each step [batch, steps, units], and h after the last
 */
export function gru(x: Value, weight: Value, bias: Value, state: Value, lengths?: Value, reverse = false): { y: Value; h: Value } {
  const operands = [x, weight, bias, state];
  const [y, h] = apply(gruRecords.gru, lengths ? [...operands, lengths] : operands, { reverse });
  return { y: y!, h: h! };
}
