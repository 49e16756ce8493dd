import { Dataset } from '../data/index.js';
import { checkOptions, PolluxError } from '../errors.js';
import type { Collected } from '../metrics/index.js';
import { Module } from '../nn/index.js';
import * as ops from '../ops/index.js';
import { Optimizer, OptimizerDescription, type WeightAverage } from '../optim/index.js';
import { evaluate, type Precision, resolveDevice, Tensor, wrap } from '../tensor/index.js';
import { withAverage } from './averaging.js';
import { readCheckpoint } from './checkpoints.js';
import { evaluateOn } from './evaluate.js';
import type { Figures, History } from './events.js';
import { type BatchData, type BatchTensors, type FieldData, takeFields, type TrainingData } from './fields.js';
import { fitModel } from './fit.js';
import { checkFitOptions, type FitOptions, loaderOptionsOf } from './fitOptions.js';
import { type Metric, type MetricName, metricsOf } from './metrics.js';
import { Programs, type StepResult } from './programs.js';
import { findLearningRate, type RateFinderOptions, type RateSweep } from './rateFinder.js';
import { FitRun } from './run.js';
import { Source } from './source.js';

interface CommonOptions<F extends string> {
  optimizer: OptimizerDescription | Optimizer;
  /**
   * By name: 'accuracy', 'top5Accuracy', 'mae', 'mse' are measured inside the step. 'f1', 'rocAuc' and the others of
   * `metrics.collect`, with options or without, are no means of batches: evaluations gather predictions for them. Of your own:
   * `{ name, sum }` or `{ name, takes, compute }`.
   */
  metrics?: readonly (MetricName | Metric | Collected)[];
  /**
   * Averages the weights as training goes on: `(model) => optim.ema(model, { decay: 0.999 })`. Validation, `evaluate` and `predict`
   * then take the averaged weights; `await trainer.average.swap()` puts them into the model for good.
   */
  average?: (model: Module) => WeightAverage;
  /** Fields of a batch that go into `model.forward`, in this order. Default ['x']. */
  inputs?: readonly F[];
  /** Field that loss and metrics compare with. Default 'y'. */
  target?: F;
  /** Default 'auto'. */
  device?: string;
  precision?: Precision;
  /** Name the first op that makes a NaN or an infinity, at the cost of speed. */
  debug?: boolean;
}

export interface LossOptions<F extends string = 'x' | 'y'> extends CommonOptions<F> {
  /** Gives a float32 scalar: `losses.crossEntropy`, or a function of your own. */
  loss: (output: Tensor, target: Tensor) => Tensor;
  step?: undefined;
}

export interface StepOptions<M extends Module = Module, F extends string = 'x' | 'y'> extends CommonOptions<F> {
  /**
   * The whole way from a batch to the loss, for several inputs, losses or parts of a model. It is traced like any compiled function,
   * for training and for evaluation. Annotate the batch to type the data: `(model, batch: { ids: Tensor; labels: Tensor }) => ...`.
   */
  step: (model: M, batch: BatchTensors<F>) => StepResult;
  loss?: undefined;
}

/** How to train: `optimizer` and either a `loss` or a `step` of your own. */
export type TrainerOptions<M extends Module = Module, F extends string = 'x' | 'y'> = LossOptions<F> | StepOptions<M, F>;

export interface EvaluateOptions {
  /** Samples of a dataset that go through at once. Default 256. */
  batchSize?: number;
  signal?: AbortSignal;
  /** Take the averaged weights, where the trainer has an `average`. Default true. */
  averaged?: boolean;
}

const optionNames = ['loss', 'step', 'optimizer', 'metrics', 'inputs', 'target', 'average', 'device', 'precision', 'debug'];
const evaluationBatch = 256;

/** Trains, evaluates and runs a model. The step is one compiled plan; the event loop stays free. */
export class Trainer<M extends Module = Module, F extends string = 'x' | 'y'> {
  readonly model: M;
  readonly optimizer: Optimizer;
  readonly device: string;
  /** What `average` made. */
  readonly average: WeightAverage | undefined;
  readonly #programs: Programs;

