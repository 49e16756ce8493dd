/** Where training stands. Accuracy is left out if it is not measured. */
export interface ProgressState {
  /** Counts from 1. */
  epoch: number;
  epochs: number;
  /** Steps done in this epoch. */
  step: number;
  /** Steps of an epoch. */
  steps: number;
  loss: number;
  accuracy?: number;
  /** Samples per second over the last while. */
  rate: number;
}

export interface ProgressOptions {
  /** What it writes to. Default process.stderr. */
  stream?: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** What a sample is called. Default 'images'. */
  unit?: string;
  /** Milliseconds now; tests pass their own clock. */
  now?: () => number;
}

const redrawEvery = 100;
const linesPerEpoch = 4;

/**
 * Shows the progress of training. On a terminal one line is redrawn, ten times a second at most; in a log plain
 * lines appear, a few for each epoch.
 */
export class ProgressBar {
  readonly #stream: NonNullable<ProgressOptions['stream']>;
  readonly #unit: string;
  readonly #now: () => number;
  #drawn = Number.NEGATIVE_INFINITY;
  #quarter = 0;
  /** Clock and steps done at the first call, from which the time that is left follows. */
  #start: { time: number; done: number } | undefined;

  constructor({ stream = process.stderr, unit = 'images', now = performance.now.bind(performance) }: ProgressOptions = {}) {
    this.#stream = stream;
    this.#unit = unit;
    this.#now = now;
  }

  /** Tells where training stands; call it as often as you like. */
  update(state: ProgressState): void {
    const done = (state.epoch - 1) * state.steps + state.step;
    this.#start ??= { time: this.#now(), done };
    if (this.#stream.isTTY) {
      if (this.#now() - this.#drawn < redrawEvery) return;
      this.#drawn = this.#now();
      this.#redraw(`${bar(state)} ${describe(state, this.#unit)}${this.#timeLeft(done, state.epochs * state.steps)}`);
      return;
    }
    const quarter = Math.floor((done / state.steps) * linesPerEpoch);
    if (quarter === this.#quarter) return;
    this.#quarter = quarter;
    // The whole epoch has a line of its own: its note.
    if (quarter % linesPerEpoch !== 0)
      this.#stream.write(`${describe(state, this.#unit)}${this.#timeLeft(done, state.epochs * state.steps)}\n`);
  }

  #timeLeft(done: number, all: number): string {
    const { time, done: before } = this.#start!;
    if (done <= before) return '';
    return `  ${formatDuration(((this.#now() - time) / 1000) * ((all - done) / (done - before)))} left`;
  }

  /** Ends an epoch with a line that stays, such as `epoch 1/5  loss 0.12  validation accuracy 98.61 %  11.9 s`. */
  note(line: string): void {
    this.#stream.write(this.#stream.isTTY ? `\r\u001b[K${line}\n` : `${line}\n`);
    this.#drawn = Number.NEGATIVE_INFINITY;
  }

  /** Clears the redrawn line. */
  stop(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }

  #redraw(line: string): void {
    const width = Math.max(20, (this.#stream.columns ?? 100) - 1);
    this.#stream.write(`\r${line.length > width ? line.slice(0, width) : line}\u001b[K`);
  }
}

function bar({ step, steps }: ProgressState): string {
  const width = 20;
  const filled = Math.min(width, Math.floor((step / Math.max(1, steps)) * width));
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

function describe(state: ProgressState, unit: string): string {
  const { epoch, epochs, step, steps, loss, accuracy, rate } = state;
  const parts = [
    `epoch ${epoch}/${epochs}`,
    `step ${String(step).padStart(String(steps).length)}/${steps}`,
    `loss ${loss.toFixed(4)}`,
    ...(accuracy === undefined ? [] : [`accuracy ${(accuracy * 100).toFixed(2)} %`]),
    `${Math.round(rate).toLocaleString('en-US')} ${unit}/s`,
  ];
  return parts.join('  ');
}

/** A duration in words: 0.8 s, 42 s, 3 min 05 s, 2 h 10 min. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
