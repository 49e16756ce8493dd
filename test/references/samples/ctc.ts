import { given, real, type Sample, type Samples, whole } from './sample.js';

interface Case {
  readonly samples: number;
  readonly steps: number;
  readonly classes: number;
  readonly labels: number;
  readonly inputLengths: readonly number[];
  readonly targetLengths: readonly number[];
  readonly blank: number;
}

// Lengths of none, of all and beyond; a sample whose labels do not fit (3 labels in 2 steps) has an infinite loss.
const list: readonly Case[] = [
  { samples: 1, steps: 1, classes: 2, labels: 1, inputLengths: [1], targetLengths: [1], blank: 0 },
  { samples: 2, steps: 4, classes: 3, labels: 2, inputLengths: [4, 3], targetLengths: [2, 1], blank: 0 },
  { samples: 3, steps: 6, classes: 4, labels: 3, inputLengths: [6, 9, 5], targetLengths: [2, 0, 5], blank: 3 },
  { samples: 2, steps: 5, classes: 3, labels: 3, inputLengths: [2, 0], targetLengths: [3, 0], blank: 1 },
  { samples: 0, steps: 3, classes: 3, labels: 2, inputLengths: [], targetLengths: [], blank: 0 },
];

const lengths = (values: readonly number[]) => given([values.length], 'int32', values);
const operands = ({ samples, steps, classes, labels, inputLengths, targetLengths }: Case) => [
  real([samples, steps, classes], -3, -0.2),
  whole([samples, labels], 0, classes),
  lengths(inputLengths),
  lengths(targetLengths),
];

export const ctcSamples: Samples<'ctc' | 'ctcGrad'> = {
  // Differences of infinite losses are no numbers.
  ctc: list.map(
    (c): Sample<{ blank: number }> => ({ inputs: operands(c), attributes: { blank: c.blank }, smooth: c.targetLengths[0] !== 3 }),
  ),
  ctcGrad: list.map((c): Sample<{ blank: number }> => ({ inputs: [real([c.samples]), ...operands(c)], attributes: { blank: c.blank } })),
};