  constructor(model: M, options: TrainerOptions<M, F>) {
    checkOptions('Trainer', options, optionNames);
    const { loss, step, optimizer, metrics = [], inputs = ['x'], target = 'y', average, device, precision, debug } = options;
    if (!(model instanceof Module)) throw new TypeError('Trainer: the model must be an nn.Module, such as new nn.Sequential(...).');
    if ((typeof loss === 'function') === (typeof step === 'function'))
      throw new TypeError(
        'Trainer: needs loss, a function of output and target such as losses.crossEntropy, or step, a function of model and batch.',
      );
    if (!(optimizer instanceof OptimizerDescription || optimizer instanceof Optimizer))
      throw new TypeError('Trainer: optimizer must be optim.sgd(...), optim.adam(...) or the like.');
    if (!Array.isArray(inputs) || inputs.length === 0) throw new TypeError("Trainer: inputs must be a list of field names, such as ['x'].");
    this.model = model;
    this.optimizer = optimizer instanceof Optimizer ? optimizer : optimizer.for(model);
    this.device = resolveDevice(device);
    this.average = average?.(model);
    this.#programs = new Programs({
      model,
      optimizer: this.optimizer,
      average: this.average,
      inputs: inputs as readonly string[],
      target,
      loss,
      step: step as ((model: Module, batch: BatchTensors) => StepResult) | undefined,
      metrics: metricsOf(metrics),
      options: { device: this.device, precision, debug },
    });
  }

  /**
   * Trains for a number of epochs or steps. Begins at once; await the run for its history, or iterate over it for events.
   * @throws (through the run) NOT_FINITE, LABEL_OUT_OF_RANGE: the failed step, which the message names, changed nothing; ABORTED;
   *   CHECKPOINT_CORRUPT; IO_FAILED; whatever a callback throws.
   */
  fit(data: TrainingData<F>, options: FitOptions<F>): FitRun {
    checkFitOptions(options as FitOptions<string>);
    const { stepsPerEpoch, validation } = options;
    const { signal } = options;
    const source = new Source(data, { ...loaderOptionsOf(options as FitOptions<string>), stepsPerEpoch, signal });
    const held = validation && new Source(validation, { batchSize: evaluationBatch, signal });
    return new FitRun(
      (emit): Promise<History> =>
        fitModel({ programs: this.#programs, device: this.device, source, validation: held, options: options as FitOptions<string>, emit }),
    );
  }

  /** Loss and metrics over one pass of the data, in inference mode. */
  evaluate(data: TrainingData<F>, options: EvaluateOptions = {}): Promise<Figures> {
    checkOptions('evaluate', options, ['batchSize', 'signal', 'averaged']);
    const source = new Source(data, { batchSize: options.batchSize ?? evaluationBatch, signal: options.signal });
    return this.#averaged(options, () => evaluateOn(this.#programs, source, options.signal));
  }

  /** With the averaged weights in the model, if there are any; never under a step's feet. */
  #averaged<R>({ averaged = true }: EvaluateOptions, fn: () => Promise<R>): Promise<R> {
    if (!averaged || !this.average) return fn();
    if (this.#programs.training) {
      const message = 'Trainer: while a run is under way its averaged weights cannot be put in; ask for { averaged: false }, or wait.';
      return Promise.reject(new PolluxError('INVALID_ARGUMENT', message));
    }
    return withAverage(this.average, fn);
  }

  /**
   * Outputs of `model.forward` in inference mode: for one batch (an input, or an object with the input fields), or for all the
   * batches of data, in order.
   */
  async predict(data: FieldData | BatchData | TrainingData<never>, options: EvaluateOptions = {}): Promise<Tensor> {
    checkOptions('predict', options, ['batchSize', 'signal', 'averaged']);
    return this.#averaged(options, () => this.#predict(data, options));
  }

  async #predict(data: FieldData | BatchData | TrainingData<never>, options: EvaluateOptions): Promise<Tensor> {
    const { batchSize = evaluationBatch, signal } = options;
    const call = signal ? { signal } : {};
    const { inputs } = this.#programs.definition;
    if (data instanceof Tensor || isHost(data)) return this.#programs.predict([data], call);
    const one = (batch: unknown): Promise<Tensor> => this.#programs.predict(Object.values(takeFields(batch, inputs)), call);
    if (isBatch(data)) return one(data);
    const parts: Tensor[] = [];
    const source = new Source(data, { batchSize, signal });
    for await (const batch of source.epoch()) parts.push(await one(batch));
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

  /**
   * Sweeps the learning rate to find a good one (Smith 2017): see `RateSweep`. Model, optimizer and random numbers are afterwards as
   * they were, bit for bit.
   */
  findLearningRate(data: TrainingData<F>, options: RateFinderOptions = {}): Promise<RateSweep> {
    return findLearningRate(this.#programs, data, options);
  }

  /**
   * Puts model and optimizer back to the newest sound checkpoint of a folder, such as `run/best`. Resolves to its step, or to
   * undefined if the folder holds none.
   * @throws CHECKPOINT_CORRUPT, SHAPE_MISMATCH, IO_FAILED.
   */
  async restore(folder: string): Promise<number | undefined> {
    return (await readCheckpoint(folder, { model: this.model, optimizer: this.optimizer, average: this.average, callbacks: [] }))?.step;
  }

  /** The training step as a table; empty before the first step. */
  explain(): string {
    return this.#programs.explain();
  }
}

const isHost = (data: object): data is FieldData & object => 'data' in data && 'shape' in data && ArrayBuffer.isView(data.data);

/** An object of fields, not of batches. */
const isBatch = (data: object): data is BatchData =>
  typeof data === 'object' && !(data instanceof Dataset) && !(Symbol.asyncIterator in data) && !(Symbol.iterator in data);
