// Convolution and pooling of volumes [N, D, H, W, C], by those of images: one for each place of the window along the depth.
import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import { add, div, mul, sub } from './arithmetic.js';
import { maximum, minimum } from './binary.js';
import { reshape } from './broadcast.js';
import { conv2d, requireGroups } from './conv.js';
import { iota } from './leaf.js';
import { pad, sliceAxis } from './movement.js';
import { avgPool2d, maxPool2d } from './pool.js';
import { fail, float, requireDtype, requireRank, showShape } from './support.js';

/** A number for all axes, or [depth, height, width]. */
export type Triple = number | readonly [number, number, number];
/** No padding; enough that the output is ceil(input / stride); or as many zeros at both ends of each axis. */
export type Padding3d = 'valid' | 'same' | Triple;

const VOLUME = 'volumes [N, D, H, W, channels]';

export function tripleOf(op: string, name: string, value: Triple, least: number): [number, number, number] {
  const triple = typeof value === 'number' ? [value, value, value] : [...value];
  if (triple.length !== 3 || triple.some((n) => !Number.isInteger(n) || n < least))
    throw new RangeError(`${op}: ${name} must be an integer >= ${least} or three of them, not ${JSON.stringify(value)}`);
  return triple as [number, number, number];
}

interface Depth {
  /** Zeros before and behind. */
  readonly before: number;
  readonly behind: number;
  /** Places of the window along the output. */
  readonly output: number;
}

/** How a window lies along the depth. */
function depthOf(op: string, size: number, reach: number, stride: number, padding: 'valid' | 'same' | number): Depth {
  const total = padding === 'same' ? Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size) : 0;
  const before = padding === 'same' ? Math.floor(total / 2) : padding === 'valid' ? 0 : padding;
  const behind = padding === 'same' ? total - before : before;
  const output = Math.floor((size + before + behind - reach) / stride) + 1;
  if (output < 1)
    fail('SHAPE_MISMATCH', op, `a window of depth ${reach} does not fit a depth of ${size} padded by ${before} and ${behind}`);
  return { before, behind, output };
}

/** Padding of the depth, and of the image as conv2d takes it. */
function parts(op: string, padding: Padding3d): ['valid' | 'same' | number, 'valid' | 'same' | readonly [number, number]] {
  if (padding === 'valid' || padding === 'same') return [padding, padding];
  const [depth, ...image] = tripleOf(op, 'padding', padding, 0);
  return [depth, image];
}

/** Slice `place` of each window along the depth: [N, output, H, W, C]. */
function layer(padded: Value, { output }: Depth, place: number, stride: number): Value {
  return sliceAxis(padded, 1, place, place + (output - 1) * stride + 1, stride);
}

function padDepth(x: Value, { before, behind }: Depth, value: number): Value {
  return before || behind ? pad(x, [0, before, 0, 0, 0], [0, behind, 0, 0, 0], value) : x;
}

/** Applies a function of images to every slice of a volume. */
function overImages(x: Value, fn: (image: Value) => Value): Value {
  const [count, depth, ...image] = x.shape as [number, number, ...number[]];
  const y = fn(reshape(x, [count * depth, ...image]));
  return reshape(y, [count, depth, ...y.shape.slice(1)]);
}

function requireVolume(op: string, x: Value): void {
  requireRank(op, x, 5, 'x', VOLUME);
  requireDtype(op, x, float);
}

export interface Conv3dOptions {
  /** Step of the window. Default 1. */
  readonly stride?: Triple;
  /** Default 'valid'. */
  readonly padding?: Padding3d;
  /** Distance of neighbouring taps. Default 1. */
  readonly dilation?: Triple;
  /** Into how many parts the channels fall, each with kernels of its own. Default 1. */
  readonly groups?: number;
}

