import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, mul, sub } from './arithmetic.js';
import { reshape } from './broadcast.js';
import { cast } from './cast.js';
import { less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import type { Flow } from './define.js';
import { oneHot, takeAlong } from './indexing.js';
import { logSumExp } from './reduce.js';
import { fail, float, requireDtype, requireRank, requireSameShape, showShape } from './support.js';
import { exp } from './unary.js';
import { where } from './where.js';

function requireClasses(op: string, logits: Type, labels: Type): void {
  requireDtype(op, logits, float, 'the logits');
  requireDtype(op, labels, ['int32', 'int64', 'uint8'], 'the labels');
  requireRank(op, logits, 2, 'the logits', '[samples, classes]');
  if (!sameShape(labels.shape, [logits.shape[0]!])) {
    fail(
      'SHAPE_MISMATCH',
      op,
      `the labels have shape ${showShape(labels.shape)}, but logits ${showShape(logits.shape)} take one a sample: ${showShape([logits.shape[0]!])}`,
    );
  }
}

/** A value a sample, as a column beside the classes. */
const column = (x: Value): Value => reshape(x, [x.shape[0]!, 1]);

export const crossEntropyRecords = {
  crossEntropy: defineRecord({
    name: 'crossEntropy',
    cost: 'normalisation',
    reports: true,
    infer([logits, labels]) {
      requireClasses('crossEntropy', logits, labels);
      const each: Type = { shape: labels.shape, dtype: logits.dtype };
      return [each, each];
    },
    gradient: ({ inputs: [logits, labels], outputs: [, total], cotangents: [dloss, dtotal] }): Flow => {
      const fromLoss = dloss && applyOne(crossEntropyRecords.crossEntropyGrad, [dloss, logits, labels, total], {});
      const fromTotal = dtotal && mul(exp(sub(logits, column(total))), column(dtotal));
      return fromLoss && fromTotal ? add(fromLoss, fromTotal) : (fromLoss ?? fromTotal);
    },
    decompose([logits, labels]) {
      const total = logSumExp(logits, 1);
      // A negative index would count from the end; a negative label is wrong, so it is moved out of range on the other side.
      const index = cast(labels, 'int32');
      const picked = takeAlong(logits, column(where(less(index, 0), logits.shape[1]!, index)), 1);
      return [sub(total, reshape(picked, total.shape)), total];
    },
    flops: ([logits]) => 5 * sizeOf(logits.shape),
  }),
  crossEntropyGrad: defineRecord({
    name: 'crossEntropyGrad',
    cost: 'normalisation',
    reports: true,
    inPlace: [[0, 1]],
    infer([dloss, logits, labels, total]) {
      requireClasses('crossEntropyGrad', logits, labels);
      requireSameShape('crossEntropyGrad', dloss, labels);
      requireSameShape('crossEntropyGrad', total, labels);
      return logits;
    },
    decompose: ([dloss, logits, labels, total]) =>
      mul(sub(exp(sub(logits, column(total))), oneHot(labels, logits.shape[1]!)), column(dloss)),
    flops: ([, logits]) => 4 * sizeOf(logits.shape),
  }),
};

/**
 * The negative log-likelihood of each label under softmax(logits): logits [..., classes], labels [...] (int32, int64 or uint8)
 * -> float32 [...]. A label outside the classes fails the run with LABEL_OUT_OF_RANGE.
 */
export function crossEntropy(logits: Value, labels: Value): Value {
  if (logits.shape.length === 2) return apply(crossEntropyRecords.crossEntropy, [logits, labels], {})[0]!;
  const classes = logits.shape.at(-1);
  if (classes === undefined || !sameShape(logits.shape.slice(0, -1), labels.shape)) {
    fail(
      'SHAPE_MISMATCH',
      'crossEntropy',
      `logits ${showShape(logits.shape)} take labels of shape ${showShape(logits.shape.slice(0, -1))}, not ${showShape(labels.shape)}`,
    );
  }
  const samples = sizeOf(labels.shape);
  return reshape(crossEntropy(reshape(logits, [samples, classes]), reshape(labels, [samples])), labels.shape);
}
