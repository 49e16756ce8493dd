import { AbortError } from '../errors.js';
import type { Json } from '../io/index.js';
import type { StepMeasurement } from '../tensor/index.js';
import { abortable } from './abortable.js';
import type { Callback, RunContext } from './callback.js';
import { averagePrefix, withAverage } from './averaging.js';
import { bestFolder, readCheckpoint, type Trained, under, writeCheckpoint } from './checkpoints.js';
import { evaluateOn } from './evaluate.js';
import type { CheckpointEvent, EpochEvent, Figures, History, TrainEvent } from './events.js';
import type { FitOptions } from './fitOptions.js';
import { FigureSums } from './metrics.js';
import { Monitor } from './monitor.js';
import { profileReport } from './profile.js';
import { addFigures, type BatchFigures, type Programs } from './programs.js';
import { type EpochRecord, Reporter } from './reporter.js';
import type { Source, SourceState } from './source.js';

export interface FitTask {
  readonly programs: Programs;
  readonly device: string;
  readonly source: Source;
  readonly validation: Source | undefined;
  readonly options: FitOptions<string>;
  readonly emit: (event: TrainEvent) => void;
}

/** A step that has been handed over and not awaited yet. */
interface InFlight {
  readonly learningRate: number;
  readonly result: Promise<BatchFigures>;
}

/** What checkpoints hold of the run itself. */
interface SavedRun {
  sums: ReturnType<FigureSums['state']>;
  epochs: EpochRecord[];
  source: SourceState;
  /** The epoch was over. */
  finished: boolean;
  stopped?: string | undefined;
  best?: number | null;
}

/** The training loop: one step runs while the next batch is prepared and handed over. */
class Fit {
  readonly #task: FitTask;
  readonly #options: FitOptions<string>;
  readonly #trained: Trained;
  readonly #reporter: Reporter;
  readonly #callbacks: readonly Callback[];
  readonly #context: RunContext;
  readonly #history: History = { epochs: [], steps: 0 };
  readonly #best: Monitor | undefined;
  readonly #profiled: (readonly StepMeasurement[])[] = [];
  #sums = new FigureSums();
  #epoch = 1;
  #epochBegan = 0;
  /** Samples of this epoch that ran before a resume: they do not count in this process's speed. */
  #samplesBefore = 0;

