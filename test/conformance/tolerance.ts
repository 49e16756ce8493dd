// How far a device may be from the float64 references. Nothing here is tuned: with every element goes a bound on the error that
// float32 arithmetic may have made in it, and each op widens the bound by its own rounding (running error analysis: Wilkinson 1963;
// Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.3).
import type { Node, Value } from '../../src/graph/node.js';
import { reachable } from '../../src/graph/node.js';
import type { Attributes, Op } from '../../src/graph/op.js';
import { sizeOf } from '../../src/graph/op.js';
import type { OpName } from '../../src/ops/index.js';
import { leaf, records } from '../../src/ops/index.js';
import type { NdArray64 } from '../references/array.js';
import { evaluateOp } from '../references/interpreter.js';

/** What an op should give, and how far from it each element may be. Infinity: rounding alone decides the element. */
export interface Bounded {
  readonly value: NdArray64;
  readonly error: Float64Array;
}

/** The unit roundoff of float32, and the smallest number that it holds. */
const UNIT = 2 ** -24;
const SMALLEST = 2 ** -149;

/** Bound on the relative error of n roundings (Higham, lemma 3.1): it holds for any order of additions, fused multiply-adds too. */
const gamma = (n: number): number => (n * UNIT) / (1 - n * UNIT);

/** Elementary functions of a float32 library are within 4 ulps; an ulp is at most two unit roundoffs. */
const FUNCTION = 8;

