/** Runs a generator of slices to its end at once. */
export function atOnce<R>(work: (due: () => boolean) => Generator<void, R>): R {
  return work(() => false).next().value as R;
}

/** How long a pass may hold the main thread before it yields, in milliseconds. */
const SLICE = 4;

/**
 * A clock for passes: `if (due()) yield;` yields about every `deadline` milliseconds of work. The time that the driver spends
 * between two slices is not counted.
 */
export function slices(deadline = SLICE): () => boolean {
  let start = performance.now();
  let paused = false;
  return () => {
    const now = performance.now();
    if (paused) {
      start = now;
      paused = false;
    }
    paused = now - start >= deadline;
    return paused;
  };
}
