import { checkOptions, PolluxError } from '../errors.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue, wrap } from '../tensor/index.js';

export interface LossOptions {
  /** 'mean' (default), 'sum', or 'none' for one loss a sample. */
  reduction?: 'mean' | 'sum' | 'none';
}

function reduce(losses: Tensor, where: string, options: LossOptions): Tensor {
  checkOptions(where, options, ['reduction']);
  const { reduction = 'mean' } = options;
  if (reduction === 'none') return losses;
  if (reduction === 'mean') return losses.mean();
  if (reduction === 'sum') return losses.sum();
  throw new RangeError(`${where}: reduction is 'mean', 'sum' or 'none', got '${String(reduction)}'.`);
}

/**
 * Cross-entropy between logits [..., classes] (float32) and the indices of the true classes [...] (int32, int64 or uint8):
 * logSumExp(logits) - logits[label]. A label outside the classes rejects the step with LABEL_OUT_OF_RANGE.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: LossOptions = {}): Tensor<readonly [], 'float32'> {
  const x = tensorValue(logits, 'crossEntropy');
  const y = tensorValue(labels, 'crossEntropy');
  const rows = x.shape.slice(0, -1);
  if (!x.shape.length || !sameShape(rows, y.shape)) {
    const hint = sameShape(x.shape, y.shape)
      ? ' Labels are indices of classes; turn one-hot rows into indices with labels.argmax(-1).'
      : '';
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `crossEntropy: logits ${show(x)} need labels of shape [${rows.join(', ')}], got ${show(y)}.${hint}`,
    );
  }
  return reduce(wrap(ops.crossEntropy(x, y)), 'crossEntropy', options);
}

/** Mean squared error between tensors of one shape. */
export function mse(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor<readonly [], 'float32'> {
  if (!sameShape(prediction.shape, target.shape)) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `mse: prediction ${show(prediction)} and target ${show(target)} must have one shape; broadcasting here hides mistakes.`,
    );
  }
  return reduce(prediction.sub(target).square(), 'mse', options);
}
