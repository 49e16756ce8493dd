import type { EpochEvent, Figures, StepEvent } from './events.js';
import type { FitOptions } from './fitOptions.js';
import { ProgressBar } from './progress.js';

export type EpochRecord = Omit<EpochEvent, 'type'>;

/** Tells a run's progress on the terminal or in a log. */
export class Reporter {
  readonly #bar: ProgressBar | undefined;
  readonly #epochs: number;
  /** Steps done when the epoch began. */
  #before = 0;
  #epoch = 0;

  constructor({ progress = process.stderr.isTTY, epochs, maxSteps }: FitOptions<string>, stepsPerEpoch: number | undefined) {
    this.#bar = progress ? new ProgressBar({ unit: 'samples' }) : undefined;
    this.#epochs = epochs ?? (stepsPerEpoch ? Math.ceil(maxSteps! / stepsPerEpoch) : 1);
  }

  step({ epoch, step, stepsPerEpoch, figures, samplesPerSecond }: StepEvent): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#before = stepsPerEpoch === undefined ? step - 1 : (epoch - 1) * stepsPerEpoch;
    }
    const { loss, accuracy } = figures;
    const done = step - this.#before;
    this.#bar?.update({
      epoch,
      epochs: this.#epochs,
      step: done,
      steps: stepsPerEpoch ?? done,
      loss,
      ...(accuracy !== undefined && { accuracy }),
      rate: samplesPerSecond,
    });
  }

  epoch(record: EpochRecord): void {
    this.#bar?.note(describeEpoch(record, this.#epochs));
  }

  note(line: string): void {
    this.#bar?.note(line);
  }

  stop(): void {
    this.#bar?.stop();
  }
}

const describeFigures = (figures: Figures): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${name === 'accuracy' ? `${(value * 100).toFixed(2)} %` : value.toFixed(4)}`)
    .join('  ');

const describeEpoch = ({ epoch, figures, validation, seconds, samplesPerSecond }: EpochRecord, epochs: number): string =>
  `epoch ${epoch}/${epochs}  ${describeFigures(figures)}${validation ? `  validation: ${describeFigures(validation)}` : ''}  ${seconds.toFixed(1)} s  ${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s`;
