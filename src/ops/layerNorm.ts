import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { defineRecord } from './define.js';
import type { Flow } from './define.js';
import { mean } from './reduce.js';
import { fail, float, requireDtype, requireSameShape, showShape } from './support.js';
import { rsqrt, square } from './unary.js';

type NormAttributes = { readonly epsilon: number };
type NoAttributes = Record<never, never>;

/** What the ops take: x [..., size], numbers [...] of each row, then weights [size], the optional operands. */
function requireRows(op: string, x: Type, ofRows: readonly Type[], weights: readonly Type[]): Type {
  requireDtype(op, x, float);
  if (x.shape.length === 0) fail('SHAPE_MISMATCH', op, 'a scalar has no axis to normalise');
  const [leading, last] = [x.shape.slice(0, -1), x.shape.slice(-1)];
  const require = (types: readonly Type[], shape: readonly number[], role: string): void => {
    for (const type of types) {
      requireDtype(op, type, float, role);
      if (!sameShape(type.shape, shape))
        fail('SHAPE_MISMATCH', op, `x ${showShape(x.shape)} takes ${role} of shape ${showShape(shape)}, not ${showShape(type.shape)}`);
    }
  };
  require(ofRows, leading, 'numbers of the rows');
  require(weights, last, 'weights');
  return { shape: leading, dtype: x.dtype };
}

/** Operands of which the later ones may be missing. */
const optional = (inputs: readonly Value[]) => inputs as readonly Value[] as readonly [Value, ...(Value | undefined)[]];

/** Numbers of the rows, as wide as x. */
const column = (ofRows: Value): Value => reshape(ofRows, [...ofRows.shape, 1]);
const overRows = (x: Value): Value => sum(x, x.shape.map((_, i) => i).slice(0, -1));
const meanOfRows = (x: Value): Value => mean(x, -1, true);
const sizeOfRow = (x: Type): number => x.shape.at(-1)!;
const total = (flows: readonly (Value | undefined)[]): Value => flows.filter((flow) => flow !== undefined).reduce((a, b) => add(a, b));

export const layerNormRecords = {
  layerNorm: defineRecord<NormAttributes>({
    name: 'layerNorm',
    cost: 'normalisation',
    inPlace: [[0, 0]],
    infer(inputs) {
      const [x, ...weights] = inputs as readonly Type[];
      const row = requireRows('layerNorm', x!, [], weights);
      return [x!, row, row];
    },
    gradient({ inputs, outputs: [, centre, rstd], cotangents: [dy, dcentre, drstd] }): Flow[] {
      const [x, ...weights] = inputs as readonly [Value, ...Value[]];
      const found = dy ? apply(layerNormRecords.layerNormGrad, [dy, x, centre, rstd, ...weights.slice(0, 1)], {}) : [];
      const ofRstd = (d: Value): Value => mul(sub(x, column(centre)), column(mul(div(d, -sizeOfRow(x)), mul(rstd, square(rstd)))));
      const flow = (): Value =>
        total([found[0], dcentre && broadcast(column(div(dcentre, sizeOfRow(x))), x.shape), drstd && ofRstd(drstd)]);
      return [flow, found[1], found[2]];
    },
    decompose(inputs, { epsilon }) {
      const [x, scale, shift] = optional(inputs);
      const centre = meanOfRows(x);
      const centred = sub(x, centre);
      const rstd = rsqrt(add(meanOfRows(square(centred)), epsilon));
      const normal = mul(centred, rstd);
      const scaled = scale ? mul(normal, scale) : normal;
      const rows = x.shape.slice(0, -1);
      return [shift ? add(scaled, shift) : scaled, reshape(centre, rows), reshape(rstd, rows)];
    },
    flops: ([x]) => 7 * sizeOf(x.shape),
  }),
  /** dx is the whole derivative, with the dependence of mean and rstd on x; weights' gradients come only with a scale. */
  layerNormGrad: defineRecord<NoAttributes>({
    name: 'layerNormGrad',
    cost: 'normalisation',
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    infer(inputs) {
      const [dy, x, centre, rstd, ...weights] = inputs;
      requireRows('layerNormGrad', x, [centre, rstd], weights);
      requireSameShape('layerNormGrad', dy, x);
      return [x, ...weights, ...weights];
    },
    decompose(inputs) {
      const [dy, x, centre, rstd] = inputs;
      const scale = (inputs as readonly Value[])[4];
      const inverse = column(rstd);
      const normal = mul(sub(x, column(centre)), inverse);
      const slope = scale ? mul(dy, scale) : dy;
      const dx = mul(inverse, sub(sub(slope, meanOfRows(slope)), mul(normal, meanOfRows(mul(slope, normal)))));
      return scale ? [dx, overRows(mul(dy, normal)), overRows(dy)] : [dx];
    },
    flops: ([, x]) => 12 * sizeOf(x.shape),
  }),
  rmsNorm: defineRecord<NormAttributes>({
    name: 'rmsNorm',
    cost: 'normalisation',
    inPlace: [[0, 0]],
    infer(inputs) {
      const [x, ...weights] = inputs as readonly Type[];
      return [x!, requireRows('rmsNorm', x!, [], weights)];
    },
    gradient({ inputs, outputs: [, rstd], cotangents: [dy, drstd] }): Flow[] {
      const [x, ...weights] = inputs as readonly [Value, ...Value[]];
      const found = dy ? apply(layerNormRecords.rmsNormGrad, [dy, x, rstd, ...weights], {}) : [];
      const ofRstd = (d: Value): Value => mul(x, column(mul(div(d, -sizeOfRow(x)), mul(rstd, square(rstd)))));
      return [() => total([found[0], drstd && ofRstd(drstd)]), found[1]];
    },
    decompose(inputs, { epsilon }) {
      const [x, scale] = optional(inputs);
      const rstd = rsqrt(add(meanOfRows(square(x)), epsilon));
      const normal = mul(x, rstd);
      return [scale ? mul(normal, scale) : normal, reshape(rstd, x.shape.slice(0, -1))];
    },
    flops: ([x]) => 4 * sizeOf(x.shape),
  }),
  rmsNormGrad: defineRecord<NoAttributes>({
    name: 'rmsNormGrad',
    cost: 'normalisation',
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    infer(inputs) {
      const [dy, x, rstd, ...weights] = inputs;
      requireRows('rmsNormGrad', x, [rstd], weights);
      requireSameShape('rmsNormGrad', dy, x);
      return [x, ...weights];
    },
    decompose(inputs) {
      const [dy, x, rstd] = inputs;
      const scale = (inputs as readonly Value[])[3];
      const inverse = column(rstd);
      const normal = mul(x, inverse);
      const slope = scale ? mul(dy, scale) : dy;
      const dx = mul(inverse, sub(slope, mul(normal, meanOfRows(mul(slope, normal)))));
      return scale ? [dx, overRows(mul(dy, normal))] : [dx];
    },
    flops: ([, x]) => 9 * sizeOf(x.shape),
  }),
};

