import { checkOptions, PolluxError } from '../errors.js';
import { DataLoader, type Dataset, type LoaderOptions, type Schema } from '../data/index.js';
import { Module } from '../nn/index.js';
import { Optimizer, OptimizerDescription } from '../optim/index.js';
import { type Compiled, compile, evaluate, type HostData, type Precision, resolveDevice, Tensor, wrap } from '../tensor/index.js';
import * as ops from '../ops/index.js';
import type { CheckpointOptions } from './checkpoints.js';
import type { History } from './events.js';
import type { Figures } from './events.js';
import { fitModel } from './fit.js';
import { addResult, FigureSums, type Metric, metricOf } from './metrics.js';
import { FitRun } from './run.js';

export interface TrainerOptions {
  /** Gives a float32 scalar: `losses.crossEntropy`, or a function of your own. */
  loss: (output: Tensor, target: Tensor) => Tensor;
  optimizer: OptimizerDescription | Optimizer;
  /** Measured inside the step: 'accuracy', or { name, sum }. */
  metrics?: readonly (string | Metric)[];
  /** Default 'auto'. */
  device?: string;
  precision?: Precision;
  /** Name the first op that makes a NaN or an infinity, at the cost of speed. */
  debug?: boolean;
}

export interface FitOptions extends Pick<LoaderOptions, 'batchSize' | 'shuffle' | 'dropLast' | 'seed' | 'prefetch'> {
  epochs: number;
  /** Evaluated after each epoch. */
  validation?: Dataset;
  /** Stops after the step in flight; the model stays usable. The run rejects with AbortError. */
  signal?: AbortSignal;
  checkpoint?: CheckpointOptions;
  /** Go on from the newest sound checkpoint of `checkpoint.folder`, if there is one: with the same bits as without the break. */
  resume?: boolean;
  /** A bar on a terminal, plain lines in a log. Default: on a terminal only. */
  progress?: boolean;
}

export type StepFunction = Compiled<[x: Tensor, y: Tensor], { loss: Tensor; sums: Record<string, Tensor> }>;

/** Samples with an input `x` and a target `y`. */
export type Samples = Dataset<{ x: Schema[string]; y: Schema[string] }>;

const evaluationBatch = 256;

/** Trains, evaluates and runs a model. The step is one compiled plan; the event loop stays free. */
export class Trainer {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly device: string;
  readonly #loss: TrainerOptions['loss'];
  readonly #metrics: readonly Metric[];
  readonly #trainStep: StepFunction;
  readonly #evaluateStep: StepFunction;
  readonly #forward: Compiled<[x: Tensor], Tensor>;

