import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { mean } from './reduce.js';
import { fail, float, requireDtype, requireRank, requireSameShape, showShape } from './support.js';
import { rsqrt, square } from './unary.js';

type GroupAttributes = { readonly groups: number };
type GroupNormAttributes = GroupAttributes & { readonly epsilon: number };

/** What the ops take: x [samples, rows, channels], numbers [samples, groups], then weights [channels], the optional operands. */
function requireGroups(op: string, x: Type, groups: number, ofGroups: readonly Type[], weights: readonly Type[]): Type {
  requireDtype(op, x, float);
  requireRank(op, x, 3, 'x', '[samples, rows, channels]');
  const [samples, , channels] = x.shape as [number, number, number];
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    fail('INVALID_ARGUMENT', op, `${channels} channels do not divide into ${groups} groups`);
  const require = (types: readonly Type[], shape: readonly number[], role: string): void => {
    for (const type of types) {
      requireDtype(op, type, float, role);
      if (!sameShape(type.shape, shape))
        fail('SHAPE_MISMATCH', op, `x ${showShape(x.shape)} takes ${role} of shape ${showShape(shape)}, not ${showShape(type.shape)}`);
    }
  };
  require(ofGroups, [samples, groups], 'numbers of the groups');
  require(weights, [channels], 'weights');
  return { shape: [samples, groups], dtype: x.dtype };
}

/** x as [samples, rows, groups, channels of a group]. */
const split = (x: Value, groups: number): Value => reshape(x, [x.shape[0]!, x.shape[1]!, groups, x.shape[2]! / groups]);
/** Numbers of the groups, beside `split`. */
const spread = (ofGroups: Value): Value => reshape(ofGroups, [ofGroups.shape[0]!, 1, ofGroups.shape[1]!, 1]);
const overGroup = (x: Value): Value => mean(x, [1, 3], true);
const sizeOfGroup = (x: Type, groups: number): number => (x.shape[1]! * x.shape[2]!) / groups;

export const groupNormRecords = {
  groupNorm: defineRecord<GroupNormAttributes>({
    name: 'groupNorm',
    cost: 'normalisation',
    inPlace: [[0, 0]],
    infer(inputs, { groups }) {
      const [x, ...weights] = inputs as readonly Type[];
      const group = requireGroups('groupNorm', x!, groups, [], weights);
      return [x!, group, group];
    },
    gradient({ inputs, outputs: [, centre, rstd], cotangents: [dy, dcentre, drstd], attributes: { groups } }): Flow[] {
      const [x, ...weights] = inputs as readonly [Value, ...Value[]];
      const found = dy ? apply(groupNormRecords.groupNormGrad, [dy, x, centre, rstd, ...weights.slice(0, 1)], { groups }) : [];
      const size = sizeOfGroup(x, groups);
      const wide = split(x, groups);
      const ofCentre = (d: Value): Value => reshape(broadcast(spread(div(d, size)), wide.shape), x.shape);
      const ofRstd = (d: Value): Value =>
        reshape(mul(sub(wide, spread(centre)), spread(mul(div(d, -size), mul(rstd, square(rstd))))), x.shape);
      const flows = () => [found[0], dcentre && ofCentre(dcentre), drstd && ofRstd(drstd)].filter((flow) => flow !== undefined);
      return [() => flows().reduce((total, flow) => add(total, flow)), found[1], found[2]];
    },
    decompose(inputs, { groups, epsilon }) {
      const [x, scale, shift] = inputs as readonly Value[] as readonly [Value, ...(Value | undefined)[]];
      const wide = split(x, groups);
      const centre = overGroup(wide);
      const centred = sub(wide, centre);
      const rstd = rsqrt(add(overGroup(square(centred)), epsilon));
      const normal = reshape(mul(centred, rstd), x.shape);
      const scaled = scale ? mul(normal, scale) : normal;
      const group = [x.shape[0]!, groups];
      return [shift ? add(scaled, shift) : scaled, reshape(centre, group), reshape(rstd, group)];
    },
    flops: ([x]) => 7 * sizeOf(x.shape),
  }),
  /** dx is the whole derivative, with the dependence of mean and rstd on x; weights' gradients come only with a scale. */
  groupNormGrad: defineRecord<GroupAttributes>({
    name: 'groupNormGrad',
    cost: 'normalisation',
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    infer(inputs, { groups }) {
      const [dy, x, centre, rstd, ...weights] = inputs;
      requireGroups('groupNormGrad', x, groups, [centre, rstd], weights);
      requireSameShape('groupNormGrad', dy, x);
      return [x, ...weights, ...weights];
    },
    decompose(inputs, { groups }) {
      const [dy, x, centre, rstd] = inputs;
      const scale = (inputs as readonly Value[])[4];
      const inverse = spread(rstd);
      const normal = mul(sub(split(x, groups), spread(centre)), inverse);
      const slope = split(scale ? mul(dy, scale) : dy, groups);
      const rest = sub(sub(slope, overGroup(slope)), mul(normal, overGroup(mul(slope, normal))));
      const dx = reshape(mul(inverse, rest), x.shape);
      return scale ? [dx, sum(mul(dy, reshape(normal, x.shape)), [0, 1]), sum(dy, [0, 1])] : [dx];
    },
    flops: ([, x]) => 10 * sizeOf(x.shape),
  }),
};

export interface GroupNormOptions {
  /** Factor [channels] of the normalised elements. Default none. */
  scale?: Value | undefined;
  /** Added [channels] after the scale. Default none. */
  shift?: Value | undefined;
  epsilon?: number;
}

/**
 * Normalises each group of channels of each sample of x [samples, ..., channels], over all axes between too (Wu and He 2018).
 * With as many groups as channels it is instance norm (Ulyanov et al. 2016).
 *
 * @returns the result, and mean and 1 / sqrt(biased variance + epsilon) of each group, [samples, groups]
 */
export function groupNorm(
  x: Value,
  groups: number,
  { scale, shift, epsilon = 1e-5 }: GroupNormOptions = {},
): { y: Value; mean: Value; rstd: Value } {
  if (shift && !scale) throw new TypeError('groupNorm: a shift comes with a scale');
  if (x.shape.length < 2) fail('SHAPE_MISMATCH', 'groupNorm', `x has shape ${showShape(x.shape)}, but must be [samples, ..., channels]`);
  const rows = sizeOf(x.shape.slice(1, -1));
  const operands = [reshape(x, [x.shape[0]!, rows, x.shape.at(-1)!]), scale, shift].filter((operand) => operand !== undefined);
  const [y, mean, rstd] = apply(groupNormRecords.groupNorm, operands, { groups, epsilon });
  return { y: reshape(y!, x.shape), mean: mean!, rstd: rstd! };
}