/** Cross-correlation of volumes [N, D, H, W, in] with kernels [out, kD, kH, kW, in / groups]: [N, D', H', W', out]. */
export function conv3d(x: Value, w: Value, options: Conv3dOptions = {}): Value {
  checkOptions('conv3d', options, ['stride', 'padding', 'dilation', 'groups']);
  requireVolume('conv3d', x);
  requireRank('conv3d', w, 5, 'the weight', 'a kernel [out, kD, kH, kW, in / groups]');
  const [stride, ...strides] = tripleOf('conv3d', 'stride', options.stride ?? 1, 1);
  const [dilation, ...dilations] = tripleOf('conv3d', 'dilation', options.dilation ?? 1, 1);
  const groups = requireGroups('conv3d', options.groups ?? 1);
  const [out, taps, ...kernel] = w.shape as [number, number, number, number, number];
  if (x.shape[4] !== kernel[2]! * groups) {
    fail('SHAPE_MISMATCH', 'conv3d', `x ${showShape(x.shape)} does not go with the weight ${showShape(w.shape)} in ${groups} groups`);
  }
  const [along, across] = parts('conv3d', options.padding ?? 'valid');
  const depth = depthOf('conv3d', x.shape[1]!, (taps - 1) * dilation + 1, stride, along);
  const padded = padDepth(x, depth, 0);
  const image = { stride: strides, padding: across, dilation: dilations, groups };
  return Array.from({ length: taps }, (_, tap) => {
    const weight = reshape(sliceAxis(w, 1, tap, tap + 1), [out, ...kernel]);
    return overImages(layer(padded, depth, tap * dilation, stride), (slice) => conv2d(slice, weight, image));
  }).reduce((a, b) => add(a, b));
}

export interface Pool3dOptions {
  /** Default: the window's size. */
  readonly stride?: Triple;
  /** Default 'valid'. */
  readonly padding?: Padding3d;
}

function poolOf(op: string, x: Value, window: Triple, options: Pool3dOptions) {
  requireVolume(op, x);
  const [taps, ...size] = tripleOf(op, 'the window', window, 1);
  const [stride, ...strides] = tripleOf(op, 'stride', options.stride ?? window, 1);
  const [along, across] = parts(op, options.padding ?? 'valid');
  const depth = depthOf(op, x.shape[1]!, taps, stride, along);
  return { taps, size, stride, depth, image: { stride: strides, padding: across } };
}

/** The greatest element of each window of [N, D, H, W, C]; NaN wins, and padding never does. Of equals along the depth all share the gradient. */
export function maxPool3d(x: Value, window: Triple, options: Pool3dOptions = {}): Value {
  checkOptions('maxPool3d', options, ['stride', 'padding']);
  const { taps, size, stride, depth, image } = poolOf('maxPool3d', x, window, options);
  const pooled = padDepth(
    overImages(x, (slice) => maxPool2d(slice, size, image)),
    depth,
    -Infinity,
  );
  return Array.from({ length: taps }, (_, tap) => layer(pooled, depth, tap, stride)).reduce((a, b) => maximum(a, b));
}

/** The mean of each window of [N, D, H, W, C]. `countPadding` (default true, as in PyTorch): padding counts as zeros. */
export function avgPool3d(x: Value, window: Triple, options: Pool3dOptions & { readonly countPadding?: boolean } = {}): Value {
  checkOptions('avgPool3d', options, ['stride', 'padding', 'countPadding']);
  const { countPadding = true } = options;
  const { taps, size, stride, depth, image } = poolOf('avgPool3d', x, window, options);
  const pooled = padDepth(
    overImages(x, (slice) => avgPool2d(slice, size, { ...image, countPadding })),
    depth,
    0,
  );
  const total = Array.from({ length: taps }, (_, tap) => layer(pooled, depth, tap, stride)).reduce((a, b) => add(a, b));
  if (countPadding) return mul(total, 1 / taps);
  const first = sub(mul(iota([depth.output, 1, 1, 1], 0, 'float32'), stride), depth.before);
  return div(total, sub(minimum(add(first, taps), x.shape[1]!), maximum(first, 0)));
}
