import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { add, mul } from './arithmetic.js';
import { concat, split } from './movement.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { matmul } from './matmul.js';
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
import { requireSameShape } from './support.js';
import { sigmoid, tanh } from './unary.js';

/** The four gates of a step, side by side. */
const four = (x: Value): [Value, Value, Value, Value] => split(x, 4, -1) as [Value, Value, Value, Value];

/**
 * One step of an LSTM, of elementwise ops and a product.
 *
 * @param x float32 [batch, 4 * units]: the gates i, f, g, o without the state's part
 * @returns the next state, and the gates after their functions
 */
export function lstmCell(
  x: Value,
  weight: Value,
  { h, c }: { readonly h: Value; readonly c: Value },
): { h: Value; c: Value; gates: readonly Value[] } {
  const [i, f, g, o] = four(add(x, matmul(h, weight, { transposeB: true })));
  const gates = [sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)] as const;
  const next = add(mul(gates[1], c), mul(gates[0], gates[2]));
  return { h: mul(gates[3], tanh(next)), c: next, gates };
}

export const lstmRecords = {
  /** Hochreiter and Schmidhuber 1997, with a forget gate (Gers, Schmidhuber and Cummins 2000). Gates: input, forget, cell, output. */
  lstm: defineRecord<SweepAttributes>({
    name: 'lstm',
    cost: 'contraction',
    infer([x, weight, h, c, lengths]) {
      const { each, last } = requireRecurrence('lstm', 4, x, weight, [h, c], lengths);
      return [each, last, last, x, each];
    },
    gradient(call): Flow[] {
      const { inputs, outputs, attributes, cotangents } = call;
      if (cotangents[3] || cotangents[4]) return throughDecomposition(lstmRecords.lstm, call);
      const [, weight, h, c, lengths] = inputs;
      const [y, , , gates, cells] = outputs;
      const operands = [cotangentOf(call, 0), cotangentOf(call, 1), cotangentOf(call, 2), gates, cells, weight, c];
      const [dx, dh, dc] = apply(lstmRecords.lstmGrad, inputs.length > 4 ? [...operands, lengths] : operands, attributes);
      const before = () => statesBefore(y, h, attributes, inputs.length > 4 ? lengths : undefined);
      return [dx, () => recurrentWeightGradient(dx!, before()), dh, dc];
    },
    decompose([x, weight, h, c, lengths], { reverse }) {
      const [, steps, width] = x.shape as [number, number, number];
      const units = width / 4;
      const { states, records } = unroll(steps, !reverse, lengths, [h, c], [units, width, units], (t, [before, cell]) => {
        const next = lstmCell(stepOf(x, t), weight, { h: before!, c: cell! });
        return { states: [next.h, next.c], records: [next.h, concat(next.gates, -1), next.c] };
      });
      return [records[0]!, ...states, records[1]!, records[2]!];
    },
    flops: ([x, weight]) => sweepFlops(x, weight.shape[1]!),
  }),
  lstmGrad: defineRecord<SweepAttributes>({
    name: 'lstmGrad',
    cost: 'contraction',
    infer([dy, dh, dc, gates, cells, weight, c, lengths]) {
      const { each, last } = requireRecurrence('lstmGrad', 4, gates, weight, [dh, dc, c], lengths);
      requireSameShape('lstmGrad', dy, each);
      requireSameShape('lstmGrad', cells, each);
      return [gates, last, last];
    },
    decompose([dy, dh, dc, gates, cells, weight, c, lengths], attributes) {
      const [, steps, width] = gates.shape as [number, number, number];
      const { states, records } = unroll(steps, attributes.reverse, lengths, [dh, dc], [width], (t, [later, laterCell]) => {
        const [i, f, g, o] = four(stepOf(gates, t));
        const bent = tanh(stepOf(cells, t));
        const slope = add(later!, stepOf(dy, t));
        const slopeCell = add(laterCell!, throughTanh(bent, mul(slope, o)));
        const dx = concat(
          [
            throughSigmoid(i, mul(slopeCell, g)),
            throughSigmoid(f, mul(slopeCell, stateBefore(cells, c, t, attributes, lengths))),
            throughTanh(g, mul(slopeCell, i)),
            throughSigmoid(o, mul(slope, bent)),
          ],
          -1,
        );
        return { states: [matmul(dx, weight), mul(slopeCell, f)], records: [dx] };
      });
      return [records[0]!, ...states];
    },
    flops: ([, , , gates, , weight]) => sweepFlops(gates, weight.shape[1]!),
  }),
};

/**
 * An LSTM layer in one direction, from the input's part of its gates on.
 *
 * @param x float32 [batch, steps, 4 * units]: the gates i, f, g, o without the state's part
 * @param weight float32 [4 * units, units], of the state
 * @param state the first h and c, float32 [batch, units] each
 * @param lengths int32 [batch]: how many steps of each sequence count, within [0, steps]; beyond them the states stay and y is 0
 * @param reverse from the last step of each sequence to the first
 * @returns h of each step [batch, steps, units], and h and c after the last
 */
export function lstm(
  x: Value,
  weight: Value,
  state: { readonly h: Value; readonly c: Value },
  lengths?: Value,
  reverse = false,
): { y: Value; h: Value; c: Value } {
  const operands = [x, weight, state.h, state.c];
  const [y, h, c] = apply(lstmRecords.lstm, lengths ? [...operands, lengths] : operands, { reverse });
  return { y: y!, h: h!, c: c! };
}
