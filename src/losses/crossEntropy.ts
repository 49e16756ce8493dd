import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue } from '../tensor/index.js';
import { alike, checkLoss, type LossOptions, type Reduced, type Reduction, reduced, weightsOf } from './reduction.js';

export interface NllOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** A factor of the loss of each class; 'mean' divides by the sum of the factors of the labels. */
  classWeights?: readonly number[] | Tensor;
  /** Samples with this label count nothing, in the mean too. Default -100, as PyTorch. */
  ignoreIndex?: number;
}

export interface CrossEntropyOptions<R extends Reduction = Reduction> extends NllOptions<R> {
  /** Part of the target that is spread over all classes (Szegedy et al. 2016). Default 0. */
  labelSmoothing?: number;
}

/** Labels ready for use: ignored ones replaced by class 0, and what each sample counts. */
interface Labels {
  readonly labels: Value;
  /** 0 for ignored samples, else the weight of the class or 1. Undefined: all count 1. */
  readonly weights: Value | undefined;
  /** Where a sample counts; undefined: all do. */
  readonly counted: Value | undefined;
  readonly classWeights: Value | undefined;
}

function readLabels(where: string, classes: number, labels: Value, { classWeights, ignoreIndex = -100 }: NllOptions): Labels {
  if (!Number.isInteger(ignoreIndex)) throw new RangeError(`${where}: ignoreIndex must be an integer, got ${ignoreIndex}.`);
  const ofClass = classWeights && weightsOf(where, 'classWeights', classWeights, [classes]);
  // A uint8 label is never negative: nothing to ignore there.
  const mayIgnore = labels.dtype !== 'uint8' || ignoreIndex >= 0;
  const index = labels.dtype === 'uint8' ? ops.cast(labels, 'int32') : labels;
  const counted = mayIgnore ? ops.notEqual(index, ops.constant(ignoreIndex, [], index.dtype)) : undefined;
  const safe = counted ? ops.where(counted, index, ops.zerosLike(index)) : labels;
  const weights = ofClass ? ops.gather(ofClass, safe === labels ? index : safe) : counted && ops.cast(counted, 'float32');
  return { labels: safe, weights: ofClass && counted ? ops.where(counted, weights!, 0) : weights, counted, classWeights: ofClass };
}

/** The losses that count, times the weights of their classes. Chosen, not multiplied by 0: an infinity there must not become NaN. */
function weighted(losses: Value, { weights, counted, classWeights }: Labels): Value {
  const scaled = classWeights ? ops.mul(losses, weights!) : losses;
  return counted ? ops.where(counted, scaled, 0) : scaled;
}

function requireLabels(where: string, logits: Value, labels: Value): void {
  const rows = logits.shape.slice(0, -1);
  if (logits.shape.length && sameShape(rows, labels.shape)) return;
  const hint = sameShape(logits.shape, labels.shape)
    ? ' Labels are indices of classes; turn one-hot rows into indices with labels.argmax(-1), or cast them to float32 to take them as probabilities.'
    : '';
  throw new PolluxError(
    'SHAPE_MISMATCH',
    `${where}: logits ${show(logits)} need labels of shape [${rows.join(', ')}], got ${show(labels)}.${hint}`,
  );
}

/**
 * Cross-entropy between logits [..., classes] (float32) and the true classes: indices [...] (int32, int64 or uint8), or
 * probabilities of the logits' shape (float32). logSumExp(logits) - logits[label], never by way of the probabilities.
 *
 * A label outside the classes rejects the step with LABEL_OUT_OF_RANGE, unless it is `ignoreIndex`. As in PyTorch, 'mean' divides
 * by the weights of the labels that count, and is NaN if none does.
 */
