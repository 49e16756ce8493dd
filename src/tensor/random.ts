import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { Storage } from './storage.js';
import { currentTrace, hashStream } from './trace.js';

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

/** Elements between the numbers of one iteration and those of the next: no draw is as large. */
const APART = 2 ** 32;

/**
 * The draws in the body of a loop. The body is traced once, so it takes the state as a slice of a sequence, whose element i
 * begins i blocks further on: the iteration is part of the counter.
 */
class LoopDraws {
  /** Stands for the state in the body, once something is drawn there. */
  state: Value | undefined;
  /** Blocks that one iteration takes: those of a loop inside it, or one. */
  span = 1;
  count = 0;
  readonly outermost: LoopDraws;

  constructor(readonly outer: LoopDraws | undefined) {
    this.outermost = outer?.outermost ?? this;
  }

  begin(blocks: number): Value {
    this.span = Math.max(this.span, blocks);
    this.state ??= ops.leaf([3], 'int64');
    return this.state;
  }

  draw(): { state: Value; stream: number } {
    return { state: this.begin(1), stream: currentTrace()?.nextStream() ?? hashStream(`scan#${this.outermost.count++}`) };
  }

  /** The states of all iterations, outside of the loop. */
  sequence(length: number): Value {
    const base = this.outer ? this.outer.begin(length * this.span) : draw().state;
    const shape = [length, 3];
    const ahead = ops.mul(ops.mul(ops.iota(shape, 0, 'int64'), this.span), APART);
    return ops.add(base, ops.where(ops.equal(ops.iota(shape, 1, 'int64'), 2), ahead, 0));
  }
}

let loop: LoopDraws | undefined;

/** Runs a loop's body; `states` gives, if it has drawn, the leaf of the state in it, and the states of its iterations. */
export function drawingInLoop<R>(length: number, body: () => R): { result: R; states(): { slice: Value; sequence: Value } | undefined } {
  const outer = loop;
  const draws = new LoopDraws(outer);
  loop = draws;
  try {
    return {
      result: body(),
      states: () => draws.state && { slice: draws.state, sequence: draws.sequence(length) },
    };
  } finally {
    loop = outer;
  }
}

/**
 * State and stream of one draw. In a trace the state is an input of the plan; an eager draw counts the steps up. In a loop it
 * belongs to the iteration.
 */
export function draw(): { state: Value; stream: number } {
  if (loop) return loop.draw();
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
