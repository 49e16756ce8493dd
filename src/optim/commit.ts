import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { evaluate, type Tensor, wrap } from '../tensor/index.js';

/** Evaluates the new values together, and takes them only if the guard is finite. */
export async function commitEager(changes: readonly [Tensor, Value][], guard: Tensor | undefined): Promise<void> {
  const next = changes.map(([, value]) => wrap(value));
  await evaluate(...next, ...(guard ? [guard] : []));
  if (guard && !Number.isFinite(guard.item())) {
    for (const tensor of next) tensor.dispose();
    throw new PolluxError(
      'NOT_FINITE',
      `minimize: the loss is ${guard.item()}. Nothing was changed. Lower the learning rate, or look at the data of this batch.`,
    );
  }
  changes.forEach(([tensor], i) => {
    tensor.storage()?.supersede();
    tensor.settle(next[i]!.storage()!);
  });
}
