import { checkOptions } from '../errors.js';
import { apply } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { equal } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { constant, iota } from './leaf.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';
import { relu, unaryRecords } from './unary.js';
import { where } from './where.js';
import { IMAGE, outputSize, paddingOf, pairOf } from './window.js';
import type { Padding, Pair } from './window.js';

export type PoolAttributes = {
  readonly window: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
};
type PoolGradAttributes = PoolAttributes & { readonly inputSize: readonly number[] };
type AverageAttributes = PoolAttributes & { readonly countPadding: boolean };
type AverageGradAttributes = AverageAttributes & { readonly inputSize: readonly number[] };

/** The shape that pooling leaves of an image. */
export function pooledShape(op: string, x: Type, { window, stride, padding }: PoolAttributes): number[] {
  requireDtype(op, x, float);
  requireRank(op, x, 4, 'x', IMAGE);
  if (padding.some((n, i) => n >= window[i >> 1]!)) {
    fail(
      'INVALID_ARGUMENT',
      op,
      `padding ${showShape(padding)} must be smaller than the window ${showShape(window)}, or windows may hold padding alone`,
    );
  }
  return [x.shape[0]!, ...outputSize(op, [x.shape[1]!, x.shape[2]!], window, stride, padding), x.shape[3]!];
}

export function requireIndexable(op: string, window: readonly number[]): void {
  if (sizeOf(window) > 255) fail('INVALID_ARGUMENT', op, `a window of ${showShape(window)} has more than 255 places`);
}

/** The image that a pooling of shape `dy` came from. */
function pooledFrom(op: string, dy: Type, attributes: PoolGradAttributes): Type {
  requireRank(op, dy, 4, 'dy', IMAGE);
  const x: Type = { shape: [dy.shape[0]!, ...attributes.inputSize, dy.shape[3]!], dtype: dy.dtype };
  const expected = pooledShape(op, x, attributes);
  if (!sameShape(expected, dy.shape))
    fail('SHAPE_MISMATCH', op, `dy has shape ${showShape(dy.shape)}, but the pooling ${showShape(expected)}`);
  return x;
}

function requireIndex(op: string, index: Type, shape: readonly number[]): void {
  if (index.dtype !== 'uint8') fail('DTYPE_MISMATCH', op, `the index is ${index.dtype}, but must be uint8, as maxPool2d gives it`);
  if (!sameShape(index.shape, shape))
    fail('SHAPE_MISMATCH', op, `the index has shape ${showShape(index.shape)}, but the pooling ${showShape(shape)}`);
}

const poolOf = ({ window, stride, padding }: PoolAttributes): PoolAttributes => ({ window, stride, padding });

export const poolRecords = {
  maxPool2d: defineRecord<PoolAttributes>({
    name: 'maxPool2d',
    cost: 'reduce',
    infer([x], attributes) {
      requireIndexable('maxPool2d', attributes.window);
      const shape = pooledShape('maxPool2d', x, attributes);
      return [
        { shape, dtype: x.dtype },
        { shape, dtype: 'uint8' },
      ];
    },
    gradient: ({ dy, inputs: [x], outputs: [, index], attributes }) =>
      maxPool2dGrad(dy, index, { ...attributes, inputSize: x.shape.slice(1, 3) }),
    flops: (_, [y], { window }) => sizeOf(y.shape) * sizeOf(window),
  }),
  maxPool2dGrad: defineRecord<PoolGradAttributes>({
    name: 'maxPool2dGrad',
    cost: 'reduce',
    infer([dy, index], attributes) {
      requireIndex('maxPool2dGrad', index, dy.shape);
      return pooledFrom('maxPool2dGrad', dy, attributes);
    },
    gradient: ({ dy: ddx, inputs: [, index], attributes }) => maxPool2dGather(ddx, index, poolOf(attributes)),
    flops: ([dy]) => sizeOf(dy.shape),
  }),
  maxPool2dGather: defineRecord<PoolAttributes>({
    name: 'maxPool2dGather',
    cost: 'move',
    infer([x, index], attributes) {
      const shape = pooledShape('maxPool2dGather', x, attributes);
      requireIndex('maxPool2dGather', index, shape);
      return { shape, dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x, index], attributes }) => maxPool2dGrad(dy, index, { ...attributes, inputSize: x.shape.slice(1, 3) }),
  }),
  avgPool2d: defineRecord<AverageAttributes>({
    name: 'avgPool2d',
    cost: 'reduce',
    infer: ([x], attributes) => ({ shape: pooledShape('avgPool2d', x, attributes), dtype: x.dtype }),
    gradient: ({ dy, inputs: [x], attributes }) => avgPool2dGrad(dy, { ...attributes, inputSize: x.shape.slice(1, 3) }),
    flops: (_, [y], { window }) => sizeOf(y.shape) * sizeOf(window),
  }),
  avgPool2dGrad: defineRecord<AverageGradAttributes>({
    name: 'avgPool2dGrad',
    cost: 'reduce',
    infer: ([dy], attributes) => pooledFrom('avgPool2dGrad', dy, attributes),
    gradient: ({ dy: ddx, attributes }) => average(ddx, { ...poolOf(attributes), countPadding: attributes.countPadding }),
    flops: ([dy], _, { window }) => sizeOf(dy.shape) * sizeOf(window),
  }),
};

