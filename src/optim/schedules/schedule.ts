/**
 * Learning rate as a function of the step, counted from 0. Most schedules are pure functions, so that a resumed run meets the
 * same rates; a plain function of your own is one too. A schedule that follows a metric has `observe`, and a state to save.
 */
export interface Schedule {
  (step: number): number;
  /** Tells the schedule the metric that it follows, once an epoch or whenever it was measured. */
  readonly observe?: (value: number) => void;
  /** The numbers that the schedule remembers, for a checkpoint. */
  readonly snapshot?: () => readonly number[];
  /** Takes what `snapshot` gave. */
  readonly restore?: (state: readonly number[]) => void;
}

export function requireSteps(where: string, name: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`${where}: ${name} must be an integer of at least ${least}, got ${value}.`);
}

export function requireRate(where: string, name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0))
    throw new RangeError(`${where}: ${name} must be a finite number of at least 0, got ${value}.`);
}

export function requireFactor(where: string, name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${where}: ${name} must be a finite number above 0, got ${value}.`);
}

/** Half a cosine: `from` at part 0, `to` at part 1. */
export const cosineBetween = (from: number, to: number, part: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;
