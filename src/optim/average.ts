import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import type { Module } from '../nn/index.js';
import * as ops from '../ops/index.js';
import { currentTrace, leafTensor, type Stateful, type Tensor, type TensorBase, wrap } from '../tensor/index.js';
import { commitEager } from './commit.js';
import { copiesOf, putBack, type Saved, type SavedState } from './state.js';

/** How much the present weights count, given how many were averaged before and how many steps were done. Float32 scalars. */
type Share = (averaged: Value, steps: Value) => { share: Value; counts?: Value };

const counter = (): Tensor => leafTensor([], 'float32', new Float32Array(1));

/**
 * A running average of a model's weights, kept beside it. `update()` after `minimize()`, inside the compiled step (with the average
 * in `state`), becomes part of the plan; `applied(fn)` evaluates with the averaged weights.
 */
export class WeightAverage implements Stateful {
  readonly #model: Module;
  readonly #share: Share;
  readonly #withBuffers: boolean;
  readonly #averages = new Map<Tensor, Tensor>();
  /** Calls of `update` so far. */
  readonly #steps = counter();
  /** How many weights the average is made of. */
  readonly #averaged = counter();

  /** @internal Made by `optim.ema` and `optim.swa`. */
  constructor(model: Module, share: Share, withBuffers: boolean) {
    this.#model = model;
    this.#share = share;
    this.#withBuffers = withBuffers;
  }

  #sources(): Map<string, Tensor> {
    const buffers = [...this.#model.buffers()].filter(([, buffer]) => this.#withBuffers && buffer.dtype === 'float32');
    return new Map<string, Tensor>([...this.#model.parameters(), ...buffers]);
  }

  #averageOf(path: string, source: Tensor): Tensor {
    let average = this.#averages.get(source);
    if (!average) {
      average = leafTensor(source.shape, 'float32', new Float32Array(source.size));
      average.name = `average of ${path}`;
      this.#averages.set(source, average);
    }
    return average;
  }

  /** @internal */
  visitState(visit: (path: string, tensor: TensorBase) => void): void {
    visit('steps', this.#steps);
    visit('averaged', this.#averaged);
    for (const [path, source] of this.#sources()) visit(`average.${path}`, this.#averageOf(path, source));
  }

  /** @internal */
  stateKey(): string {
    return 'average';
  }

  /** Takes the present weights into the average. Outside of a compiled step, await it. */
  update(): Promise<void> {
    const averaged = this.#averaged.value;
    const steps = this.#steps.value;
    const { share, counts } = this.#share(averaged, steps);
    const first = ops.equal(averaged, 0);
    const begun = ops.where(first, 1, share); // the first is taken whole: the average begins at 0
    const part = counts ? ops.where(counts, begun, 0) : begun;
    const one = counts ? ops.cast(counts, 'float32') : ops.constant(1, [], 'float32');
    const changes: [Tensor, Value][] = [
      [this.#steps, ops.add(steps, 1)],
      [this.#averaged, ops.add(averaged, one)],
    ];
    for (const [path, source] of this.#sources()) {
      const average = this.#averageOf(path, source);
      changes.push([average, ops.add(average.value, ops.mul(ops.sub(source.value, average.value), part))]);
    }
    if (!currentTrace()) return commitEager(changes, undefined);
    for (const [tensor, value] of changes) tensor.assign(wrap(value));
    return Promise.resolve();
  }

  /** Exchanges the model's weights and the averages; a second call puts them back. Train with its own weights only. */
  async swap(): Promise<void> {
    if (!(await this.#averaged.data())[0])
      throw new PolluxError('INVALID_ARGUMENT', 'WeightAverage: nothing has been averaged yet. Call update() in the training step first.');
    for (const [path, source] of this.#sources()) {
      const average = this.#averageOf(path, source);
      const [own, other] = [source.hold(), average.hold()];
      source.settle(other);
      average.settle(own);
    }
  }

  /** Runs `fn` with the averaged weights in the model, then puts its own back: `await average.applied(() => trainer.evaluate(test))`. */
  async applied<R>(fn: () => R | Promise<R>): Promise<R> {
    await this.swap();
    try {
      return await fn();
    } finally {
      await this.swap();
    }
  }

  /** State by path; the tensors themselves. */
  stateDictionary(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    this.visitState((path, tensor) => found.set(path, tensor as Tensor));
    return found;
  }

  /** Copies of all state, of one moment. */
  async snapshot(): Promise<Map<string, Saved>> {
    return new Map(await copiesOf(this.stateDictionary()));
  }

  /** Takes what `snapshot` gave. Throws SHAPE_MISMATCH naming what differs; then nothing is changed. */
  restore(source: SavedState): void {
    putBack('WeightAverage', this.stateDictionary(), source);
  }

  /** Frees the averages. */
  dispose(): void {
    for (const tensor of this.stateDictionary().values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Exponential moving average: average = decay * average + (1 - decay) * weights (Polyak and Juditsky 1992). `decay` is 0.999 unless
 * said; with `warmup` it is at most (1 + n) / (10 + n) after n updates, so that early weights are soon forgotten. `buffers`
 * averages running statistics too.
 */
export function ema(model: Module, options: { decay?: number; warmup?: boolean; buffers?: boolean } = {}): WeightAverage {
  checkOptions('ema', options, ['decay', 'warmup', 'buffers']);
  const { decay = 0.999, warmup = false, buffers = false } = options;
  if (!(decay >= 0 && decay < 1)) throw new RangeError(`ema: decay must lie in [0, 1), got ${decay}.`);
  const share: Share = (averaged) => ({
    share: warmup
      ? ops.maximum(ops.div(9, ops.add(averaged, 10)), 1 - decay) // 1 - (1 + n) / (10 + n)
      : ops.constant(1 - decay, [], 'float32'),
  });
  return new WeightAverage(model, share, buffers);
}

/**
 * Stochastic weight averaging (Izmailov et al. 2018): the plain mean of the weights after every `every`-th update (default 1) from
 * the one with number `start` on (from 0, default 0). Afterwards give batch norms their statistics: `optim.updateBatchNorm`.
 */
export function swa(model: Module, options: { start?: number; every?: number; buffers?: boolean } = {}): WeightAverage {
  checkOptions('swa', options, ['start', 'every', 'buffers']);
  const { start = 0, every = 1, buffers = false } = options;
  if (!Number.isInteger(start) || start < 0) throw new RangeError(`swa: start must be an integer of at least 0, got ${start}.`);
  if (!Number.isInteger(every) || every < 1) throw new RangeError(`swa: every must be an integer of at least 1, got ${every}.`);
  const share: Share = (averaged, steps) => ({
    share: ops.div(1, ops.add(averaged, 1)),
    counts: ops.logicalAnd(ops.greaterEqual(steps, start), ops.equal(ops.mod(ops.sub(steps, start), every), 0)),
  });
  return new WeightAverage(model, share, buffers);
}
