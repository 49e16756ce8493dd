import type { DataLoader } from '../data/index.js';
import { AbortError } from '../errors.js';
import type { Json } from '../io/index.js';
import type { HostData, Tensor } from '../tensor/index.js';
import { readCheckpoint, writeCheckpoint } from './checkpoints.js';
import type { EpochEvent, Figures, History, TrainEvent } from './events.js';
import { addResult, FigureSums } from './metrics.js';
import { ProgressBar } from './progress.js';
import type { FitOptions, Samples, StepFunction, Trainer } from './trainer.js';

export interface FitTask {
  readonly trainer: Trainer;
  readonly step: (x: HostData, y: HostData, signal: AbortSignal | undefined) => ReturnType<StepFunction>;
  readonly loader: DataLoader<Samples['schema']>;
  readonly options: FitOptions;
  readonly emit: (event: TrainEvent) => void;
}

/** A step that has been handed over and not awaited yet. */
interface InFlight {
  readonly samples: number;
  readonly learningRate: number;
  readonly result: ReturnType<StepFunction>;
}

type SavedRun = { sums: ReturnType<FigureSums['state']>; epochs: History['epochs'] };

/** The training loop: one step runs while the next batch is prepared and handed over. */
class Fit {
  readonly #task: FitTask;
  readonly #bar: ProgressBar | undefined;
  readonly #epochs: History['epochs'] = [];
  #sums = new FigureSums();
  #step = 0;
  #epochBegan = 0;
  /** Samples of this epoch that ran before a resume: they do not count in this process's speed. */
  #samplesBefore = 0;

  constructor(task: FitTask) {
    this.#task = task;
    const { progress = process.stderr.isTTY } = task.options;
    this.#bar = progress ? new ProgressBar({ unit: 'samples' }) : undefined;
  }

  async run(): Promise<History> {
    const { options } = this.#task;
    let epoch = await this.#resume();
    try {
      for (; epoch <= options.epochs; epoch++) await this.#epoch(epoch);
    } finally {
      this.#bar?.stop();
    }
    return { epochs: this.#epochs, steps: this.#step };
  }

  /** The epoch to begin with. */
  async #resume(): Promise<number> {
    const { options, trainer, loader, emit } = this.#task;
    if (!options.resume) return 1;
    const found = await readCheckpoint(options.checkpoint!.folder, trainer);
    if (!found) return 1;
    this.#step = found.step;
    const saved = found.extra as unknown as SavedRun;
    this.#sums.restore(saved.sums);
    this.#samplesBefore = this.#sums.samples;
    this.#epochs.push(...saved.epochs);
    loader.restore(found.loader);
    emit({ type: 'resume', step: found.step, path: found.path, skipped: found.skipped });
    for (const { path, reason } of found.skipped) this.#bar?.note(`checkpoint ${path} was passed over: ${reason}`);
    return saved.epochs.length + 1;
  }

  async #epoch(epoch: number): Promise<void> {
    const { options, trainer, loader, step } = this.#task;
    const { signal } = options;
    this.#epochBegan = performance.now();
    let before: InFlight | undefined;
    try {
      for await (const { x, y } of loader) {
        this.#refuseIfAborted(signal);
        trainer.optimizer.applySchedule(this.#step + (before ? 1 : 0));
        const { learningRate } = trainer.optimizer;
        const next: InFlight = { samples: x.shape[0]!, learningRate, result: step(x, y, signal) };
        // Whoever awaits the step meets its failure; until then it must not count as unhandled.
        next.result.catch(() => undefined);
        if (before) await this.#finish(before, epoch);
        before = next;
        if (this.#checkpointDue(this.#step + 1)) {
          await this.#finish(before, epoch);
          before = undefined;
          await this.#save();
        }
      }
      if (before) await this.#finish(before, epoch);
    } catch (error) {
      // Nothing may be left running behind the caller's back.
      await before?.result.catch(() => undefined);
      throw error;
    }
    await this.#endEpoch(epoch);
  }

  #refuseIfAborted(signal: AbortSignal | undefined): void {
    if (signal?.aborted)
      throw new AbortError(`Training was aborted after ${this.#step} steps; the model is as they left it.`, signal.reason);
  }

  async #finish({ samples, learningRate, result }: InFlight, epoch: number): Promise<void> {
    const { options, loader, emit } = this.#task;
    const done: { loss: Tensor; sums: Record<string, Tensor> } = await result;
    this.#step++;
    addResult(this.#sums, samples, done);
    const figures = this.#sums.means() as Figures;
    const samplesPerSecond = this.#rate();
    const stepsPerEpoch = loader.length;
    emit({
      type: 'step',
      epoch,
      step: this.#step,
      stepsPerEpoch,
      loss: done.loss.item(),
      figures,
      learningRate,
      samplesPerSecond,
    });
    const { loss, accuracy } = figures;
    this.#bar?.update({
      epoch,
      epochs: options.epochs,
      step: this.#step - (epoch - 1) * stepsPerEpoch,
      steps: stepsPerEpoch,
      loss,
      ...(accuracy !== undefined && { accuracy }),
      rate: samplesPerSecond,
    });
  }

  #rate(): number {
    return ((this.#sums.samples - this.#samplesBefore) * 1000) / Math.max(1e-3, performance.now() - this.#epochBegan);
  }

  #checkpointDue(step: number): boolean {
    const every = this.#task.options.checkpoint?.every;
    return every !== undefined && step % every === 0;
  }

  async #save(): Promise<void> {
    const { options, trainer, loader, emit } = this.#task;
    const saved: SavedRun = { sums: this.#sums.state(), epochs: this.#epochs };
    const position = { step: this.#step, loader: loader.state(), extra: JSON.parse(JSON.stringify(saved)) as Json };
    const path = await writeCheckpoint(options.checkpoint!, trainer, position, options.signal);
    emit({ type: 'checkpoint', step: this.#step, path });
  }

  async #endEpoch(epoch: number): Promise<void> {
    const { options, trainer, emit } = this.#task;
    const seconds = (performance.now() - this.#epochBegan) / 1000;
    const samplesPerSecond = this.#rate();
    const figures = this.#sums.means() as Figures;
    const validation =
      options.validation && (await trainer.evaluate(options.validation as Samples, options.signal ? { signal: options.signal } : {}));
    const record: Omit<EpochEvent, 'type'> = { epoch, figures, validation, seconds, samplesPerSecond };
    this.#epochs.push(record);
    this.#sums = new FigureSums();
    this.#samplesBefore = 0;
    emit({ type: 'epoch', ...record });
    this.#bar?.note(describeEpoch(record, options.epochs));
    if (options.checkpoint && options.checkpoint.every === undefined) await this.#save();
  }
}

const describeFigures = (figures: Figures): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${name === 'accuracy' ? `${(value * 100).toFixed(2)} %` : value.toFixed(4)}`)
    .join('  ');

const describeEpoch = ({ epoch, figures, validation, seconds, samplesPerSecond }: Omit<EpochEvent, 'type'>, epochs: number): string =>
  `epoch ${epoch}/${epochs}  ${describeFigures(figures)}${validation ? `  validation: ${describeFigures(validation)}` : ''}  ${seconds.toFixed(1)} s  ${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s`;

/** Runs the epochs of `Trainer.fit`. */
export const fitModel = (task: FitTask): Promise<History> => new Fit(task).run();
