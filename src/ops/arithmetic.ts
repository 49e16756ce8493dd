import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import type { Op } from '../graph/op.js';
import { broadcastPair } from './broadcast.js';
import type { Operand } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import type { Definition } from './define.js';
import { arithmetic, requireDtype, requireSameDtype, requireSameShape } from './support.js';

type NoAttributes = Record<never, never>;

/** The record of an elementwise op of two operands of one shape and dtype; `result` is the dtype it yields, if another. */
export function binaryRecord(
  name: string,
  allowed: readonly DType[],
  rule: Pick<Definition<NoAttributes>, 'gradient' | 'stops' | 'decompose'>,
  result?: DType,
): Op<NoAttributes> {
  return defineRecord({
    name,
    cost: 'elementwise',
    inPlace: result
      ? []
      : [
          [0, 0],
          [0, 1],
        ],
    infer([a, b]) {
      requireSameDtype(name, a, b);
      requireDtype(name, a, allowed, "the operands' dtype");
      requireSameShape(name, a, b);
      return { shape: a.shape, dtype: result ?? a.dtype };
    },
    ...rule,
  });
}

/** The builder of such a record: broadcasts, and takes numbers. */
export const binaryBuilder =
  (record: Op<NoAttributes>) =>
  (a: Operand, b: Operand): Value =>
    applyOne(record, broadcastPair(record.name, a, b), {});

export const arithmeticRecords = {
  neg: defineRecord({
    name: 'neg',
    cost: 'elementwise',
    inPlace: [[0, 0]],
    infer([x]) {
      requireDtype('neg', x, arithmetic);
      return x;
    },
    gradient: ({ dy }) => neg(dy),
  }),
  add: binaryRecord('add', arithmetic, { gradient: ({ dy }) => [dy, dy] }),
  sub: binaryRecord('sub', arithmetic, { gradient: ({ dy }) => [dy, () => neg(dy)] }),
  mul: binaryRecord('mul', arithmetic, { gradient: ({ dy, inputs: [a, b] }) => [() => mul(dy, b), () => mul(dy, a)] }),
  div: binaryRecord('div', arithmetic, {
    gradient: ({ dy, inputs: [, b], y }) => [() => div(dy, b), () => neg(mul(dy, div(y, b)))],
  }),
};

export const neg = (x: Value): Value => applyOne(arithmeticRecords.neg, [x], {});
export const add = binaryBuilder(arithmeticRecords.add);
export const sub = binaryBuilder(arithmeticRecords.sub);
export const mul = binaryBuilder(arithmeticRecords.mul);
/** a / b. Integers truncate toward zero; an integer divided by zero gives 0. */
export const div = binaryBuilder(arithmeticRecords.div);
