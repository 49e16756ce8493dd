import type { Floor } from './floors.js';
import type { Command } from './program.js';
import type { Precision } from './serve.js';

const node = [process.execPath, '--import', './scripts/typescript.js'];
const pollux = (file: string): Command => ({ program: 'pollux', command: [...node, `bench/programs/${file}.ts`] });

/** One line of the benchmark's table for each program: what is measured, and by whom. */
export interface Workload {
  readonly name: string;
  readonly what: string;
  readonly precisions: readonly Precision[];
  readonly pollux: Command;
  /** Peers that know this workload. */
  readonly peers: readonly ('pytorch' | 'tfjs')[];
  /** The least time that this machine could take: a loop that moves the same bytes or does the same arithmetic, and nothing else. */
  readonly floor?: Floor;
  /** Name of the time, where it is not a step's. */
  readonly unit?: string;
}

/** Optimizers whose update is one pass, by the arrays that they write: the parameters and their state. */
const written: Readonly<Record<string, number>> = {
  sgd: 1,
  momentum: 2,
  adam: 3,
  amsgrad: 4,
  nadam: 3,
  radam: 3,
  adamax: 3,
  rmsprop: 2,
  'rmsprop-centered': 4,
  adagrad: 2,
  adadelta: 3,
  rprop: 3,
  lion: 2,
  accumulate: 4,
  lookahead: 4,
  penalties: 4,
};

export const workloads: readonly Workload[] = [
  {
    name: 'mnist-cnn',
    what: 'training step: conv 32 3x3, relu, max pool 2, dense 64, relu, dense 10; batch 128; Adam',
    precisions: ['float32'],
    pollux: pollux('mnist-cnn'),
    peers: ['pytorch', 'tfjs'],
    floor: 'fma',
  },
  {
    name: 'transformer',
    what: 'training step: 4 causal layers of 256, 4 heads, 5,000 words; 16 sequences of 128; AdamW',
    precisions: ['float32'],
    pollux: pollux('transformer'),
    peers: ['pytorch'],
  },
  {
    name: 'recurrent',
    what: 'training step: embedding 128, LSTM 256, dense 5; 32 sequences of 100; Adam',
    precisions: ['float32'],
    pollux: pollux('recurrent'),
    peers: ['pytorch'],
  },
  {
    name: 'optimizer',
    what: 'AdamW update of 50 M parameters',
    precisions: ['float32'],
    pollux: pollux('optimizer'),
    peers: ['pytorch'],
    floor: { written: 3, millions: 50 },
  },
  ...Object.entries(written).map(
    ([name, count]): Workload => ({
      name: `optimizer/${name}`,
      what: `${name} update of 20 M parameters`,
      precisions: ['float32'],
      pollux: pollux('optimizer'),
      peers: [],
      floor: { written: count, millions: 20 },
    }),
  ),
  ...[
    ['handed-over', 'a plan without steps, handed to the executor and back'],
    ['empty-plan', 'a compiled function that does nothing; it runs on the calling thread'],
    ['two-op-plan', 'a plan of two operations on 16 numbers'],
    ['import', "import 'pollux' in a fresh process"],
    ['first-step', "the first mnist-cnn step of a fresh process, less a later one's time"],
  ].map(
    ([name, what]): Workload => ({ name: `overhead/${name}`, what: what!, precisions: ['float32'], pollux: pollux('overhead'), peers: [] }),
  ),
  ...[
    ['idle', 'delay of a 1 ms timer while nothing else runs'],
    ['training', 'delay of a 1 ms timer while mnist-cnn trains'],
  ].map(([name, what]): Workload => ({ name: `loop/${name}`, what: what!, precisions: ['float32'], pollux: pollux('loop'), peers: [] })),
];
