import { writeAtomic } from '../io/atomic.js';
import { checkOptions } from '../errors.js';
import { plotLines } from '../plot/index.js';
import { generator } from '../tensor/index.js';
import type { Programs } from './programs.js';
import { Source } from './source.js';

export interface RateFinderOptions {
  /** First and last learning rate. Default 1e-7 and 10. */
  from?: number;
  to?: number;
  /** Steps of the sweep. Default 100. */
  steps?: number;
  batchSize?: number;
  /** Of the order of the data. Default 0. */
  seed?: number;
  /** Weight of the past in the running mean of the loss. Default 0.95. */
  smoothing?: number;
  /** Ends the sweep when the smoothed loss is this many times the lowest. Default 4. */
  divergence?: number;
  signal?: AbortSignal;
}

/** The loss while the learning rate rose exponentially. */
export class RateSweep {
  constructor(
    readonly rates: readonly number[],
    /** Smoothed: a running mean without the bias of its beginning. */
    readonly losses: readonly number[],
    /** Where the loss fell fastest against the logarithm of the rate; undefined if it never fell. */
    readonly suggestion: number | undefined,
  ) {}

  /** Draws loss against rate, the suggestion marked, as an SVG. @throws IO_FAILED. */
  async plot(file: string): Promise<void> {
    const svg = plotLines({
      title: 'Learning rate',
      x: { name: 'learning rate', logarithmic: true },
      y: { name: 'loss, smoothed' },
      lines: [{ name: 'loss', points: this.rates.map((rate, i) => ({ x: rate, y: this.losses[i]! })) }],
      ...(this.suggestion !== undefined && { marks: [{ x: this.suggestion, name: `suggestion ${this.suggestion.toPrecision(2)}` }] }),
    });
    await writeAtomic(file, [new TextEncoder().encode(svg)]);
  }
}

/** Batches left out at both ends of the search: there the mean still settles, or the loss already blows up. */
const skipFirst = 5;
const skipLast = 3;

export async function findLearningRate(programs: Programs, data: unknown, options: RateFinderOptions): Promise<RateSweep> {
  checkOptions('findLearningRate', options, ['from', 'to', 'steps', 'batchSize', 'seed', 'smoothing', 'divergence', 'signal']);
  const { from = 1e-7, to = 10, steps = 100, batchSize = 32, seed = 0, smoothing = 0.95, divergence = 4, signal } = options;
  if (!(from > 0 && to > from && Number.isFinite(to)))
    throw new RangeError(`findLearningRate: needs 0 < from < to, got ${from} and ${to}.`);
  if (!(Number.isInteger(steps) && steps >= 10))
    throw new RangeError(`findLearningRate: steps must be an integer of at least 10, got ${steps}.`);
  if (!(smoothing >= 0 && smoothing < 1)) throw new RangeError(`findLearningRate: smoothing must lie in [0, 1), got ${smoothing}.`);
  const { model, optimizer, average } = programs.definition;
  const source = new Source(data, { batchSize, shuffle: true, seed, stepsPerEpoch: steps });
  const before = {
    model: await model.snapshot(),
    optimizer: await optimizer.snapshot(),
    average: await average?.snapshot(),
    rates: [optimizer, ...optimizer.groups].map(({ learningRate }) => learningRate),
    random: { seed: generator.seed, step: generator.step },
  };
  const rates: number[] = [];
  const losses: number[] = [];
  try {
    let mean = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for await (const batch of source.epoch()) {
      const rate = from * (to / from) ** (rates.length / (steps - 1));
      optimizer.learningRate = rate;
      const loss = await lossOf(programs, batch, signal);
      mean = smoothing * mean + (1 - smoothing) * loss;
      const smoothed = mean / (1 - smoothing ** (rates.length + 1));
      if (!Number.isFinite(smoothed) || smoothed > divergence * lowest) break;
      rates.push(rate);
      losses.push(smoothed);
      lowest = Math.min(lowest, smoothed);
    }
  } finally {
    await source.close();
    model.loadStateDictionary(before.model);
    optimizer.restore(before.optimizer);
    if (before.average) average!.restore(before.average);
    // The numbers as they were asked for, 0.1 rather than its float32. The common rate first: groups may follow it.
    optimizer.learningRate = before.rates[0]!;
    optimizer.groups.forEach((group, i) => {
      group.learningRate = before.rates[i + 1]!;
    });
    Object.assign(generator, before.random);
  }
  return new RateSweep(rates, losses, steepest(rates, losses));
}

/** The loss of a step; a step that makes no finite number has diverged. */
async function lossOf(programs: Programs, batch: unknown, signal: AbortSignal | undefined): Promise<number> {
  try {
    return (await programs.train(programs.arguments(batch), signal ? { signal } : {})).loss;
  } catch (error) {
    if ((error as { code?: string }).code === 'NOT_FINITE') return Number.NaN;
    throw error;
  }
}

function steepest(rates: readonly number[], losses: readonly number[]): number | undefined {
  let best: number | undefined;
  let slope = 0;
  for (let i = skipFirst; i < rates.length - skipLast; i++) {
    // Rates are evenly spaced in the logarithm, so differences of the loss compare as they are.
    const here = losses[i + 1]! - losses[i - 1]!;
    if (here < slope) {
      slope = here;
      best = rates[i];
    }
  }
  return best;
}
