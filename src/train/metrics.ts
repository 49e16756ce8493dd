import { nearest, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import { type Collected, collect, type CollectedName, collectedNames } from '../metrics/index.js';
import type { Tensor } from '../tensor/index.js';

/** A figure that is measured inside the step: a sum over the samples of a batch, later divided by their number. */
export interface Metric {
  readonly name: string;
  /** A float32 scalar: the sum over the batch. */
  sum(output: Tensor, target: Tensor): Tensor;
}

/** A mean over all elements, times the samples of the batch, so that it adds up to a mean over all. */
const perElement = (values: Tensor): Tensor => {
  const samples = values.shape[0] ?? 1;
  return values.shape.length < 2 ? values.sum() : values.sum().mul(samples / values.size);
};

function requireClasses(name: string, output: Tensor, target: Tensor): void {
  if (output.shape.length === target.shape.length + 1) return;
  throw new PolluxError('SHAPE_MISMATCH', `${name}: outputs ${show(output)} need class indices one rank lower, got ${show(target)}.`);
}

/** Outputs in the shape of the targets: [N, 1] against [N]. */
export function aligned(name: string, output: Tensor, target: Tensor): Tensor {
  if (output.size === target.size) return output.reshape(target.shape);
  throw new PolluxError('SHAPE_MISMATCH', `${name}: outputs ${show(output)} do not fit targets ${show(target)}.`);
}

/** Predicted classes: the highest score, or, of one score a sample, whether it is above 0 (a logit). */
export function classesOf(output: Tensor, target: Tensor): Tensor {
  if (output.shape.length === target.shape.length + 1 && output.shape.at(-1) !== 1) return output.argmax(-1);
  return aligned('accuracy', output, target).greater(0).cast('int32');
}

function topK(k: number): Metric {
  const name = `top${k}Accuracy`;
  return {
    name,
    sum(output, target) {
      requireClasses(name, output, target);
      const truth = target.cast('int32').reshape([...target.shape, 1]);
      const own = output.takeAlong(truth as Tensor<readonly number[], 'int32'>, output.shape.length - 1);
      const above = output.greater(own).cast('float32').sum([-1]);
      return perElement(above.less(k).cast('float32'));
    },
  };
}

const known: Record<string, Metric> = {
  accuracy: {
    name: 'accuracy',
    sum(output, target) {
      if (output.size !== target.size) requireClasses('accuracy', output, target);
      return perElement(classesOf(output, target).equal(target.cast('int32')).cast('float32'));
    },
  },
  mse: { name: 'mse', sum: (output, target) => perElement(aligned('mse', output, target).sub(target.cast('float32')).square()) },
  mae: { name: 'mae', sum: (output, target) => perElement(aligned('mae', output, target).sub(target.cast('float32')).abs()) },
};

/** Names of metrics: measured inside the step, or over the whole of an evaluation. */
export type MetricName = 'accuracy' | 'mse' | 'mae' | `top${number}Accuracy` | CollectedName;

/** A metric by name, or the caller's own. Those that are no means of batches are gathered by evaluations alone. */
function metricOf(metric: string | Metric | Collected): Metric | Collected {
  if (typeof metric !== 'string') return metric;
  const k = Number(/^top(\d+)Accuracy$/.exec(metric)?.[1]);
  if (k >= 1) return topK(k);
  const found = known[metric];
  if (found) return found;
  if (collectedNames.includes(metric as CollectedName)) return collect(metric as 'accuracy');
  const names = [...Object.keys(known), 'top5Accuracy', ...collectedNames.filter((name) => !(name in known))];
  const near = nearest(metric, names);
  throw new PolluxError(
    'UNKNOWN_OPTION',
    `Trainer: unknown metric "${metric}"${near ? `; did you mean "${near}"?` : '.'} Known: ${names.join(', ')}; or pass { name, sum }.`,
  );
}

export const isCollected = (metric: Metric | Collected): metric is Collected => 'compute' in metric;

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

/** Metrics by what was asked for. @throws INVALID_ARGUMENT for a name that two figures would share. */
export function metricsOf(metrics: readonly (string | Metric | Collected)[]): (Metric | Collected)[] {
  const found = metrics.map(metricOf);
  const names = ['loss', ...found.map(({ name }) => name)];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return found;
  throw new PolluxError('INVALID_ARGUMENT', `Trainer: two figures would be called "${twice}"; give a metric another name.`);
}