/** x with its last `count` axes as one, and the weights flat: what the records take. */
function flattened(op: string, x: Value, count: number, weights: readonly (Value | undefined)[]): Value[] {
  if (!Number.isInteger(count) || count < 1 || count > x.shape.length)
    throw new RangeError(`${op}: cannot normalise the last ${count} axes of a value of rank ${x.shape.length}`);
  const shape = x.shape.slice(x.shape.length - count);
  for (const weight of weights) {
    if (weight && !sameShape(weight.shape, shape))
      fail('SHAPE_MISMATCH', op, `the last axes of x are ${showShape(shape)}, but a weight has shape ${showShape(weight.shape)}`);
  }
  const size = sizeOf(shape);
  const rows = reshape(x, [...x.shape.slice(0, x.shape.length - count), size]);
  return [rows, ...weights.flatMap((weight) => (weight ? [reshape(weight, [size])] : []))];
}

/** Options of the norms over trailing axes. */
export interface RowNormOptions {
  /** Factor of each normalised element, of the shape of the normalised axes. Default none. */
  scale?: Value | undefined;
  /** Added to each normalised element after the scale. Default none. */
  shift?: Value | undefined;
  /** How many trailing axes are normalised together. Default 1. */
  axes?: number;
  epsilon?: number;
}

/** (x - mean) / sqrt(variance + epsilon) * scale + shift over the last axes, the variance being biased (Ba et al. 2016). */
export function layerNorm(x: Value, { scale, shift, axes = 1, epsilon = 1e-5 }: RowNormOptions = {}): Value {
  if (shift && !scale) throw new TypeError('layerNorm: a shift comes with a scale');
  return reshape(apply(layerNormRecords.layerNorm, flattened('layerNorm', x, axes, [scale, shift]), { epsilon })[0]!, x.shape);
}

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axes (Zhang and Sennrich 2019). */
export function rmsNorm(x: Value, { scale, axes = 1, epsilon = 2 ** -23 }: Omit<RowNormOptions, 'shift'> = {}): Value {
  return reshape(apply(layerNormRecords.rmsNorm, flattened('rmsNorm', x, axes, [scale]), { epsilon })[0]!, x.shape);
}
