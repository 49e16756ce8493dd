import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add } from './arithmetic.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { greater } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { zerosLike } from './leaf.js';
import { broadcastShapes, fail, float, requireDtype, requireSameDtype, showShape } from './support.js';
import { relu } from './unary.js';
import { where } from './where.js';

type MatmulAttributes = { readonly transposeA: boolean; readonly transposeB: boolean; readonly activation: string };

/** Rows and columns of a matrix operand as it enters the product. */
const matrixOf = ({ shape }: Type, transposed: boolean): [rows: number, columns: number] => {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  return transposed ? [columns, rows] : [rows, columns];
};

/** The epilogue that contractions may take: a bias over the last axis, then perhaps relu. */
export const epilogue = (y: Value, bias: Value | undefined, activation: string): Value => {
  const shifted = bias ? add(y, bias) : y;
  return activation === 'relu' ? relu(shifted) : shifted;
};

/** The cotangent before an epilogue's relu, which the output tells. */
export const throughActivation = (dy: Value, y: Value, activation: string): Value =>
  activation === 'relu' ? where(greater(y, 0), dy, zerosLike(dy)) : dy;

/** The gradient of an epilogue's bias: the sum over all axes but the last. */
export const biasGradient = (dy: Value): Value => sum(dy, dy.shape.map((_, i) => i).slice(0, -1));

export const matmulRecords = {
  matmul: defineRecord<MatmulAttributes>({
    name: 'matmul',
    cost: 'contraction',
    infer(inputs, { transposeA, transposeB }) {
      const [a, b, bias] = inputs;
      requireSameDtype('matmul', a, b);
      requireDtype('matmul', a, float, "the operands' dtype");
      const mismatch = (why: string): never =>
        fail(
          'SHAPE_MISMATCH',
          'matmul',
          `shapes ${showShape(a.shape)}${transposeA ? ' transposed' : ''} and ${showShape(b.shape)}${transposeB ? ' transposed' : ''} ${why}`,
        );
      if (a.shape.length < 2 || b.shape.length < 2) mismatch('must have two axes at least');
      const batch = a.shape.slice(0, -2);
      if (!sameShape(batch, b.shape.slice(0, -2))) mismatch('differ in their leading axes');
      const [rows, inner] = matrixOf(a, transposeA);
      const [other, columns] = matrixOf(b, transposeB);
      if (inner !== other) mismatch(`do not multiply: ${inner} columns meet ${other} rows`);
      if (inputs.length > 2 && !sameShape(bias.shape, [columns])) {
        fail('SHAPE_MISMATCH', 'matmul', `the bias has shape ${showShape(bias.shape)}, but must have ${showShape([columns])}`);
      }
      return { shape: [...batch, rows, columns], dtype: a.dtype };
    },
    gradient({ dy: after, inputs: [a, b], y, attributes: { transposeA, transposeB, activation } }) {
      const dy = throughActivation(after, y, activation);
      return [
        () => (transposeA ? product(b, dy, transposeB, true) : product(dy, b, false, !transposeB)),
        () => (transposeB ? product(dy, a, true, transposeA) : product(a, dy, !transposeA, false)),
        () => biasGradient(dy),
      ];
    },
    decompose: (inputs, { transposeA, transposeB, activation }) =>
      epilogue(product(inputs[0], inputs[1], transposeA, transposeB), inputs.length > 2 ? inputs[2] : undefined, activation),
    flops: ([a], [y], { transposeA }) => 2 * sizeOf(y.shape) * matrixOf(a, transposeA)[1],
  }),
};

/** Operands with equal leading axes. */
const product = (a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value =>
  applyOne(matmulRecords.matmul, [a, b], { transposeA, transposeB, activation: 'none' });

/** Puts leading axes in front of the last two. */
const withBatch = (x: Value, batch: readonly number[]): Value => broadcast(x, [...batch, ...x.shape.slice(-2)]);

/**
 * The matrix product [..., M, K] x [..., K, N] -> [..., M, N] over the last two axes, either operand transposed at no cost. Leading
 * axes broadcast; a vector is a row on the left and a column on the right, and its axis of size 1 is dropped again, as in NumPy.
 */
export function matmul(a: Value, b: Value, options: { transposeA?: boolean; transposeB?: boolean } = {}): Value {
  const { transposeA = false, transposeB = false } = options;
  if (a.shape.length === 0 || b.shape.length === 0) {
    fail('SHAPE_MISMATCH', 'matmul', `shapes ${showShape(a.shape)} and ${showShape(b.shape)}: a scalar has no axis to sum over; use mul`);
  }
  if (a.shape.length === 1) {
    const y = matmul(reshape(a, [1, a.shape[0]!]), b, { transposeB });
    return reshape(y, y.shape.toSpliced(b.shape.length === 1 ? 0 : -2, 1));
  }
  if (b.shape.length === 1) {
    const y = matmul(a, reshape(b, [b.shape[0]!, 1]), { transposeA });
    return reshape(y, y.shape.slice(0, -1));
  }
  if (b.shape.length === 2 && a.shape.length > 2 && !transposeA) {
    // One tall product is faster than many small ones, and the gradient of `b` needs no sum over the batch.
    const y = product(reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!]), b, false, transposeB);
    return reshape(y, [...a.shape.slice(0, -1), y.shape[1]!]);
  }
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return product(withBatch(a, batch), withBatch(b, batch), transposeA, transposeB);
}
