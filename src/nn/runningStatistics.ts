import * as ops from '../ops/index.js';
import type { Value } from '../graph/node.js';
import { noGrad, ones, type Tensor, wrap, zeros } from '../tensor/index.js';

/** How running statistics follow the batches. */
export interface RunningOptions {
  /** Weight of the new batch in the running statistics; null: the plain average of all batches so far. Default 0.1, as PyTorch. */
  momentum?: number | null;
  /** Keep running statistics, and use them in eval mode. */
  trackRunningStats?: boolean;
}

/** The buffers that a layer keeps; without tracking there are none. */
export interface Running<C extends number> {
  readonly runningMean: Tensor<readonly [C], 'float32'> | undefined;
  readonly runningVariance: Tensor<readonly [C], 'float32'> | undefined;
  /** How many batches they have seen, where momentum is null. */
  readonly batchesTracked: Tensor<readonly [], 'float32'> | undefined;
}

/** Throws unless it is null or within [0, 1]. */
export function requireMomentum(layer: string, momentum: number | null): void {
  if (momentum !== null && !(momentum >= 0 && momentum <= 1))
    throw new RangeError(`${layer}: momentum must be null or lie in [0, 1], got ${momentum}.`);
}

export const runningBuffers = <C extends number>(channels: C, tracked: boolean, momentum: number | null): Running<C> => ({
  runningMean: tracked ? (zeros([channels]) as Tensor<readonly [C], 'float32'>) : undefined,
  runningVariance: tracked ? (ones([channels]) as Tensor<readonly [C], 'float32'>) : undefined,
  batchesTracked: tracked && momentum === null ? (zeros([]) as Tensor<readonly [], 'float32'>) : undefined,
});

/** Moves the running statistics toward those of a batch, whose biased variance is over `count` elements a channel. */
export function follow(running: Running<number>, mean: Value, variance: Value, count: number, momentum: number | null): void {
  const { runningMean, runningVariance, batchesTracked } = running;
  if (!runningMean || !runningVariance) return;
  noGrad(() => {
    const seen = batchesTracked && (batchesTracked as Tensor).add(1);
    const share: Tensor | number = seen ? seen.reciprocal() : momentum!;
    const rest: Tensor | number = typeof share === 'number' ? 1 - share : share.neg().add(1);
    const blend = (to: Tensor, batch: Tensor): void => to.assign(to.mul(rest).add(batch.mul(share)));
    blend(runningMean, wrap(ops.detach(mean)));
    blend(runningVariance, wrap(ops.detach(variance)).mul(count / Math.max(1, count - 1)));
    if (seen) (batchesTracked as Tensor).assign(seen);
  });
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias by given statistics of the channels, the last axis. */
export function normaliseBy(x: Tensor, running: Running<number>, epsilon: number, weight?: Tensor, bias?: Tensor): Tensor {
  const [mean, variance]: Tensor[] = [running.runningMean!, running.runningVariance!];
  const inverse = variance!.add(epsilon).rsqrt();
  const scale: Tensor = weight ? weight.mul(inverse) : inverse;
  const shift: Tensor = bias ? bias.sub(mean!.mul(scale)) : mean!.mul(scale).neg();
  return x.mul(scale).add(shift);
}