  constructor(model: Module, options: TrainerOptions) {
    checkOptions('Trainer', options, ['loss', 'optimizer', 'metrics', 'device', 'precision', 'debug']);
    const { loss, optimizer, metrics = [], device, precision, debug } = options;
    if (!(model instanceof Module)) throw new TypeError('Trainer: the model must be an nn.Module, such as new nn.Sequential(...).');
    if (typeof loss !== 'function')
      throw new TypeError('Trainer: loss must be a function of output and target, such as losses.crossEntropy.');
    if (!(optimizer instanceof OptimizerDescription || optimizer instanceof Optimizer))
      throw new TypeError('Trainer: optimizer must be optim.sgd(...), optim.adam(...) or the like.');
    this.model = model;
    this.optimizer = optimizer instanceof Optimizer ? optimizer : optimizer.for(model);
    this.device = resolveDevice(device);
    this.#loss = loss;
    this.#metrics = metrics.map(metricOf);
    const common = { device: this.device, precision, debug };
    this.#trainStep = compile({ ...common, state: [this.model, this.optimizer] }, (x: Tensor, y: Tensor) => {
      const result = this.#measure(x, y);
      void this.optimizer.minimize(result.loss);
      return result;
    });
    this.#evaluateStep = compile({ ...common, state: [this.model] }, (x: Tensor, y: Tensor) => this.#measure(x, y));
    this.#forward = compile({ ...common, state: [this.model] }, (x: Tensor) => this.model.forward(x) as Tensor);
  }

  #measure(x: Tensor, y: Tensor): { loss: Tensor; sums: Record<string, Tensor> } {
    const output = this.model.forward(x) as Tensor;
    return { loss: this.#loss(output, y), sums: Object.fromEntries(this.#metrics.map((metric) => [metric.name, metric.sum(output, y)])) };
  }

  /**
   * Trains for a number of epochs. Begins at once; await the run for its history, or iterate over it for events.
   * @throws (through the run) NOT_FINITE, LABEL_OUT_OF_RANGE: the failed step changed nothing; ABORTED; CHECKPOINT_CORRUPT;
   *   IO_FAILED.
   */
  fit(data: Samples, options: FitOptions): FitRun {
    checkOptions('fit', options, [
      'epochs',
      'validation',
      'signal',
      'checkpoint',
      'resume',
      'progress',
      'batchSize',
      'shuffle',
      'dropLast',
      'seed',
      'prefetch',
    ]);
    const { epochs, batchSize = 32, shuffle = true, dropLast, seed, prefetch, resume, checkpoint } = options;
    if (!Number.isInteger(epochs) || epochs < 1) throw new RangeError(`fit: epochs must be an integer of at least 1, got ${epochs}.`);
    if (resume && !checkpoint)
      throw new PolluxError('INVALID_ARGUMENT', 'fit: resume needs a checkpoint folder: { checkpoint: { folder }, resume: true }.');
    if (checkpoint) checkOptions('fit.checkpoint', checkpoint, ['folder', 'every', 'keep']);
    const loader = new DataLoader(data, {
      batchSize,
      shuffle,
      ...(dropLast !== undefined && { dropLast }),
      ...(seed !== undefined && { seed }),
      ...(prefetch !== undefined && { prefetch }),
    });
    return new FitRun(
      (emit): Promise<History> => fitModel({ trainer: this, step: (x, y, signal) => this.#step(x, y, signal), loader, options, emit }),
    );
  }

  #step(x: HostData, y: HostData, signal: AbortSignal | undefined): ReturnType<StepFunction> {
    return this.model.inMode(true, () => this.#trainStep.run([x, y], signal ? { signal } : {}));
  }

  /** Loss and metrics over a dataset, in inference mode. */
  async evaluate(data: Samples, options: { batchSize?: number; signal?: AbortSignal } = {}): Promise<Figures> {
    checkOptions('evaluate', options, ['batchSize', 'signal']);
    const { batchSize = evaluationBatch, signal } = options;
    const sums = new FigureSums();
    for await (const { x, y } of new DataLoader(data, { batchSize, ...(signal && { signal }) })) {
      const result = await this.model.inMode(false, () => this.#evaluateStep.run([x, y], signal ? { signal } : {}));
      addResult(sums, x.shape[0], result);
    }
    return sums.means();
  }

  /** Outputs of the model in inference mode: for one batch, or for all of a dataset, in order. */
  async predict(
    data: Tensor | HostData | Dataset<{ x: Schema[string] }>,
    options: { batchSize?: number; signal?: AbortSignal } = {},
  ): Promise<Tensor> {
    checkOptions('predict', options, ['batchSize', 'signal']);
    const { batchSize = evaluationBatch, signal } = options;
    const call = signal ? { signal } : {};
    if (data instanceof Tensor || 'data' in data) return this.model.inMode(false, () => this.#forward.run([data as Tensor], call));
    const parts: Tensor[] = [];
    for await (const { x } of new DataLoader(data, { batchSize }))
      parts.push(await this.model.inMode(false, () => this.#forward.run([x as HostData as never], call)));
    const joined = wrap(
      ops.concat(
        parts.map((part) => part.value),
        0,
      ),
    );
    await evaluate(joined);
    for (const part of parts) if (parts.length > 1) part.dispose();
    return joined;
  }

  /** The training step as a table; empty before the first step. */
  explain(): string {
    return this.#trainStep.explain();
  }
}
