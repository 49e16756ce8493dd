import type { Collected } from '../metrics/index.js';
import type { Module } from '../nn/index.js';
import type { Optimizer, WeightAverage } from '../optim/index.js';
import { type Compiled, compile, type Precision, type RunCallOptions, type StepMeasurement, Tensor } from '../tensor/index.js';
import { PolluxError } from '../errors.js';
import { type BatchArguments, type BatchTensors, fieldsOf, samplesOf, takeFields } from './fields.js';
import { aligned, classesOf, type FigureSums, isCollected, type Metric } from './metrics.js';

/** What a step of the caller's own returns. */
export interface StepResult {
  /** A float32 scalar: what is minimised. */
  loss: Tensor;
  /** What the metrics look at, and the target that they compare it with. Default target: the batch's target field. */
  output?: Tensor;
  target?: Tensor;
  /** Further figures by name: scalars, each the mean over the batch. */
  figures?: Readonly<Record<string, Tensor>>;
}

/** How a batch becomes a loss. */
export interface Definition {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly average: WeightAverage | undefined;
  readonly inputs: readonly string[];
  readonly target: string;
  readonly loss: ((output: Tensor, target: Tensor) => Tensor) | undefined;
  readonly step: ((model: Module, batch: BatchTensors) => StepResult) | undefined;
  readonly metrics: readonly (Metric | Collected)[];
  readonly options: { device: string; precision?: Precision | undefined; debug?: boolean | undefined };
}

interface Measured {
  readonly loss: Tensor;
  /** Sums over the batch. */
  readonly sums: Record<string, Tensor>;
  /** What metrics over the whole data need of this batch; empty in training. */
  readonly gathered: Record<string, Tensor>;
}

type Step = Compiled<[batch: BatchTensors], Measured>;

/** The figures of one batch as numbers. */
export interface BatchFigures {
  readonly samples: number;
  readonly loss: number;
  readonly sums: Record<string, number>;
  readonly gathered: Record<string, Tensor>;
}

/** The compiled functions of a trainer: one plan each for a training step, an evaluation and a prediction. */
export class Programs {
  readonly definition: Definition;
  readonly collected: readonly Collected[];
  /** A run of training is under way. */
  training = false;
  readonly #train: Step;
  readonly #evaluate: Step;
  readonly #forward: Compiled<[inputs: readonly Tensor[]], Tensor>;

