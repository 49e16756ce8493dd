import type { Value } from '../graph/node.js';
import { checkOptions } from '../errors.js';
import { sameShape, sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { applyOne, defineRecord } from './define.js';
import { biasGradient, epilogue, throughActivation } from './matmul.js';
import { fail, float, requireDtype, requireRank, requireSameDtype, showShape } from './support.js';
import { IMAGE, outputSize, paddingOf, pairOf, reachOf, undilated } from './window.js';
import type { Padding, Pair } from './window.js';

export type WindowAttributes = { readonly stride: readonly number[]; readonly padding: readonly number[] };
/** What tells one convolution from another on the same operands. */
export type ConvAttributes = WindowAttributes & { readonly dilation: readonly number[]; readonly groups: number };
type Conv2dAttributes = ConvAttributes & { readonly activation: string };
type GradInputAttributes = ConvAttributes & { readonly inputSize: readonly number[] };
type GradWeightAttributes = ConvAttributes & { readonly kernelSize: readonly number[] };

/** The attributes of a convolution without dilation and groups, as the fused kernels take it. */
export const plainConv = ({ stride, padding }: WindowAttributes): ConvAttributes => ({ stride, padding, ...undilated });
const convOf = ({ stride, padding, dilation, groups }: ConvAttributes): ConvAttributes => ({ stride, padding, dilation, groups });

const KERNEL = 'a kernel [out, kH, kW, in / groups]';

/** Checks images against kernels and gives the shape of the convolution. */
export function convolvedShape(op: string, x: Type, w: Type, attributes: ConvAttributes): [number, number, number, number] {
  requireSameDtype(op, x, w);
  requireDtype(op, x, float);
  requireRank(op, x, 4, 'x', IMAGE);
  requireRank(op, w, 4, 'the weight', KERNEL);
  const { stride, padding, dilation, groups } = attributes;
  const [count, height, width, channels] = x.shape as [number, number, number, number];
  const [out, kernelHeight, kernelWidth, into] = w.shape as [number, number, number, number];
  if (channels !== into * groups) {
    const each = groups === 1 ? '' : ` in each of ${groups} groups`;
    fail(
      'SHAPE_MISMATCH',
      op,
      `x ${showShape(x.shape)} has ${channels} channels, but the weight ${showShape(w.shape)} takes ${into}${each}`,
    );
  }
  if (out % groups !== 0)
    fail('SHAPE_MISMATCH', op, `the weight ${showShape(w.shape)} gives ${out} channels, which ${groups} groups do not share evenly`);
  return [count, ...outputSize(op, [height, width], [kernelHeight, kernelWidth], stride, padding, dilation), out];
}

export function requireBias(op: string, bias: Type, channels: number): void {
  if (!sameShape(bias.shape, [channels])) {
    fail('SHAPE_MISMATCH', op, `the bias has shape ${showShape(bias.shape)}, but must have ${showShape([channels])}`);
  }
}

/** Checks that `dy` is shaped as the output of the convolution that is differentiated. */
function requireOutput(op: string, dy: Type, x: Type, w: Type, attributes: ConvAttributes): void {
  const expected = convolvedShape(op, x, w, attributes);
  requireSameDtype(op, dy, x);
  if (!sameShape(dy.shape, expected))
    fail('SHAPE_MISMATCH', op, `dy has shape ${showShape(dy.shape)}, but the convolution ${showShape(expected)}`);
}

/** Multiplications and additions: two for each weight, at each place of the output. */
export const convFlops = (w: readonly number[], output: readonly number[]): number => 2 * sizeOf(w) * sizeOf(output.slice(0, 3));

export const convRecords = {
  conv2d: defineRecord<Conv2dAttributes>({
    name: 'conv2d',
    cost: 'contraction',
    infer(inputs, attributes) {
      const [x, w, bias] = inputs;
      const shape = convolvedShape('conv2d', x, w, attributes);
      if (inputs.length > 2) requireBias('conv2d', bias, shape[3]);
      return { shape, dtype: x.dtype };
    },
    gradient({ dy: after, inputs: [x, w], y, attributes }) {
      const dy = throughActivation(after, y, attributes.activation);
      const window = convOf(attributes);
      return [
        () => conv2dGradInput(dy, w, { ...window, inputSize: x.shape.slice(1, 3) }),
        () => conv2dGradWeight(x, dy, { ...window, kernelSize: w.shape.slice(1, 3) }),
        () => biasGradient(dy),
      ];
    },
    decompose: (inputs, attributes) =>
      epilogue(convolve(inputs[0], inputs[1], convOf(attributes)), inputs.length > 2 ? inputs[2] : undefined, attributes.activation),
    flops: ([, w], [y]) => convFlops(w.shape, y.shape),
  }),
  conv2dGradInput: defineRecord<GradInputAttributes>({
    name: 'conv2dGradInput',
    cost: 'contraction',
    infer([dy, w], attributes) {
      requireRank('conv2dGradInput', dy, 4, 'dy', IMAGE);
      requireRank('conv2dGradInput', w, 4, 'the weight', KERNEL);
      const x: Type = { shape: [dy.shape[0]!, ...attributes.inputSize, w.shape[3]! * attributes.groups], dtype: dy.dtype };
      requireOutput('conv2dGradInput', dy, x, w, attributes);
      return x;
    },
    gradient: ({ dy: ddx, inputs: [dy, w], attributes }) => [
      () => convolve(ddx, w, convOf(attributes)),
      () => conv2dGradWeight(ddx, dy, { ...convOf(attributes), kernelSize: w.shape.slice(1, 3) }),
    ],
    flops: ([dy, w]) => convFlops(w.shape, dy.shape),
  }),
  conv2dGradWeight: defineRecord<GradWeightAttributes>({
    name: 'conv2dGradWeight',
    cost: 'contraction',
    infer([x, dy], attributes) {
      requireRank('conv2dGradWeight', x, 4, 'x', IMAGE);
      requireRank('conv2dGradWeight', dy, 4, 'dy', IMAGE);
      const w: Type = { shape: [dy.shape[3]!, ...attributes.kernelSize, x.shape[3]! / attributes.groups], dtype: x.dtype };
      requireOutput('conv2dGradWeight', dy, x, w, attributes);
      return w;
    },
    gradient: ({ dy: ddw, inputs: [x, dy], attributes }) => [
      () => conv2dGradInput(dy, ddw, { ...convOf(attributes), inputSize: x.shape.slice(1, 3) }),
      () => convolve(x, ddw, convOf(attributes)),
    ],
    flops: ([, dy], [w]) => convFlops(w.shape, dy.shape),
  }),
};

const convolve = (x: Value, w: Value, attributes: ConvAttributes): Value =>
  applyOne(convRecords.conv2d, [x, w], { ...attributes, activation: 'none' });

/** The gradient of a convolution with respect to its images. */
export const conv2dGradInput = (dy: Value, w: Value, attributes: GradInputAttributes): Value =>
  applyOne(convRecords.conv2dGradInput, [dy, w], attributes);

/** The gradient of a convolution with respect to its kernels. */
export const conv2dGradWeight = (x: Value, dy: Value, attributes: GradWeightAttributes): Value =>
  applyOne(convRecords.conv2dGradWeight, [x, dy], attributes);

export interface ConvOptions {
  /** Step of the window. Default 1. */
  readonly stride?: Pair;
  /** Default 'valid'. */
  readonly padding?: Padding;
  /** Distance of neighbouring taps. Default 1. */
  readonly dilation?: Pair;
  /** Into how many parts the channels fall, each with kernels of its own. Default 1. */
  readonly groups?: number;
}

/** Throws unless the number of groups is an integer >= 1. */
export function requireGroups(op: string, groups: number): number {
  if (!Number.isInteger(groups) || groups < 1) throw new RangeError(`${op}: groups must be an integer >= 1, not ${groups}`);
  return groups;
}

/**
 * Two-dimensional cross-correlation of images [N, H, W, in] with kernels [out, kH, kW, in / groups] -> [N, oH, oW, out]. Of `groups`
 * parts, output part i sees input part i alone; as many groups as channels make it depthwise.
 *
 * @param options stride, padding, dilation and groups
 */
export function conv2d(x: Value, w: Value, options: ConvOptions = {}): Value {
  checkOptions('conv2d', options, ['stride', 'padding', 'dilation', 'groups']);
  requireRank('conv2d', x, 4, 'x', IMAGE);
  requireRank('conv2d', w, 4, 'the weight', KERNEL);
  const stride = pairOf('conv2d', 'stride', options.stride ?? 1, 1);
  const dilation = pairOf('conv2d', 'dilation', options.dilation ?? 1, 1);
  const groups = requireGroups('conv2d', options.groups ?? 1);
  const window = reachOf([w.shape[1]!, w.shape[2]!], dilation);
  const padding = paddingOf('conv2d', options.padding ?? 'valid', [x.shape[1]!, x.shape[2]!], window, stride);
  return convolve(x, w, { stride, padding, dilation, groups });
}
