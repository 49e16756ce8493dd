import type { AttributesOf } from '../array.js';
import { given, real } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

interface Case {
  batch: number;
  steps: number;
  units: number;
  reverse?: boolean;
  lengths?: readonly number[];
}

const cases: Case[] = [
  { batch: 1, steps: 1, units: 1 },
  { batch: 2, steps: 3, units: 2 },
  { batch: 2, steps: 3, units: 2, reverse: true },
  { batch: 4, steps: 3, units: 2, lengths: [0, 1, 3, 2] },
  { batch: 4, steps: 3, units: 2, lengths: [2, 3, 0, 1], reverse: true },
  { batch: 2, steps: 2, units: 1, lengths: [0, 0] },
  { batch: 3, steps: 2, units: 1, lengths: [-1, 9, 1], reverse: true },
  { batch: 2, steps: 0, units: 3 },
  { batch: 0, steps: 2, units: 3 },
  { batch: 3, steps: 2, units: 19 },
];

/** Two short sequences of a layer wider than any panel, and rows that fill no tile. */
export const wideRecurrences: Case[] = [
  { batch: 21, steps: 2, units: 67, lengths: Array.from({ length: 21 }, (_, i) => (i + 1) % 3), reverse: true },
];

const lengthsOf = ({ batch, lengths }: Case): SampleInput[] => (lengths ? [given([batch], 'int32', lengths)] : []);
const sweepOf = ({ reverse = false }: Case) => ({ reverse });
/** Weights that keep a state in bounds, whatever the width. */
const weight = (gates: number, { units }: Case): SampleInput =>
  real([gates * units, units], -1 / Math.sqrt(Math.max(4, units)), 1 / Math.sqrt(Math.max(4, units)));
const state = ({ batch, units }: Case): SampleInput => real([batch, units], -0.9, 0.9);
const each = (width: number, { batch, steps, units }: Case, low = -2, high = 2): SampleInput =>
  real([batch, steps, width * units], low, high);

type Sweep = Sample<AttributesOf<'lstm'>>;
type Plain = Sample<AttributesOf<'rnn'>>;
const activations = ['tanh', 'relu'] as const;

/** Calls of every recurrent op for a list of cases. */
export const recurrentSamplesOf = (list: readonly Case[]): Samples<'lstm' | 'lstmGrad' | 'gru' | 'gruGrad' | 'rnn' | 'rnnGrad'> => ({
  lstm: list.map((c): Sweep => ({ inputs: [each(4, c), weight(4, c), state(c), state(c), ...lengthsOf(c)], attributes: sweepOf(c) })),
  lstmGrad: list.map(
    (c): Sweep => ({
      inputs: [each(1, c), state(c), state(c), each(4, c, 0.1, 0.9), each(1, c), weight(4, c), state(c), ...lengthsOf(c)],
      attributes: sweepOf(c),
    }),
  ),
  gru: list.map(
    (c): Sweep => ({
      inputs: [each(3, c), weight(3, c), real([c.units]), state(c), ...lengthsOf(c)],
      attributes: sweepOf(c),
    }),
  ),
  gruGrad: list.map(
    (c): Sweep => ({
      inputs: [each(1, c), state(c), each(3, c, 0.1, 0.9), each(1, c), each(1, c, -0.9, 0.9), weight(3, c), state(c), ...lengthsOf(c)],
      attributes: sweepOf(c),
    }),
  ),
  rnn: activations.flatMap((nonlinearity) =>
    list.map(
      (c): Plain => ({ inputs: [each(1, c), weight(1, c), state(c), ...lengthsOf(c)], attributes: { ...sweepOf(c), nonlinearity } }),
    ),
  ),
  rnnGrad: activations.flatMap((nonlinearity) =>
    list.map(
      (c): Plain => ({
        inputs: [each(1, c), state(c), each(1, c, -0.9, 0.9), weight(1, c), ...lengthsOf(c)],
        attributes: { ...sweepOf(c), nonlinearity },
      }),
    ),
  ),
});

export const recurrentSamples = recurrentSamplesOf(cases);
