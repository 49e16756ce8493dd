import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { broadcast, sum } from './broadcast.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { fail, float, requireDtype, requireSameShape, showShape } from './support.js';
import { rsqrt, square } from './unary.js';

type NormAttributes = { readonly epsilon: number };

function requireChannels(op: string, x: Type, ...perChannel: Type[]): Type {
  requireDtype(op, x, float);
  if (x.shape.length < 2)
    fail('SHAPE_MISMATCH', op, `x has shape ${showShape(x.shape)}, but must be [..., channels] with two axes at least`);
  const shape = x.shape.slice(-1);
  for (const type of perChannel) {
    requireDtype(op, type, float, 'a per-channel operand');
    if (!sameShape(type.shape, shape)) {
      fail(
        'SHAPE_MISMATCH',
        op,
        `x ${showShape(x.shape)} takes scale and shift of shape ${showShape(shape)}, not ${showShape(type.shape)}`,
      );
    }
  }
  return { shape, dtype: x.dtype };
}

/** Sum over all axes but the channels. */
const perChannel = (x: Value): Value => sum(x, x.shape.map((_, i) => i).slice(0, -1));
const count = (x: Type): number => sizeOf(x.shape.slice(0, -1));

export const batchNormRecords = {
  batchNorm: defineRecord<NormAttributes>({
    name: 'batchNorm',
    cost: 'normalisation',
    infer([x, scale, shift]) {
      const channel = requireChannels('batchNorm', x, scale, shift);
      return [x, channel, channel];
    },
    gradient({ inputs: [x, scale], outputs: [, mean, variance], cotangents: [dy, dmean, dvariance], attributes }): Flow[] {
      const [dx, dscale, dshift] = dy ? apply(batchNormRecords.batchNormGrad, [dy, x, scale, mean, variance], attributes) : [];
      const flows = [
        dx,
        dmean && broadcast(div(dmean, count(x)), x.shape),
        dvariance && mul(sub(x, mean), mul(dvariance, 2 / count(x))),
      ].filter((flow) => flow !== undefined);
      return [() => flows.reduce((total, flow) => add(total, flow)), dscale, dshift];
    },
    decompose([x, scale, shift], { epsilon }) {
      const n = count(x);
      const mean = div(perChannel(x), n);
      const centred = sub(x, mean);
      const variance = div(perChannel(square(centred)), n);
      return [add(mul(centred, mul(rsqrt(add(variance, epsilon)), scale)), shift), mean, variance];
    },
    flops: ([x]) => 7 * sizeOf(x.shape),
  }),
  /** Ioffe and Szegedy 2015, with the dependence of mean and variance on x: dx is the whole derivative. */
  batchNormGrad: defineRecord<NormAttributes>({
    name: 'batchNormGrad',
    cost: 'normalisation',
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    infer([dy, x, scale, mean, variance]) {
      const channel = requireChannels('batchNormGrad', x, scale, mean, variance);
      requireSameShape('batchNormGrad', dy, x);
      return [x, channel, channel];
    },
    decompose([dy, x, scale, mean, variance], { epsilon }) {
      const n = count(x);
      const inverse = rsqrt(add(variance, epsilon));
      const normal = mul(sub(x, mean), inverse);
      const dshift = perChannel(dy);
      const dscale = perChannel(mul(dy, normal));
      const rest = sub(sub(dy, div(dshift, n)), mul(normal, div(dscale, n)));
      return [mul(rest, mul(scale, inverse)), dscale, dshift];
    },
    flops: ([, x]) => 10 * sizeOf(x.shape),
  }),
};

/**
 * Normalises x [..., channels] by the statistics of this batch, then scales and shifts each channel (Ioffe and Szegedy 2015).
 *
 * @returns the result, and mean and biased variance of each channel
 */
export function batchNorm(x: Value, scale: Value, shift: Value, epsilon = 1e-5): { y: Value; mean: Value; variance: Value } {
  const [y, mean, variance] = apply(batchNormRecords.batchNorm, [x, scale, shift], { epsilon });
  return { y: y!, mean: mean!, variance: variance! };
}
