import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue } from '../tensor/index.js';
import { alike, asFloat, checkLoss, type LossOptions, type Reduced, type Reduction, reduced } from './reduction.js';

export interface BinaryOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** A factor of each loss; broadcast against them. */
  weight?: Tensor;
}

export interface BinaryLogitsOptions<R extends Reduction = Reduction> extends BinaryOptions<R> {
  /** A factor of the losses of positive targets: a number, or a tensor broadcast against the targets (one a class). */
  positiveWeight?: number | Tensor;
}

const weighted = (where: string, losses: Value, weight: Tensor | undefined): Value =>
  weight === undefined ? losses : ops.mul(losses, asFloat(tensorValue(weight, where)));

/** -y log p - (1 - y) log(1 - p), each logarithm at least -100, and the slope bounded likewise: PyTorch's rules. */
const ofProbabilities = ops.customGradient(
  (p: Value, y: Value) => {
    const ofPositive = ops.maximum(ops.log(p), -100);
    const ofNegative = ops.maximum(ops.log1p(ops.neg(p)), -100);
    return ops.neg(ops.add(ops.mul(y, ofPositive), ops.mul(ops.sub(1, y), ofNegative)));
  },
  (cotangent, [p, y]) => [
    ops.mul(cotangent, ops.div(ops.sub(p!, y!), ops.maximum(ops.mul(ops.sub(1, p!), p!), 1e-12))),
    ops.mul(cotangent, ops.sub(ops.maximum(ops.log1p(ops.neg(p!)), -100), ops.maximum(ops.log(p!), -100))),
  ],
);

/**
 * Binary cross-entropy of probabilities in [0, 1] against targets in [0, 1] of their shape. From logits take
 * `binaryCrossEntropyWithLogits`, which loses no digits.
 */
export function binaryCrossEntropy<R extends Reduction = 'mean'>(
  probabilities: Tensor,
  targets: Tensor,
  options: BinaryOptions<R> = {},
): Reduced<R> {
  checkLoss('binaryCrossEntropy', options, ['weight']);
  const { probabilities: p, targets: y } = alike('binaryCrossEntropy', { probabilities, targets });
  return reduced(weighted('binaryCrossEntropy', ofProbabilities(p, y), options.weight), options);
}

/** (1 - y) x + (1 + (positive - 1) y) softplus(-x): finite for every logit. */
function ofLogits(x: Value, y: Value, positive: number | Value = 1): Value {
  const rise = typeof positive === 'number' ? positive - 1 : ops.sub(positive, 1);
  const factor = rise === 0 ? undefined : ops.add(ops.mul(y, rise), 1);
  const soft = ops.softplus(ops.neg(x));
  return ops.add(ops.mul(ops.sub(1, y), x), factor ? ops.mul(factor, soft) : soft);
}

/** Binary cross-entropy of sigmoid(logits) against targets in [0, 1] of their shape (PyTorch's BCEWithLogitsLoss). */
export function binaryCrossEntropyWithLogits<R extends Reduction = 'mean'>(
  logits: Tensor,
  targets: Tensor,
  options: BinaryLogitsOptions<R> = {},
): Reduced<R> {
  const where = 'binaryCrossEntropyWithLogits';
  checkLoss(where, options, ['weight', 'positiveWeight']);
  const { logits: x, targets: y } = alike(where, { logits, targets });
  const { positiveWeight = 1 } = options;
  const positive = typeof positiveWeight === 'number' ? positiveWeight : asFloat(tensorValue(positiveWeight, where));
  return reduced(weighted(where, ofLogits(x, y, positive), options.weight), options);
}

export interface FocalOptions<R extends Reduction = Reduction> extends LossOptions<R> {
  /** Weight of positive targets; negative ones weigh 1 - alpha. Below 0: none. Default 0.25. */
  alpha?: number;
  /** How much easy samples are discounted. Default 2. */
  gamma?: number;
}

/**
 * Focal loss of sigmoid(logits) against targets in [0, 1] of their shape (Lin et al. 2017; torchvision's sigmoid_focal_loss):
 * alpha_t (1 - p_t)^gamma times the binary cross-entropy.
 */
export function sigmoidFocal<R extends Reduction = 'mean'>(logits: Tensor, targets: Tensor, options: FocalOptions<R> = {}): Reduced<R> {
  checkLoss('sigmoidFocal', options, ['alpha', 'gamma']);
  const { alpha = 0.25, gamma = 2 } = options;
  if (!(gamma >= 0)) throw new RangeError(`sigmoidFocal: gamma must not be negative, got ${gamma}.`);
  const { logits: x, targets: y } = alike('sigmoidFocal', { logits, targets });
  const missed = ops.add(ops.mul(y, ops.sigmoid(ops.neg(x))), ops.mul(ops.sub(1, y), ops.sigmoid(x))); // 1 - p_t, no digit lost
  const entropy = ofLogits(x, y);
  const loss = gamma === 0 ? entropy : ops.mul(entropy, ops.pow(missed, gamma));
  return reduced(alpha < 0 ? loss : ops.mul(loss, ops.add(ops.mul(y, 2 * alpha - 1), 1 - alpha)), options);
}

/** Mean over the classes (last axis) of the binary cross-entropies with logits: one loss a sample (PyTorch's MultiLabelSoftMarginLoss). */
export function multiLabelSoftMargin<R extends Reduction = 'mean'>(
  logits: Tensor,
  targets: Tensor,
  options: BinaryOptions<R> = {},
): Reduced<R> {
  checkLoss('multiLabelSoftMargin', options, ['weight']);
  const { logits: x, targets: y } = alike('multiLabelSoftMargin', { logits, targets });
  return reduced(ops.mean(weighted('multiLabelSoftMargin', ofLogits(x, y), options.weight), -1), options);
}
