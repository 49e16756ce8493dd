import { checkOptions } from '../../errors.js';
import { requireSteps, type Schedule } from './schedule.js';

/** The parts that a combined schedule passes a metric, and a saved state, on to. */
function stateOf(parts: readonly Schedule[]): object {
  if (!parts.some((part) => part.observe)) return {};
  return {
    observe(value: number): void {
      for (const part of parts) part.observe?.(value);
    },
    snapshot: (): number[] =>
      parts.flatMap((part) => {
        const state = part.snapshot?.() ?? [];
        return [state.length, ...state];
      }),
    restore(state: readonly number[]): void {
      let at = 0;
      for (const part of parts) {
        const length = state[at]!;
        part.restore?.(state.slice(at + 1, at + 1 + length));
        at += 1 + length;
      }
    },
  };
}

/**
 * One schedule after another, as PyTorch's SequentialLR: part i + 1 begins at milestone i, and counts its steps from there.
 * `chain([linear(...), cosine(...)], { milestones: [500] })`.
 */
export function chain(parts: readonly Schedule[], options: { milestones: readonly number[] }): Schedule {
  checkOptions('chain', options, ['milestones']);
  const { milestones } = options;
  if (!parts.length || milestones.length !== parts.length - 1)
    throw new RangeError(
      `chain: ${parts.length} schedules need ${Math.max(0, parts.length - 1)} milestones between them, got ${milestones.length}.`,
    );
  milestones.forEach((milestone, i) => {
    requireSteps('chain', 'a milestone', milestone, (milestones[i - 1] ?? 0) + 1);
  });
  const rate = (step: number): number => {
    const index = milestones.filter((milestone) => milestone <= step).length;
    return parts[index]!(step - (milestones[index - 1] ?? 0));
  };
  return Object.assign(rate, stateOf(parts));
}

/** A schedule times others, as PyTorch's ChainedScheduler: `multiply(constant(0.1), exponential({ rate: 1, factor: 0.99 }))`. */
export function multiply(...parts: readonly Schedule[]): Schedule {
  if (!parts.length) throw new RangeError('multiply: expected one schedule at least.');
  return Object.assign((step: number): number => parts.reduce((product, part) => product * part(step), 1), stateOf(parts));
}

/** Any schedule behind a linear warm-up: its first rate times (step + 1) / steps for `steps` steps, then the schedule from its step 0. */
export function warmup(schedule: Schedule, options: { steps: number }): Schedule {
  checkOptions('warmup', options, ['steps']);
  const { steps } = options;
  requireSteps('warmup', 'steps', steps);
  const rate = (step: number): number => (step < steps ? (schedule(0) * (step + 1)) / steps : schedule(step - steps));
  return Object.assign(rate, stateOf([schedule]));
}
