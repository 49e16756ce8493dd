import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue } from '../tensor/index.js';
import { checkLoss, type LossOptions, type Reduced, type Reduction, reduced } from './reduction.js';

export interface CtcOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** The class that stands for no label. Default 0. */
  blank?: number;
  /** Samples whose labels do not fit into their steps count 0 instead of Infinity. Default false. */
  zeroInfinity?: boolean;
}

/** An integer operand of this shape, as int32. */
function integers(name: string, x: Tensor, shape: readonly number[]): Value {
  const value = tensorValue(x, 'ctc');
  if (!sameShape(value.shape, shape) || !['int32', 'int64', 'uint8'].includes(value.dtype))
    throw new PolluxError('SHAPE_MISMATCH', `ctc: ${name} ${show(value)} must be integers of shape [${shape.join(', ')}].`);
  return value.dtype === 'int32' ? value : ops.cast(value, 'int32');
}

/**
 * Connectionist temporal classification (Graves et al. 2006): -ln of the probability that all alignments of a sequence of labels with
 * the steps of the input have together; an alignment emits a label or the blank at each step.
 *
 * As in PyTorch, 'mean' divides the loss of each sample by its number of labels (at least 1) before the mean over the samples. But the
 * batch comes first, and the gradient on the log-probabilities is the plain derivative; behind logSoftmax both give the same.
 *
 * @param logProbabilities float32 [batch, steps, classes], such as logSoftmax gives
 * @param targets integers [batch, labels], beyond the length of each anything
 * @param inputLengths integers [batch]: steps that count, at most `steps`
 * @param targetLengths integers [batch]: labels that count, at most `labels`
 * A label outside the classes rejects the step with LABEL_OUT_OF_RANGE.
 */
export function ctc<R extends Reduction = 'mean'>(
  logProbabilities: Tensor,
  targets: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  options: CtcOptions<R> = {},
): Reduced<R> {
  checkLoss('ctc', options, ['blank', 'zeroInfinity']);
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options;
  const x = tensorValue(logProbabilities, 'ctc');
  if (x.shape.length !== 3)
    throw new PolluxError('SHAPE_MISMATCH', `ctc: takes log-probabilities [batch, steps, classes], got ${show(x)}.`);
  const batch = x.shape[0]!;
  const lengths = integers('targetLengths', targetLengths, [batch]);
  const labels = integers('targets', targets, [batch, tensorValue(targets, 'ctc').shape[1] ?? 0]);
  const found = ops.ctc(x, labels, integers('inputLengths', inputLengths, [batch]), lengths, blank);
  const losses = zeroInfinity ? ops.where(ops.equal(found, Infinity), 0, found) : found;
  return reduced(reduction === 'mean' ? ops.div(losses, ops.cast(ops.maximum(lengths, 1), 'float32')) : losses, options);
}