export function crossEntropy<R extends Reduction = 'mean'>(
  logits: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions<R> = {},
): Reduced<R> {
  const where = 'crossEntropy';
  checkLoss(where, options, ['classWeights', 'ignoreIndex', 'labelSmoothing']);
  const { labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new RangeError(`crossEntropy: labelSmoothing must lie in [0, 1], got ${labelSmoothing}.`);
  const x = tensorValue(logits, where);
  const y = tensorValue(labels, where);
  if (y.dtype === 'float32') {
    if (sameShape(y.shape, x.shape.slice(0, -1)))
      throw new PolluxError(
        'DTYPE_MISMATCH',
        `crossEntropy: labels ${show(y)} are float32, which are probabilities and need the shape of the logits ${show(x)}. Indices of classes are int32: labels.cast('int32').`,
      );
    return ofProbabilities(logits, labels, options);
  }
  requireLabels(where, x, y);
  const classes = x.shape.at(-1)!;
  const read = readLabels(where, classes, y, options);
  const { weights, counted, classWeights } = read;
  const losses = weighted(ops.crossEntropy(x, read.labels), read);
  if (labelSmoothing === 0) return reduced(losses, options, weights);
  const spread = ops.mul(spreadOverClasses(x, classWeights), 1 / classes);
  const smooth = counted ? ops.where(counted, spread, 0) : spread;
  return reduced(ops.add(ops.mul(losses, 1 - labelSmoothing), ops.mul(smooth, labelSmoothing)), options, weights);
}

/** The sum over the classes of weight * -logSoftmax(x): weights times logSumExp less the weighted logits, in one reading. */
function spreadOverClasses(x: Value, classWeights: Value | undefined): Value {
  const logs = ops.logSoftmax(x);
  return ops.neg(ops.sum(classWeights ? ops.mul(logs, classWeights) : logs, -1));
}

/** Probabilities have the shape of the logits. */
function requireProbabilities({ shape, dtype }: Tensor, labels: Tensor): void {
  if (sameShape(shape, labels.shape)) return;
  const swapped = dtype !== 'float32' && sameShape(shape, labels.shape.slice(0, -1));
  const hint = swapped ? ' Are the arguments swapped? The logits come first.' : '';
  throw new PolluxError(
    'SHAPE_MISMATCH',
    `crossEntropy: logits ${dtype}[${shape.join(', ')}] need labels of shape [${shape.slice(0, -1).join(', ')}] or probabilities of their own shape, got float32[${labels.shape.join(', ')}].${hint}`,
  );
}

/** Targets that are distributions: -sum over the classes of weight * target * logSoftmax; the mean is over the samples. */
function ofProbabilities<R extends Reduction>(logits: Tensor, labels: Tensor, options: CrossEntropyOptions<R>): Reduced<R> {
  const { labelSmoothing = 0, classWeights } = options;
  requireProbabilities(logits, labels);
  const { logits: x, probabilities } = alike('crossEntropy', { logits, probabilities: labels });
  const classes = x.shape.at(-1)!;
  const target = labelSmoothing === 0 ? probabilities : ops.add(ops.mul(probabilities, 1 - labelSmoothing), labelSmoothing / classes);
  const products = ops.mul(ops.logSoftmax(x), target);
  const weights = classWeights && weightsOf('crossEntropy', 'classWeights', classWeights, [classes]);
  return reduced(ops.neg(ops.sum(weights ? ops.mul(products, weights) : products, -1)), options);
}

/** Negative log-likelihood of labels [...] under logarithms of probabilities [..., classes], such as those of logSoftmax. */
export function nll<R extends Reduction = 'mean'>(logProbabilities: Tensor, labels: Tensor, options: NllOptions<R> = {}): Reduced<R> {
  checkLoss('nll', options, ['classWeights', 'ignoreIndex']);
  const x = tensorValue(logProbabilities, 'nll');
  const y = tensorValue(labels, 'nll');
  requireLabels('nll', x, y);
  const read = readLabels('nll', x.shape.at(-1)!, y, options);
  const index = ops.cast(read.labels, 'int32');
  const picked = ops.neg(ops.squeeze(ops.takeAlong(x, ops.expandDims(index, -1), -1), -1));
  return reduced(weighted(picked, read), options, read.weights);
}

export interface SoftmaxFocalOptions<R extends Reduction = Reduction> extends NllOptions<R> {
  /** How much easy samples are discounted. Default 2. */
  gamma?: number;
}

/**
 * Focal loss of classes (Lin et al. 2017): (1 - p)^gamma times the cross-entropy, p the probability of the label under
 * softmax(logits). Logits [..., classes], labels [...] as in `crossEntropy`; the mean is over the samples that count.
 */
export function softmaxFocal<R extends Reduction = 'mean'>(
  logits: Tensor,
  labels: Tensor,
  options: SoftmaxFocalOptions<R> = {},
): Reduced<R> {
  checkLoss('softmaxFocal', options, ['classWeights', 'ignoreIndex', 'gamma']);
  const { gamma = 2 } = options;
  if (!(gamma >= 0)) throw new RangeError(`softmaxFocal: gamma must not be negative, got ${gamma}.`);
  const x = tensorValue(logits, 'softmaxFocal');
  const y = tensorValue(labels, 'softmaxFocal');
  requireLabels('softmaxFocal', x, y);
  const read = readLabels('softmaxFocal', x.shape.at(-1)!, y, options);
  const entropy = ops.crossEntropy(x, read.labels);
  const missed = ops.neg(ops.expm1(ops.neg(entropy)));
  const losses = gamma === 0 ? entropy : ops.mul(entropy, ops.pow(missed, gamma));
  const samples = read.counted && ops.cast(read.counted, 'float32');
  return reduced(weighted(losses, read), options, samples);
}
