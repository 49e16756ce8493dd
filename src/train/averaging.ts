import type { WeightAverage } from '../optim/index.js';

/** Runs `fn` with the averaged weights in the model where there are any: an average of nothing is left alone. */
export async function withAverage<R>(average: WeightAverage | undefined, fn: () => Promise<R>): Promise<R> {
  if (!average) return fn();
  const averaged = await average.stateDictionary().get('averaged')!.data();
  return Number(averaged[0]) > 0 ? average.applied(fn) : fn();
}

/** Names of an average's tensors beside those of the model. */
export const averagePrefix = 'average:';
