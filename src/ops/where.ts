import type { Value } from '../graph/node.js';
import { broadcast, operandLike } from './broadcast.js';
import type { Operand } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import { zerosLike } from './leaf.js';
import { broadcastShapes, comparable, fail, requireDtype, requireSameDtype, requireSameShape } from './support.js';

export const whereRecords = {
  where: defineRecord({
    name: 'where',
    cost: 'elementwise',
    inPlace: [
      [0, 1],
      [0, 2],
    ],
    infer([condition, a, b]) {
      if (condition.dtype !== 'bool')
        fail('DTYPE_MISMATCH', 'where', `the condition is ${condition.dtype}; compare it, or cast it to bool`);
      requireSameDtype('where', a, b);
      requireDtype('where', a, comparable, "the operands' dtype");
      requireSameShape('where', condition, a);
      requireSameShape('where', a, b);
      return { shape: a.shape, dtype: a.dtype };
    },
    gradient: ({ dy, inputs: [condition] }) => [
      undefined,
      () => where(condition, dy, zerosLike(dy)),
      () => where(condition, zerosLike(dy), dy),
    ],
  }),
};

/** `a` where the condition holds, else `b`; the three broadcast. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const left = operandLike('where', a, b);
  const right = operandLike('where', b, a);
  const shape = broadcastShapes('where', condition.shape, left.shape, right.shape);
  return applyOne(whereRecords.where, [broadcast(condition, shape), broadcast(left, shape), broadcast(right, shape)], {});
}