  constructor(task: FitTask) {
    const { options, programs, device } = task;
    const { model, optimizer, average } = programs.definition;
    this.#task = task;
    this.#options = options;
    this.#callbacks = options.callbacks ?? [];
    this.#trained = { model, optimizer, average, device, callbacks: this.#callbacks };
    this.#reporter = new Reporter(options, task.source.length);
    const best = options.checkpoint?.best;
    this.#best = best ? new Monitor('fit.checkpoint.best', best === true ? {} : best) : undefined;
    const fit = this;
    this.#context = {
      model,
      optimizer,
      get epoch() {
        return fit.#epoch;
      },
      get step() {
        return fit.#history.steps;
      },
      history: this.#history,
      async snapshot() {
        const averages = [...((await average?.snapshot()) ?? [])].map(([path, tensor]) => [averagePrefix + path, tensor] as const);
        return new Map([...(await model.snapshot()), ...averages]);
      },
      restore(weights) {
        model.loadStateDictionary(new Map([...weights].filter(([path]) => !path.startsWith(averagePrefix))));
        average?.restore(under(averagePrefix, weights));
      },
      stop(reason) {
        fit.#history.stopped ??= reason;
      },
    };
  }

  async run(): Promise<History> {
    const { programs } = this.#task;
    let failure: { error: unknown } | undefined;
    programs.training = true;
    try {
      await this.#resume();
      for (const callback of this.#callbacks) await this.#heard(callback.onFitStart?.(this.#context));
      const { epochs = Number.POSITIVE_INFINITY } = this.#options;
      for (; this.#epoch <= epochs && !this.#over; this.#epoch++) await this.#runEpoch();
    } catch (error) {
      failure = { error };
    }
    programs.training = false;
    await this.#end(failure);
    return this.#history;
  }

  get #over(): boolean {
    return this.#history.stopped !== undefined || this.#history.steps >= (this.#options.maxSteps ?? Number.POSITIVE_INFINITY);
  }

  /** Lets every callback and the data end, and throws what went wrong first. */
  async #end(failure: { error: unknown } | undefined): Promise<void> {
    this.#reporter.stop();
    for (const callback of this.#callbacks) {
      try {
        await callback.onFitEnd?.(this.#context, failure?.error);
      } catch (error) {
        failure ??= { error };
      }
    }
    await this.#task.source.close().catch((error: unknown) => {
      failure ??= { error };
    });
    if (failure) throw failure.error;
  }

  async #resume(): Promise<void> {
    const { source, emit } = this.#task;
    if (!this.#options.resume) return;
    const found = await readCheckpoint(this.#options.checkpoint!.folder, this.#trained);
    if (!found) return;
    const saved = found.extra as unknown as SavedRun;
    this.#history.steps = found.step;
    this.#history.epochs.push(...saved.epochs.map(withNaN));
    if (saved.stopped !== undefined) this.#history.stopped = saved.stopped;
    if (this.#best) this.#best.best = saved.best ?? Number.NaN;
    this.#sums.restore(saved.sums);
    this.#samplesBefore = this.#sums.samples;
    this.#epoch = saved.epochs.length + 1;
    await source.restore(saved.source, saved.finished);
    emit({ type: 'resume', step: found.step, path: found.path, skipped: found.skipped });
    for (const { path, reason } of found.skipped) this.#reporter.note(`checkpoint ${path} was passed over: ${reason}`);
  }

  async #runEpoch(): Promise<void> {
    const { source, programs } = this.#task;
    const { optimizer } = this.#trained;
    for (const callback of this.#callbacks) await this.#heard(callback.onEpochStart?.(this.#context));
    this.#epochBegan = performance.now();
    let before: InFlight | undefined;
    let next: InFlight | undefined;
    try {
      for await (const batch of source.epoch()) {
        this.#refuseIfAborted();
        const handed = this.#history.steps + (before ? 1 : 0);
        optimizer.applySchedule(handed);
        next = { learningRate: optimizer.learningRate, result: this.#start(programs.arguments(batch), handed + 1) };
        // Whoever awaits the step meets its failure; until then it must not count as unhandled.
        next.result.catch(() => undefined);
        if (before) await this.#finish(before);
        before = next;
        if (this.#checkpointDue(this.#history.steps + 1)) {
          await this.#finish(before);
          before = undefined;
          await this.#save(false);
        }
        if (this.#history.stopped !== undefined || handed + 1 >= (this.#options.maxSteps ?? Number.POSITIVE_INFINITY)) break;
      }
      if (before) await this.#finish(before);
    } catch (error) {
      // Nothing may be left running behind the caller's back.
      await Promise.allSettled([before?.result, next?.result]);
      throw error;
    }
    await this.#endEpoch();
  }

  /** Hands a step over; those that are to be profiled are measured. */
  #start(batch: Parameters<Programs['train']>[0], step: number): Promise<BatchFigures> {
    const { programs } = this.#task;
    const { signal, profile } = this.#options;
    const call = signal ? { signal } : {};
    if (!profile || step < profile.steps[0] || step > profile.steps[1]) return programs.train(batch, call);
    return programs.measure(batch, call).then(({ figures, parts }) => {
      this.#profiled.push(parts);
      if (step === profile.steps[1]) this.#reportProfile();
      return figures;
    });
  }

  #reportProfile(): void {
    const report = profileReport(this.#profiled);
    this.#history.profile = report;
    this.#task.emit({ type: 'profile', report });
  }

  #refuseIfAborted(): void {
    const { signal } = this.#options;
    if (signal?.aborted)
      throw new AbortError(`Training was aborted after ${this.#history.steps} steps; the model is as they left it.`, signal.reason);
  }

  async #finish({ learningRate, result }: InFlight): Promise<void> {
    let done: BatchFigures;
    try {
      done = await result;
    } catch (error) {
      throw placed(error, this.#epoch, this.#history.steps + 1);
    }
    const step = ++this.#history.steps;
    addFigures(this.#sums, done);
    const event = {
      type: 'step',
      epoch: this.#epoch,
      step,
      stepsPerEpoch: this.#task.source.length,
      loss: done.loss,
      figures: this.#sums.means() as Figures,
      learningRate,
      samplesPerSecond: this.#rate(),
    } as const;
    this.#task.emit(event);
    this.#reporter.step(event);
    for (const callback of this.#callbacks) {
      // Declared synchronous, but an async function fits the type: its rejection must not get lost, nor end the process.
      const answer: unknown = callback.onStep?.(event, this.#context);
      if (answer) await this.#heard(answer);
    }
  }

  /** Waits for a callback, or for the signal. */
  #heard<T>(answer: T): Promise<T> {
    return abortable(answer, this.#options.signal, `Training, which waited for a callback after ${this.#history.steps} steps,`);
  }

  #rate(): number {
    return ((this.#sums.samples - this.#samplesBefore) * 1000) / Math.max(1e-3, performance.now() - this.#epochBegan);
  }

  #checkpointDue(step: number): boolean {
    const every = this.#options.checkpoint?.every;
    return every !== undefined && step % every === 0;
  }

  async #save(finished: boolean, best = false): Promise<void> {
    const { checkpoint, signal } = this.#options;
    const { source, emit } = this.#task;
    const saved: SavedRun = {
      sums: this.#sums.state(),
      epochs: this.#history.epochs,
      source: source.state(),
      finished,
      stopped: this.#history.stopped,
      ...(this.#best && { best: this.#best.best }),
    };
    const position = { step: this.#history.steps, loader: source.loaderState(this.#epoch - 1), extra: saved as unknown as Json };
    const { folder, keep = 3 } = checkpoint!;
    const path = await writeCheckpoint(best ? { folder: bestFolder(folder), keep: 1 } : { folder, keep }, this.#trained, position, signal);
    const event: CheckpointEvent = { type: 'checkpoint', step: this.#history.steps, path, best };
    emit(event);
    for (const callback of this.#callbacks) await this.#heard(callback.onCheckpoint?.(event, this.#context));
  }

  async #endEpoch(): Promise<void> {
    const { emit } = this.#task;
    const { optimizer } = this.#trained;
    const seconds = (performance.now() - this.#epochBegan) / 1000;
    const samplesPerSecond = this.#rate();
    const figures = this.#sums.means() as Figures;
    const validation = await this.#validate();
    const record: EpochRecord = {
      epoch: this.#epoch,
      step: this.#history.steps,
      figures,
      validation,
      learningRate: optimizer.learningRate,
      seconds,
      samplesPerSecond,
    };
    const event: EpochEvent = { type: 'epoch', ...record };
    this.#history.epochs.push(record);
    this.#sums = new FigureSums();
    this.#samplesBefore = 0;
    const { observe } = this.#options;
    // A schedule over the loss of validation waits where an epoch had none.
    if (validation || !this.#task.validation)
      optimizer.observe(new Monitor('fit.observe', observe ? { monitor: observe } : {}).value(event));
    emit(event);
    this.#reporter.epoch(record);
    for (const callback of this.#callbacks) await this.#heard(callback.onEpochEnd?.(event, this.#context));
    await this.#saveAtEnd(event);
  }

  async #validate(): Promise<Figures | undefined> {
    const { validation, programs } = this.#task;
    const { validateEvery = 1, signal } = this.#options;
    if (!validation || this.#epoch % validateEvery !== 0) return undefined;
    validation.rewind();
    const figures = await withAverage(this.#trained.average, () => evaluateOn(programs, validation, signal));
    for (const callback of this.#callbacks) await this.#heard(callback.onEvaluate?.(figures, this.#context));
    return figures;
  }

  async #saveAtEnd(event: EpochEvent): Promise<void> {
    const { checkpoint } = this.#options;
    if (!checkpoint) return;
    const { every, everyEpochs = every === undefined ? 1 : undefined } = checkpoint;
    const better = (event.validation || !this.#task.validation) && this.#best?.improved(event);
    if (better) await this.#save(true, true);
    if (everyEpochs !== undefined && this.#epoch % everyEpochs === 0) await this.#save(true);
  }
}

/** Figures that were no finite numbers went through JSON as null. */
function withNaN(record: EpochRecord): EpochRecord {
  const mend = (figures: Figures): Figures =>
    Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, value ?? Number.NaN])) as Figures;
  return { ...record, figures: mend(record.figures), validation: record.validation && mend(record.validation) };
}

/** Says in the error itself which step failed, so that its class, code and stack stay what they are. */
function placed(error: unknown, epoch: number, step: number): unknown {
  if (!(error instanceof Error) || error instanceof AbortError) return error;
  const plain = error.message;
  error.message = `Epoch ${epoch}, step ${step}: ${plain}`;
  if (error.stack?.includes(plain)) error.stack = error.stack.replace(plain, () => error.message);
  return error;
}

/** Runs the epochs of `Trainer.fit`. */
export const fitModel = (task: FitTask): Promise<History> => new Fit(task).run();
