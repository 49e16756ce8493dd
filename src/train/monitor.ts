import { PolluxError } from '../errors.js';
import type { EpochEvent } from './events.js';

export interface MonitorOptions {
  /** A figure of training ('loss', 'accuracy') or of validation ('validation.loss'). Default: the loss of validation, if there is any. */
  monitor?: string;
  /** Whether lower or higher is better. Default: by the name of the figure; needed for a metric of your own. */
  mode?: 'min' | 'max';
}

const higher = /accuracy|precision|recall|\bf1\b|fBeta|jaccard|matthews|kappa|auc|r2|explainedVariance|pearson|spearman|bleu|chrf|rouge/i;
const lower = /loss|^r?mse$|mae|mape|error|brier|perplexity/i;

/** Follows one figure of the epochs and tells whether it got better. */
export class Monitor {
  readonly #where: string;
  readonly #options: MonitorOptions & { minDelta?: number };
  /** NaN before the first epoch. */
  best = Number.NaN;

  constructor(where: string, options: MonitorOptions & { minDelta?: number }) {
    this.#where = where;
    this.#options = options;
    const { mode, minDelta = 0 } = options;
    if (mode !== undefined && mode !== 'min' && mode !== 'max')
      throw new RangeError(`${where}: mode is 'min' or 'max', got '${String(mode)}'.`);
    if (!(minDelta >= 0)) throw new RangeError(`${where}: minDelta must not be negative, got ${minDelta}.`);
  }

  nameFor({ validation }: Pick<EpochEvent, 'validation'>): string {
    return this.#options.monitor ?? (validation ? 'validation.loss' : 'loss');
  }

  /** The figure of an epoch. @throws INVALID_ARGUMENT that lists the figures, if there is none of that name. */
  value(event: Pick<EpochEvent, 'figures' | 'validation'>): number {
    const name = this.nameFor(event);
    const found = name.startsWith('validation.') ? event.validation?.[name.slice('validation.'.length)] : event.figures[name];
    if (found !== undefined) return found;
    const names = [...Object.keys(event.figures), ...Object.keys(event.validation ?? {}).map((key) => `validation.${key}`)];
    throw new PolluxError('INVALID_ARGUMENT', `${this.#where}: there is no figure "${name}". Known: ${names.join(', ')}.`);
  }

  /** Takes the figure of an epoch: true if it is the best so far, by more than minDelta. NaN never is. */
  improved(event: Pick<EpochEvent, 'figures' | 'validation'>): boolean {
    const value = this.value(event);
    const { minDelta = 0 } = this.#options;
    const gain = this.#isHigher(this.nameFor(event)) ? value - this.best : this.best - value;
    const better = Number.isNaN(this.best) ? !Number.isNaN(value) : gain > minDelta;
    if (better) this.best = value;
    return better;
  }

  #isHigher(name: string): boolean {
    if (this.#options.mode) return this.#options.mode === 'max';
    const plain = name.replace(/^validation\./, '');
    // "hammingLoss" and "expectedCalibrationError" say so themselves; the word for an error comes first.
    if (lower.test(plain)) return false;
    if (higher.test(plain)) return true;
    throw new PolluxError('INVALID_ARGUMENT', `${this.#where}: is a higher or a lower "${name}" better? Say mode: 'max' or 'min'.`);
  }
}
