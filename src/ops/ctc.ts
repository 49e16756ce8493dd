// Connectionist temporal classification (Graves et al. 2006): the likelihood of a sequence of labels under all its alignments.
import { sameShape } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { withContext } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { maximum, minimum } from './binary.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { equal, greater, less, notEqual } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import type { Flow } from './define.js';
import { gradients } from './gradient.js';
import { takeAlong } from './indexing.js';
import { constant, detach, identity, iota } from './leaf.js';
import { logicalOr } from './logic.js';
import { pad, sliceAxis, stack } from './movement.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';
import { exp, log } from './unary.js';
import { where } from './where.js';

export type CtcAttributes = { readonly blank: number };

function requireCtc(op: string, x: Type, targets: Type, inputLengths: Type, targetLengths: Type, { blank }: CtcAttributes): Type {
  requireDtype(op, x, float, 'the log-probabilities');
  requireRank(op, x, 3, 'the log-probabilities', '[samples, steps, classes]');
  requireRank(op, targets, 2, 'the targets', '[samples, labels]');
  const [samples, , classes] = x.shape as [number, number, number];
  const operands = { 'the targets': targets, 'the input lengths': inputLengths, 'the target lengths': targetLengths };
  for (const [role, type] of Object.entries(operands)) {
    requireDtype(op, type, ['int32'], role);
    const shape = type === targets ? [samples, type.shape[1]!] : [samples];
    if (!sameShape(type.shape, shape))
      fail('SHAPE_MISMATCH', op, `${role} have shape ${showShape(type.shape)}, but ${samples} samples need ${showShape(shape)}`);
  }
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new RangeError(`${op}: blank must be one of the ${classes} classes, not ${blank}.`);
  return { shape: [samples], dtype: 'float32' };
}

/** ln of a sum of exponentials of three, which may all be -Infinity: then -Infinity, without a slope. */
function logSum(values: readonly Value[]): Value {
  const most = detach(values.reduce((a, b) => maximum(a, b)));
  const reached = greater(most, -Infinity);
  const shift = where(reached, most, 0);
  const total = values.map((x) => exp(sub(x, shift))).reduce((a, b) => add(a, b));
  return where(reached, add(log(where(reached, total, 1)), shift), constant(-Infinity, total.shape));
}

/** x [N, L] moved by some places to the right. */
function shifted(x: Value, places: number, fill: number): Value {
  const length = x.shape[1]!;
  if (places >= length) return constant(fill, x.shape);
  return pad(sliceAxis(x, 1, 0, length - places), [0, places], [0, 0], fill);
}

const flopsOf = (x: Type, targets: Type): number => 40 * x.shape[0]! * x.shape[1]! * (2 * targets.shape[1]! + 1);

export const ctcRecords = {
  ctc: defineRecord<CtcAttributes>({
    name: 'ctc',
    cost: 'contraction',
    reports: true,
    infer: ([x, targets, inputLengths, targetLengths], attributes) =>
      requireCtc('ctc', x, targets, inputLengths, targetLengths, attributes),
    gradient: ({ dy, inputs, attributes }): Flow => applyOne(ctcRecords.ctcGrad, [dy, ...inputs], attributes),
    decompose: ([x, targets, inputLengths, targetLengths], { blank }) => alignments(x, targets, inputLengths, targetLengths, blank),
    flops: ([x, targets]) => flopsOf(x, targets),
  }),
  ctcGrad: defineRecord<CtcAttributes>({
    name: 'ctcGrad',
    cost: 'contraction',
    reports: true,
    infer([dloss, x, targets, inputLengths, targetLengths], attributes) {
      const loss = requireCtc('ctcGrad', x, targets, inputLengths, targetLengths, attributes);
      if (!sameShape(dloss.shape, loss.shape))
        fail('SHAPE_MISMATCH', 'ctcGrad', `dloss has shape ${showShape(dloss.shape)}, not ${showShape(loss.shape)}`);
      return x;
    },
    decompose([dloss, x, targets, inputLengths, targetLengths], { blank }) {
      const own = identity(x);
      const loss = withContext({ stopped: false, region: 0 }, () => alignments(own, targets, inputLengths, targetLengths, blank));
      return gradients([loss], [dloss], [own])[0] ?? constant(0, x.shape);
    },
    flops: ([, x, targets]) => 3 * flopsOf(x, targets),
  }),
};