/** Elementwise ops that IEEE 754 rounds correctly, or that round nothing: of exact operands their result has one value. */
const correctlyRounded: ReadonlySet<string> = new Set<OpName>([
  ...(['neg', 'abs', 'sign', 'sqrt', 'square', 'reciprocal', 'floor', 'ceil', 'round', 'relu', 'isNan', 'isFinite'] as const),
  ...(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'where', 'cast'] as const),
  ...(['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const),
  ...(['logicalNot', 'logicalAnd', 'logicalOr', 'logicalXor'] as const),
]);

/** Sums of products (squares among them) with coefficients that are no negative numbers: the bound of |x| + e bounds the sum and its error. */
const multilinear: ReadonlySet<string> = new Set<OpName>([
  ...(['sum', 'sumSquares', 'prod', 'matmul', 'conv2d', 'conv2dGradInput', 'conv2dGradWeight'] as const),
  ...(['cumulativeSum', 'cumulativeProduct', 'linearRecurrence'] as const),
  ...(['avgPool2d', 'avgPool2dGrad', 'maxPool2dGrad', 'resample2d', 'resample2dGrad', 'fold2d', 'scatterAdd', 'scatterAlong'] as const),
]);

const zeros = (size: number): Float64Array => new Float64Array(size);
const isFloat32 = ({ dtype }: { dtype: string }): boolean => dtype === 'float32';
const withData = (array: NdArray64, data: Float64Array): NdArray64 => ({ ...array, data });
const map2 = (a: Float64Array, b: Float64Array, fn: (a: number, b: number) => number): Float64Array => a.map((x, i) => fn(x, b[i]!));

/** A float32 in place of a float64; other dtypes are exact. */
const stored = (array: NdArray64): NdArray64 => (isFloat32(array) ? withData(array, array.data.map(Math.fround)) : array);

/** An operand without error. */
export const exact = (value: NdArray64): Bounded => ({ value, error: zeros(value.data.length) });

/** How many numbers an op adds up or multiplies to get one element. */
function terms(name: string, inputs: readonly Bounded[], outputs: readonly NdArray64[], op: Op, attributes: Attributes): number {
  if (name === 'prod' || name === 'sum' || name === 'sumSquares')
    return Number(name === 'sumSquares') + inputs[0]!.error.length / Math.max(1, sizeOf(outputs[0]!.shape));
  if (name.startsWith('cumulative') || name === 'linearRecurrence') return 2 * outputs[0]!.shape[attributes['axis'] as number]!;
  if (name.startsWith('scatter')) return 1 + inputs[2]!.error.length;
  if (name.includes('Pool')) return 1 + (attributes['window'] as readonly number[]).reduce((a, b) => a * b, 1);
  const shapes = inputs.map(({ value }) => value);
  return 2 + (op.flops?.(shapes, outputs, attributes) ?? 0) / 2 / Math.max(1, sizeOf(outputs[0]!.shape));
}

/** |f(x) - f(x')| over the corners x' of the box of operands: f is monotone in so small a box, or the corners find its jump. */
function corners(op: Op, inputs: readonly Bounded[], attributes: Attributes, values: readonly NdArray64[]): Float64Array[] {
  const moved = inputs.flatMap(({ error }, i) => (error.some((e) => e > 0) ? [i] : []));
  const errors = values.map(({ data }) => zeros(data.length));
  for (let corner = 0; moved.length && corner < 2 ** moved.length; corner++) {
    const operands = inputs.map(({ value, error }, i) => {
      const bit = moved.indexOf(i);
      if (bit < 0) return value;
      if (value.dtype === 'bool')
        return withData(value, (corner >> bit) & 1 ? map2(value.data, error, (x, e) => (e > 0 ? 1 - x : x)) : value.data);
      const sign = (corner >> bit) & 1 ? 1 : -1;
      return withData(
        value,
        map2(value.data, error, (x, e) => (e > 0 ? x + sign * e : x)),
      );
    });
    evaluateOp(op, operands, attributes).forEach(({ data }, o) => {
      data.forEach((y, i) => {
        const x = values[o]!.data[i]!;
        if (!Object.is(x, y) && x !== y) errors[o]![i] = Math.max(errors[o]![i]!, Number.isNaN(x - y) ? Infinity : Math.abs(x - y));
      });
    });
  }
  return errors;
}

/** An op by its decomposition. */
function composed(op: Op, inputs: readonly Bounded[], attributes: Attributes, strict: boolean): Bounded[] {
  const leaves = inputs.map(({ value: { shape, dtype } }) => leaf(shape, dtype));
  const results = op.decompose!(leaves, attributes);
  return evaluateBounded(results, new Map(leaves.map((value, i) => [value, inputs[i]!])), strict);
}

/** Where another element could win within the errors: the winners are lowered, the others raised. */
function undecided(op: Op, x: Bounded, attributes: Attributes, values: readonly NdArray64[]): Float64Array {
  const [y, index] = values as [NdArray64, NdArray64];
  const inputSize = x.value.shape.slice(1, 3);
  const ones = { ...y, data: y.data.map(() => 1) };
  const [won] = evaluateOp(records.maxPool2dGrad as unknown as Op, [ones, index], { ...attributes, inputSize });
  const pushed = x.value.data.map((element, i) => element + (won!.data[i]! > 0 ? -1 : 1) * x.error[i]!);
  const again = evaluateOp(op, [withData(x.value, pushed)], attributes)[1]!;
  return index.data.map((place, i) => (place === again.data[i] ? 0 : Infinity));
}

/** The rule of each cost class. `values` are the float64 results; `strict` holds correctly rounded ops to the bit. */
function errorsOf(
  op: Op,
  inputs: readonly Bounded[],
  attributes: Attributes,
  values: readonly NdArray64[],
  strict: boolean,
): Float64Array[] {
  const name = op.name as OpName;
  const rounding = (factor: number, from: readonly Float64Array[]) =>
    values.map(({ data, dtype }, o) =>
      dtype === 'float32' ? map2(data, from[o]!, (x, e) => e + factor * UNIT * Math.abs(Number.isFinite(x) ? x : 0) + SMALLEST) : from[o]!,
    );
  // Errors of the operands in place of floats; indices and starts stay.
  const ofErrors = (change: Attributes = {}) =>
    evaluateOp(
      op,
      inputs.map(({ value, error }) => (isFloat32(value) ? withData(value, error) : value)),
      { ...attributes, ...change },
    ).map(({ data }) => data);

  if (name === 'constant')
    return values.map(({ data, dtype }) => data.map((x) => (dtype === 'float32' && Number.isFinite(x) ? Math.abs(Math.fround(x) - x) : 0)));
  // Radius and angle of Box and Muller, at most sqrt(-2 ln 2^-24) and 2 pi, are rounded, then four functions and a product of them.
  if (name === 'normal') return values.map(({ data }) => data.map(() => Math.sqrt(48 * Math.LN2) * (2 * Math.PI + 2 * FUNCTION) * UNIT));
  if (op.cost === 'source') return values.map(({ data }) => zeros(data.length));

  if (multilinear.has(name)) {
    if (!isFloat32(values[0]!)) return values.map(({ data }) => zeros(data.length));
    let plain = 'activation' in attributes ? { ...attributes, activation: 'none' } : attributes;
    if (attributes['method'] === 'bicubic') plain = { ...attributes, method: 'bicubicMagnitude' };
    const of = (fn: (x: number, e: number) => number) =>
      evaluateOp(
        op,
        inputs.map(({ value, error }) => (isFloat32(value) ? withData(value, map2(value.data, error, fn)) : value)),
        plain,
      )[0]!.data;
    const widest = of((x, e) => Math.abs(x) + e);
    const least = inputs.some(({ error }) => error.some((e) => e > 0)) ? of(Math.abs) : widest;
    const n = terms(name, inputs, values, op, attributes);
    return [map2(widest, least, (wide, x) => wide - x + gamma(n) * wide + (n > 1 ? SMALLEST : 0))];
  }
  if (op.cost === 'view' || op.cost === 'move' || op.cost === 'effect')
    // An extreme is at most as wrong as the worst of what it is taken from.
    return isFloat32(values[0]!)
      ? ofErrors({ ...('value' in attributes && { value: 0 }), ...(attributes['rule'] === 'minimum' && { rule: 'maximum' }) })
      : values.map(({ data }) => zeros(data.length));
  if (name === 'maxPool2d') return [ofErrors()[0]!, undecided(op, inputs[0]!, attributes, values)];
  if (name === 'max' || name === 'min') {
    const { value, error } = inputs[0]!;
    return [evaluateOp(records.max as unknown as Op, [withData(value, error)], attributes)[0]!.data];
  }
  if (op.cost === 'reduce') {
    const loose = inputs.some(({ error }) => error.some((e) => e > 0));
    return values.map(({ data }) => zeros(data.length).fill(loose ? Infinity : 0));
  }
  if (correctlyRounded.has(name)) {
    const from = corners(op, inputs, attributes, values);
    if (!strict) return rounding(2, from);
    return rounding(2, from).map((errors, o) => map2(errors, from[o]!, (error, e) => (e > 0 ? error : 0)));
  }
  // A kernel of its own is at least as good as the decomposition in float32.
  if (op.decompose) {
    const parts = composed(op, inputs, attributes, false).map(({ error }) => error);
    return rounding(op.cost === 'elementwise' ? FUNCTION : 2, parts);
  }
  return rounding(FUNCTION + 1, corners(op, inputs, attributes, values));
}

/** Results of one op, rounded to their dtypes, with their errors. */
function applyBounded(node: Node, inputs: readonly Bounded[], strict: boolean): Bounded[] {
  const { op, attributes } = node;
  if (op.name === 'elementwise') return composed(op, inputs, attributes, strict); // a program rounds after each instruction
  const values = evaluateOp(
    op,
    inputs.map(({ value }) => value),
    attributes,
  );
  const errors = errorsOf(op, inputs, attributes, values, strict);
  return values.map((value, i) => ({ value: stored(value), error: errors[i]!.map((e) => (Number.isNaN(e) ? Infinity : e)) }));
}

/** Evaluates values of a graph in float64, each op's results rounded to their dtypes, and bounds what float32 may make of them. */
export function evaluateBounded(roots: readonly Value[], bound: ReadonlyMap<Value, Bounded>, strict = true): Bounded[] {
  const known = new Map(bound);
  for (const node of reachable(roots)) {
    if (known.has(node.outputs[0]!)) continue;
    const outputs = applyBounded(
      node,
      node.inputs.map((input) => known.get(input)!),
      strict,
    );
    node.outputs.forEach((value, i) => known.set(value, outputs[i]!));
  }
  return roots.map((root) => known.get(root)!);
}

/**
 * One run of a graph in which each op's results are moved at random within the rounding of that op alone (Monte Carlo arithmetic:
 * Parker 1997). Through many ops the bounds of `evaluateBounded` pile up all worst cases; what such runs scatter is what rounding does.
 * A zero stays: relu asks whether its output is one.
 */
export function evaluateScattered(roots: readonly Value[], bound: ReadonlyMap<Value, NdArray64>, random: () => number): NdArray64[] {
  const known = new Map(bound);
  for (const node of reachable(roots)) {
    if (known.has(node.outputs[0]!)) continue;
    const inputs = node.inputs.map((input) => exact(known.get(input)!));
    applyBounded(node, inputs, false).forEach(({ value, error }, o) => {
      known.set(
        node.outputs[o]!,
        withData(
          value,
          map2(value.data, error, (x, e) => (x !== 0 && Number.isFinite(e) ? x + (2 * random() - 1) * e : x)),
        ),
      );
    });
  }
  return roots.map((root) => known.get(root)!);
}

/** Whether a device's number is a float32 rounding of what is expected. NaN answers NaN, an infinity the same infinity. */
export function agrees(found: number, expected: number, error: number): boolean {
  if (Object.is(found, expected) || found === expected || error === Infinity) return true;
  if (Number.isNaN(found) || Number.isNaN(expected)) return false;
  const overflows =
    !Number.isFinite(found) && Math.sign(found) === Math.sign(expected) && Math.abs(expected) + error >= 2 ** 128 * (1 - UNIT);
  return overflows || Math.abs(found - expected) <= error;
}
