import type { optimizerRecords } from '../../../src/ops/optimizerRules.js';
import { sizeOf } from '../../../src/graph/op.js';
import { given, real } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

const scalar = (x: number): SampleInput => given([], 'float32', [x]);
const sizes = [[1], [7], [3, 5], [0], [1031]];

/** Operands that a call takes besides parameter and gradient. */
interface Extras {
  /** Ranges of the slots; [-2, 2) unless said. */
  readonly slots: readonly (readonly [number, number])[];
  readonly step?: number;
  /** The rule's own numbers. */
  readonly own?: readonly number[];
  /** Whether the call updates; undefined: it does not accumulate. */
  readonly due?: boolean;
  readonly looks?: boolean;
}

const any = [-2, 2] as const;
const positive = [0.1, 2] as const;

const operands = (shape: readonly number[], { slots, step = 3, own = [], due, looks = false }: Extras): SampleInput[] => [
  ...[real(shape), real(shape), ...slots.map(([low, high]) => real(shape, low, high))],
  ...(due === undefined ? [] : [real(shape)]),
  ...(looks ? [real(shape)] : []),
  ...[scalar(0.05), scalar(step), scalar(0.5), ...own.map(scalar)],
  ...(due === undefined ? [] : [scalar(Number(due))]),
];

const call = <A>(attributes: A, extras: Extras, smooth = true): Sample<A>[] =>
  sizes.map((shape) => ({ inputs: operands(shape, extras), attributes, ...(smooth ? {} : { smooth }) }));
/** Where `step`, a sign or a maximum makes a kink. */
const rough = <A>(attributes: A, extras: Extras): Sample<A>[] => call(attributes, extras, false);

/** Kinks here and there, which few elements do not meet. */
const kinked = <A>(attributes: A, extras: Extras): Sample<A>[] =>
  call(attributes, extras).map((sample) => ({ ...sample, smooth: sizeOf(sample.inputs[0]!.shape) < 100 }));

const sgd = { momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 0 };
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weightDecay: 0 };
const rmsprop = { decay: 0.9, epsilon: 1e-3, momentum: 0, centered: false, weightDecay: 0 };
const rprop = { less: 0.5, more: 1.2, least: 0.15, most: 1.5, weightDecay: 0 };
const moments = [any, positive];

/** Every rule alone; every option with some rule; accumulation and lookahead with rules of no, one and three slots. */
export const optimizerSamples: Samples<keyof typeof optimizerRecords> = {
  sgdUpdate: [
    ...sizes.map((shape) => ({
      inputs: [real(shape), real(shape), real([0]), scalar(0.05), scalar(3), scalar(0.5)],
      attributes: { ...sgd, momentum: 0, weightDecay: 0.01 },
    })),
    ...[true, false].map((due) => ({
      inputs: [...[[7], [7], [0], [7]].map((shape) => real(shape)), ...[0.05, 3, 0.5, Number(due)].map(scalar)],
      attributes: { ...sgd, momentum: 0, accumulates: true },
      smooth: false,
    })),
    ...rough(sgd, { slots: [any], step: 1 }),
    ...call({ ...sgd, dampening: 0.1, weightDecay: 0.01 }, { slots: [any], step: 2 }),
    ...call({ ...sgd, nesterov: true }, { slots: [any], step: 5 }),
    ...rough({ ...sgd, clipValue: 0.3, l1: 0.1, weightDecay: 0.01 }, { slots: [any] }),
  ],
  adamUpdate: [
    ...call({ ...adam, decoupled: false }, { slots: moments, step: 1 }),
    ...call({ ...adam, weightDecay: 0.01, decoupled: false }, { slots: moments, step: 1000 }),
    ...call({ ...adam, weightDecay: 0.01, decoupled: true }, { slots: moments }),
    ...rough({ ...adam, weightDecay: 0.01, decoupled: true, amsgrad: true }, { slots: [...moments, positive] }),
    ...[true, false].flatMap((due) =>
      rough({ ...adam, decoupled: true, amsgrad: true, accumulates: true }, { slots: [...moments, positive], due }),
    ),
    ...[1, 2, 6].flatMap((step) => rough({ ...adam, decoupled: false, lookahead: 3, alpha: 0.4 }, { slots: moments, step, looks: true })),
    ...rough(
      { ...adam, decoupled: true, amsgrad: true, accumulates: true, lookahead: 3, alpha: 0.4, clipValue: 0.5, l1: 0.01, weightDecay: 0.1 },
      { slots: [...moments, positive], due: true, looks: true },
    ),
    ...rough({ ...adam, decoupled: true, accumulates: true, lookahead: 3, alpha: 0.4 }, { slots: moments, due: false, looks: true }),
  ],
  nadamUpdate: call({ ...adam, weightDecay: 0.01 }, { slots: moments, own: [0.02, 0.07] }),
  radamUpdate: [
    ...call({ ...adam, weightDecay: 0.01 }, { slots: moments, step: 9, own: [0.3] }),
    ...rough({ ...adam, weightDecay: 0.01 }, { slots: moments, step: 2, own: [0] }),
  ],
  adamaxUpdate: kinked({ ...adam, weightDecay: 0.01 }, { slots: moments }),
  lionUpdate: [
    ...kinked({ beta1: 0.9, beta2: 0.99, weightDecay: 0.1, decoupled: true }, { slots: [any] }),
    ...[true, false].flatMap((due) => rough({ beta1: 0.9, beta2: 0.99, weightDecay: 0, accumulates: true }, { slots: [any], due })),
  ],
  rmspropUpdate: [
    ...call({ ...rmsprop, weightDecay: 0.01 }, { slots: [positive] }),
    ...call({ ...rmsprop, momentum: 0.5 }, { slots: [positive, any] }),
    ...rough(
      { ...rmsprop, centered: true },
      {
        slots: [
          [5, 6],
          [-0.5, 0.5],
        ],
      },
    ),
    ...rough({ ...rmsprop, centered: true, momentum: 0.5 }, { slots: [[5, 6], [-0.5, 0.5], any] }),
  ],
  adagradUpdate: call({ epsilon: 1e-3, weightDecay: 0.01 }, { slots: [positive] }),
  adadeltaUpdate: call({ epsilon: 1e-3, decay: 0.9, weightDecay: 0.01 }, { slots: [positive, positive] }),
  rpropUpdate: [...rough(rprop, { slots: [any, positive], step: 1 }), ...kinked(rprop, { slots: [any, positive] })],
};