/** The forward recursion over the labels with blanks between them, step by step. */
function alignments(x: Value, targets: Value, inputLengths: Value, targetLengths: Value, blank: number): Value {
  const [samples, steps, classes] = x.shape as [number, number, number];
  const labels = targets.shape[1]!;
  const places = 2 * labels + 1;
  const column = (value: Value): Value => broadcast(reshape(value, [samples, 1]), [samples, places]);
  const none = constant(-Infinity, [samples, places]);
  const blanks = constant(blank, [samples, labels], 'int32');
  const lengths = minimum(maximum(targetLengths, 0), labels);
  const known = less(iota([samples, labels], 1), broadcast(reshape(lengths, [samples, 1]), [samples, labels]));
  // A negative index would count from the end; a negative label is wrong, so it is moved out of range on the other side.
  const label = where(less(targets, 0), constant(classes, targets.shape, 'int32'), targets);
  const between = stack([blanks, where(known, label, blanks)], 2);
  const path = pad(reshape(between, [samples, 2 * labels]), [0, 0], [0, 1], blank);
  const skips = notEqual(path, shifted(path, 2, blank));
  const place = iota([samples, places], 1);
  const last = mul(column(lengths), 2);
  const emitted = (t: number): Value => takeAlong(reshape(sliceAxis(x, 1, t, t + 1), [samples, classes]), path, 1);
  const ended = logicalOr(equal(place, last), equal(place, sub(last, 1)));
  // Before the first step only the place before the first blank is reached.
  let reached = where(equal(place, 0), constant(0, [samples, places]), none);
  for (let t = 0; t < steps; t++) {
    const before = shifted(reached, 1, -Infinity);
    const skipped = where(skips, shifted(reached, 2, -Infinity), none);
    const next = add(logSum([reached, before, skipped]), emitted(t));
    reached = where(greater(column(inputLengths), t), next, reached);
  }
  const final = where(ended, reached, none);
  const most = detach(columnMaximum(final));
  const fits = greater(most, -Infinity);
  const shift = where(fits, most, 0);
  const total = sum(exp(sub(final, broadcast(reshape(shift, [samples, 1]), [samples, places]))), 1);
  return where(fits, neg(add(log(where(fits, total, 1)), shift)), constant(Infinity, [samples]));
}

/** The maximum of each row, by elementwise steps: [N, L] -> [N]. */
const columnMaximum = (x: Value): Value =>
  Array.from({ length: x.shape[1]! }, (_, i) => reshape(sliceAxis(x, 1, i, i + 1), [x.shape[0]!])).reduce((a, b) => maximum(a, b));

/**
 * -ln of the probability that the alignments of each sample's labels have together.
 *
 * @param x float32 [samples, steps, classes]: logarithms of the probabilities of the classes at each step
 * @param targets int32 [samples, labels]; what lies beyond a sample's length is not read. A label outside the classes fails the run.
 * @param inputLengths int32 [samples]: steps of each sample that count, clamped to [0, steps]
 * @param targetLengths int32 [samples], clamped to [0, labels]
 * @param blank the class that stands for no label
 * @returns float32 [samples]; Infinity where no alignment fits, with a gradient of 0
 */
export const ctc = (x: Value, targets: Value, inputLengths: Value, targetLengths: Value, blank = 0): Value =>
  applyOne(ctcRecords.ctc, [x, targets, inputLengths, targetLengths], { blank });
