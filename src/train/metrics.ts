import { nearest, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import type { Tensor } from '../tensor/index.js';

/** A figure that is measured inside the step: a sum over the samples of a batch, later divided by their number. */
export interface Metric {
  readonly name: string;
  /** A float32 scalar: the sum over the batch. */
  sum(output: Tensor, target: Tensor): Tensor;
}

const known: Record<string, Metric> = {
  accuracy: {
    name: 'accuracy',
    sum(output, target) {
      if (output.shape.length !== target.shape.length + 1) {
        throw new PolluxError(
          'SHAPE_MISMATCH',
          `accuracy: outputs ${show(output)} need class indices one rank lower, got ${show(target)}.`,
        );
      }
      return output.argmax(-1).equal(target.cast('int32')).cast('float32').sum();
    },
  },
};

/** A metric by name, or the caller's own. */
export function metricOf(metric: string | Metric): Metric {
  if (typeof metric !== 'string') return metric;
  const found = known[metric];
  if (found) return found;
  const near = nearest(metric, Object.keys(known));
  throw new PolluxError(
    'UNKNOWN_OPTION',
    `Trainer: unknown metric "${metric}"${near ? `; did you mean "${near}"?` : ''} Known: ${Object.keys(known).join(', ')}; or pass { name, sum }.`,
  );
}

/** Sums of loss and metrics over samples. */
export class FigureSums {
  #sums = new Map<string, number>();
  #samples = 0;

  get samples(): number {
    return this.#samples;
  }

  add(samples: number, meanLoss: number, sums: Record<string, number>): void {
    this.#samples += samples;
    this.#sums.set('loss', (this.#sums.get('loss') ?? 0) + meanLoss * samples);
    for (const [name, sum] of Object.entries(sums)) this.#sums.set(name, (this.#sums.get(name) ?? 0) + sum);
  }

  means(): { loss: number } & Record<string, number> {
    return { loss: Number.NaN, ...Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum / this.#samples])) };
  }

  /** For checkpoints: goes on where the sums stood. */
  state(): { samples: number; sums: Record<string, number> } {
    return { samples: this.#samples, sums: Object.fromEntries(this.#sums) };
  }

  restore(state: { samples: number; sums: Record<string, number> }): void {
    this.#samples = state.samples;
    this.#sums = new Map(Object.entries(state.sums));
  }
}

/** Adds what a step returned to the sums of an epoch. */
export function addResult(sums: FigureSums, samples: number, { loss, sums: found }: { loss: Tensor; sums: Record<string, Tensor> }): void {
  sums.add(samples, loss.item(), Object.fromEntries(Object.entries(found).map(([name, sum]) => [name, sum.item()])));
}