const average = (x: Value, attributes: AverageAttributes): Value => applyOne(poolRecords.avgPool2d, [x], attributes);

/** The gradient of maxPool2d: each element of `dy` goes to the place of its window that won; overlaps add up. */
export const maxPool2dGrad = (dy: Value, index: Value, attributes: PoolGradAttributes): Value =>
  applyOne(poolRecords.maxPool2dGrad, [dy, index], attributes);

/** The element of each window that `index` names: the adjoint of maxPool2dGrad. */
export const maxPool2dGather = (x: Value, index: Value, attributes: PoolAttributes): Value =>
  applyOne(poolRecords.maxPool2dGather, [x, index], attributes);

/** The gradient of avgPool2d. */
export const avgPool2dGrad = (dy: Value, attributes: AverageGradAttributes): Value => applyOne(poolRecords.avgPool2dGrad, [dy], attributes);

/** Options of pooling: the stride is the window's size by default, the padding 'valid'. */
export interface PoolOptions {
  readonly stride?: Pair;
  readonly padding?: Padding;
  /** Whether the last window may reach beyond the padding, so that no pixel is left out (PyTorch's rule). Default false. */
  readonly ceilMode?: boolean;
}

/** How far the last window reaches beyond the padding in ceil mode. It begins within the image or the padding before it. */
function overhang(size: number, window: number, stride: number, before: number, after: number): number {
  const padded = size + before + after;
  let count = Math.ceil((padded - window) / stride) + 1;
  if ((count - 1) * stride >= size + before) count--;
  return Math.max(0, (count - 1) * stride + window - padded);
}

/** Window, stride and padding of a pooling; in ceil mode the padding includes what the last windows hang over. */
export function poolWindow(op: string, x: Type, window: Pair, options: PoolOptions): PoolAttributes & { hangs: readonly number[] } {
  requireRank(op, x, 4, 'x', IMAGE);
  const [height, width] = x.shape.slice(1, 3) as [number, number];
  const size = pairOf(op, 'the window', window, 1);
  const stride = pairOf(op, 'stride', options.stride ?? size, 1);
  const [top, bottom, left, right] = paddingOf(op, options.padding ?? 'valid', [height, width], size, stride) as [
    number,
    number,
    number,
    number,
  ];
  const hangs = options.ceilMode
    ? [overhang(height, size[0], stride[0], top, bottom), overhang(width, size[1], stride[1], left, right)]
    : [0, 0];
  return { window: size, stride, padding: [top, bottom + hangs[0]!, left, right + hangs[1]!], hangs };
}

/** The greatest element of each window of images [N, H, W, C]; NaN wins, and padding never does. */
export function maxPool2d(x: Value, window: Pair, options: PoolOptions = {}): Value {
  checkOptions('maxPool2d', options, ['stride', 'padding', 'ceilMode']);
  const attributes = poolOf(poolWindow('maxPool2d', x, window, options));
  // relu never falls, so it commutes with the maximum, gradients included: after pooling it has a fraction of the work. The one
  // before is dropped, unless something else reads it.
  const rectified = x.node.op === unaryRecords.relu;
  const y = apply(poolRecords.maxPool2d, [rectified ? x.node.inputs[0]! : x], attributes)[0]!;
  return rectified ? relu(y) : y;
}

/**
 * The mean of each window of images [N, H, W, C]. `countPadding` (default true, as in PyTorch) tells whether padding counts as
 * zeros, or the mean is over the elements of the image alone.
 */
export function avgPool2d(x: Value, window: Pair, options: PoolOptions & { readonly countPadding?: boolean } = {}): Value {
  checkOptions('avgPool2d', options, ['stride', 'padding', 'ceilMode', 'countPadding']);
  const { countPadding = true } = options;
  const { hangs, ...attributes } = poolWindow('avgPool2d', x, window, options);
  const y = average(x, { ...attributes, countPadding });
  if (!countPadding) return y;
  // What hangs over counts neither as image nor as padding: the last windows are divided by less.
  return hangs.reduce((scaled, hang, i) => {
    if (hang === 0) return scaled;
    const size = attributes.window[i]!;
    const place = iota([y.shape[1 + i]!, ...new Array<number>(2 - i).fill(1)]);
    return mul(scaled, where(equal(place, y.shape[1 + i]! - 1), size / (size - hang), constant(1)));
  }, y);
}
