import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { Storage } from './storage.js';
import { currentTrace } from './trace.js';

/**
 * The process's source of randomness: a seed and a count of draws. Every draw is a function of (seed, stream, step, element),
 * so a saved pair of numbers is the whole state, and the same bits come on any device, thread count or split of a batch.
 */
export const generator = { seed: 0n, step: 0n };

/** Restarts the random numbers: parameters, dropout and shuffles that are drawn from now on repeat for the same `n`. */
export function seed(n: number | bigint): void {
  if (typeof n === 'number' && !Number.isSafeInteger(n)) throw new RangeError(`seed: expected an integer, got ${n}.`);
  generator.seed = BigInt.asIntN(64, BigInt(n));
  generator.step = 0n;
}

/** The state of the next draw: [seed, step, first element]. */
export const nextState = (): BigInt64Array => new BigInt64Array([generator.seed, generator.step++, 0n]);

/** State and stream of one draw. In a trace the state is an input of the plan; an eager draw counts the steps up. */
export function draw(): { state: Value; stream: number } {
  const trace = currentTrace();
  if (trace) return { state: trace.random, stream: trace.nextStream() };
  return { state: new Storage([3], 'int64', { host: nextState() }).leaf, stream: 0 };
}

/** Draws of a parameter: the stream comes from its path, so a layer keeps its numbers when others are added. */
export function drawFor(stream: number): { state: Value; stream: number } {
  return { state: new Storage([3], 'int64', { host: new BigInt64Array([generator.seed, 0n, 0n]) }).leaf, stream };
}

export const uniformValue = (shape: readonly number[], source = draw()): Value => ops.uniform(source.state, shape, source.stream);
export const normalValue = (shape: readonly number[], source = draw()): Value => ops.normal(source.state, shape, source.stream);
