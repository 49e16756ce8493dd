import { PolluxError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { compile, type HostData, leafTensor, Tensor } from '../tensor/index.js';

/** A batch of inputs: a tensor, host data, or what a DataLoader of samples with `x` gives. */
type Batch = Tensor | HostData | { readonly x: Tensor | HostData };

const inputOf = (batch: Batch): Tensor | HostData => (batch instanceof Tensor || !('x' in batch) ? batch : batch.x);

const zeros = ({ shape, size }: Tensor): Tensor => leafTensor(shape, 'float32', new Float32Array(size));

/** The running statistics of one layer, and their sums over the batches. */
class Statistics {
  /** Weight of a batch in what one step leaves of it, from 0. */
  readonly #share: number;
  readonly #running: readonly Tensor[];
  readonly #count: Tensor | undefined;
  readonly #sums: readonly Float64Array[];

  /** Of any layer that keeps a mean and a variance; undefined for others. */
  static of(module: object): Statistics | undefined {
    const { runningMean, runningVariance, batchesTracked, momentum } = module as Record<string, unknown>;
    if (!(runningMean instanceof Tensor && runningVariance instanceof Tensor)) return undefined;
    const count = batchesTracked instanceof Tensor ? batchesTracked : undefined;
    return new Statistics([runningMean, runningVariance], count, typeof momentum === 'number' ? momentum : 1);
  }

  constructor(running: readonly Tensor[], count: Tensor | undefined, share: number) {
    this.#running = running;
    this.#count = count;
    this.#share = share;
    this.#sums = running.map(({ size }) => new Float64Array(size));
  }

  get tensors(): Tensor[] {
    return this.#count ? [...this.#running, this.#count] : [...this.#running];
  }

  clear(): void {
    for (const tensor of this.tensors) tensor.assign(zeros(tensor));
  }

  async add(): Promise<void> {
    for (const [i, running] of this.#running.entries()) {
      for (const [j, x] of ((await running.data()) as Float32Array).entries()) this.#sums[i]![j]! += x / this.#share;
    }
  }

  /** Gives the layer the means over `count` batches. */
  settle(count: number): void {
    for (const [i, running] of this.#running.entries())
      running.assign(
        leafTensor(
          running.shape,
          'float32',
          Float32Array.from(this.#sums[i]!, (sum) => sum / count),
        ),
      );
    this.#count?.assign(leafTensor([], 'float32', Float32Array.of(count)));
  }
}

/**
 * Gives every batch norm of the model new running statistics: the means of those of the batches, with the weights as they are now.
 * As PyTorch's update_bn, for weights that were averaged: `await average.swap(); await optim.updateBatchNorm(model, loader)`.
 * @throws INVALID_ARGUMENT without batches; then nothing is changed.
 */
export async function updateBatchNorm(model: Module, batches: Iterable<Batch> | AsyncIterable<Batch>): Promise<void> {
  const statistics = [...model.modules().values()].map((module) => Statistics.of(module)).filter((found) => found !== undefined);
  if (!statistics.length) return;
  const forward = compile({ state: [model] }, (x: Tensor) => {
    model.forward(x);
    return {};
  });
  const before = await Promise.all(
    statistics.flatMap(({ tensors }) => tensors).map(async (tensor) => [tensor, (await tensor.data()) as Float32Array] as const),
  );
  let count = 0;
  try {
    for await (const batch of batches) {
      for (const each of statistics) each.clear();
      await model.inMode(true, () => forward(inputOf(batch) as Tensor));
      for (const each of statistics) await each.add();
      count++;
    }
    if (!count) throw new PolluxError('INVALID_ARGUMENT', 'updateBatchNorm: there are no batches to measure.');
  } catch (error) {
    for (const [tensor, data] of before) tensor.assign(leafTensor(tensor.shape, 'float32', data));
    throw error;
  } finally {
    forward.dispose();
  }
  for (const each of statistics) each.settle(count);
}
