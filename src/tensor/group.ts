import { PolluxError } from '../errors.js';
import { acknowledge } from '../runtime/index.js';

/**
 * Steps on the same state. When one fails, the runtime skips those already queued behind it until they have all come back:
 * they were built on values that the failed step never wrote.
 */
export class Group {
  static #last = 0;
  readonly id = ++Group.#last;
  /** The latest call that waits for its plan or its data; calls behind it wait for it. */
  turn: Promise<void> | undefined;
  #inFlight = 0;
  #cause: Promise<unknown> | undefined;
  #cleared: Promise<void> | undefined;
  #clear: (() => void) | undefined;

  /** Set while a failure is being cleared away: new steps wait for it. */
  get clearing(): Promise<void> | undefined {
    return this.#cleared;
  }

  enter(): void {
    this.#inFlight++;
  }

  /** A run has failed natively: those behind it come back skipped, and are rejected with the same cause. */
  fail(cause: Promise<unknown>): void {
    this.#cause ??= cause;
    this.#cleared ??= new Promise((resolve) => {
      this.#clear = resolve;
    });
  }

  leave(): void {
    if (--this.#inFlight > 0 || !this.#cleared) return;
    acknowledge(this.id);
    this.#clear?.();
    this.#cause = this.#clear = this.#cleared = undefined;
  }

  /** The error of a run that was skipped. */
  async skipped(): Promise<PolluxError> {
    const cause = await this.#cause;
    const code = cause instanceof PolluxError ? cause.code : 'ABORTED';
    const why = cause instanceof Error ? `: ${cause.message}` : '.';
    return new PolluxError(code, `This step did not run, since an earlier step on the same state failed${why}`, { cause });
  }
}

const groups = new WeakMap<object, Group>();

/** The group of steps that share any of these objects. */
export function groupOf(owners: readonly object[]): Group | undefined {
  if (!owners.length) return undefined;
  const group = owners.map((owner) => groups.get(owner)).find((known) => known) ?? new Group();
  for (const owner of owners) groups.set(owner, group);
  return group;
}