  constructor(definition: Definition) {
    const { model, optimizer, average, inputs, options } = definition;
    this.definition = definition;
    this.collected = definition.metrics.filter(isCollected);
    this.#train = compile({ ...options, state: [model, optimizer, ...(average ? [average] : [])] }, (batch: BatchTensors): Measured => {
      const { output: _, ...result } = this.#measure(batch);
      void optimizer.minimize(result.loss);
      void average?.update();
      return { ...result, gathered: {} };
    });
    this.#evaluate = compile({ ...options, state: [model] }, (batch: BatchTensors): Measured => {
      const { output, ...result } = this.#measure(batch);
      return { ...result, gathered: output ? this.#gather(output.output, output.target) : {} };
    });
    this.#forward = compile({ ...options, state: [model] }, (list: readonly Tensor[]) => {
      if (list.length !== inputs.length)
        throw new PolluxError('INVALID_ARGUMENT', `Trainer: predict got ${list.length} inputs, the model takes ${inputs.join(', ')}.`);
      return model.forward(...list) as Tensor;
    });
  }

  /** Loss and sums of a batch; names its output if metrics need it. */
  #measure(batch: BatchTensors): Omit<Measured, 'gathered'> & { output: { output: Tensor; target: Tensor } | undefined } {
    const { model, inputs, target, loss, step, metrics } = this.definition;
    let result: StepResult;
    if (step) {
      result = step(model, batch);
      if (!(result?.loss instanceof Tensor)) throw new TypeError('Trainer: step must return { loss } with a scalar tensor, at once.');
    } else {
      const output = model.forward(...inputs.map((name) => batch[name]!)) as Tensor;
      result = { loss: loss!(output, batch[target]!), output };
      if (!(result.loss instanceof Tensor))
        throw new TypeError(`Trainer: loss must return a scalar tensor, at once, but gave ${typeof result.loss}.`);
    }
    const sums: Record<string, Tensor> = {};
    const samples = samplesOf(batch);
    for (const [name, figure] of Object.entries(result.figures ?? {})) sums[name] = figure.mul(samples);
    const output = metrics.length ? this.#compared(result, batch) : undefined;
    for (const metric of metrics) if (!isCollected(metric)) sums[metric.name] = summed(metric, output!.output, output!.target);
    return { loss: result.loss, sums, output };
  }

  #compared({ output, target = undefined }: StepResult, batch: BatchTensors): { output: Tensor; target: Tensor } {
    const truth = target ?? batch[this.definition.target];
    if (output && truth) return { output, target: truth };
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `Trainer: metrics need ${output ? `a target: return it from step, or name its field with { target }` : 'an output: return { loss, output } from step'}.`,
    );
  }

  #gather(output: Tensor, target: Tensor): Record<string, Tensor> {
    const kinds = new Set(this.collected.map(({ takes }) => takes));
    if (!kinds.size) return {};
    const rows = output.shape.length === target.shape.length + 1 && output.shape.at(-1) !== 1;
    return {
      target: target.reshape([target.size]),
      ...(kinds.has('classes') && { classes: classesOf(output, target).reshape([target.size]) }),
      ...(kinds.has('probabilities') && {
        probabilities: rows
          ? output.softmax(-1).reshape([target.size, output.shape.at(-1)!])
          : aligned('probabilities', output, target).sigmoid().reshape([target.size]),
      }),
      ...(kinds.has('outputs') && { outputs: rows ? output : aligned('outputs', output, target).reshape([target.size]) }),
    };
  }

  /** The fields that the step takes of a batch. */
  arguments(batch: unknown): BatchArguments {
    const { inputs, target, step } = this.definition;
    return step ? fieldsOf(batch) : takeFields(batch, [...inputs, target]);
  }

  /** Hands a training step over. */
  train(batch: BatchArguments, options: RunCallOptions): Promise<BatchFigures> {
    return this.definition.model.inMode(true, () => this.#train.run([batch], options)).then((found) => figuresOf(batch, found));
  }

  /** A training step with the time of each of its parts. */
  async measure(batch: BatchArguments, options: RunCallOptions): Promise<{ figures: BatchFigures; parts: StepMeasurement[] }> {
    const { value, parts } = await this.definition.model.inMode(true, () => this.#train.measure([batch], options));
    return { figures: figuresOf(batch, value), parts };
  }

  evaluate(batch: BatchArguments, options: RunCallOptions): Promise<BatchFigures> {
    return this.definition.model.inMode(false, () => this.#evaluate.run([batch], options)).then((found) => figuresOf(batch, found));
  }

  predict(inputs: BatchArguments[string][], options: RunCallOptions): Promise<Tensor> {
    return this.definition.model.inMode(false, () => this.#forward.run([inputs], options));
  }

  explain(): string {
    return this.#train.explain();
  }
}

/** The sum that a metric gives of a batch. */
function summed({ name, sum }: Metric, output: Tensor, target: Tensor): Tensor {
  const found = sum(output, target);
  if (found instanceof Tensor && found.size === 1) return found;
  const what = found instanceof Tensor ? `${found.dtype}[${found.shape.join(', ')}]` : typeof found;
  throw new TypeError(`Trainer: the metric "${name}" must give one number, the sum over the batch, as a tensor; it gave ${what}.`);
}

const figuresOf = (batch: BatchArguments, { loss, sums, gathered }: Measured): BatchFigures => ({
  samples: samplesOf(batch),
  loss: loss.item(),
  sums: Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum.item()])),
  gathered,
});

export const addFigures = (into: FigureSums, { samples, loss, sums }: BatchFigures): void => into.add(samples, loss, sums);
