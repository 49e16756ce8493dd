import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../src/graph/op.js';
import { apply } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import type { Op } from '../../src/graph/op.js';
import { add, detach, gradients, leaf, mul, records, sum } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';
import { operandsOf, samples } from '../references/samples.js';
import type { Sample } from '../references/samples.js';
import { randomOf } from '../references/samples/sample.js';

const names = Object.keys(records) as OpName[];

/** Samples beyond this many operations or elements would take long and find nothing new. */
const LARGEST = 30_000;

const isSmall = (op: Op, { inputs, attributes }: Sample): boolean => {
  const work = op.flops?.(inputs, op.infer(inputs, attributes), attributes) ?? 0;
  return work <= LARGEST && inputs.every(({ shape }) => sizeOf(shape) <= 2500);
};

const random = randomOf(20260722);
const direction = ({ shape, dtype }: Value): NdArray64 =>
  arrayOf(
    { shape, dtype },
    Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1),
  );

type Bound = ReadonlyMap<Value, NdArray64>;
const scalarAt = (f: Value, bound: Bound): number => evaluate([f], bound)[0]!.data[0]!;

/** The derivative of `f` along `directions`, by central differences of the fourth order. */
function difference(f: Value, bound: Bound, directions: Bound): number {
  const at = (step: number): number => {
    const moved = new Map(bound);
    for (const [value, along] of directions) {
      const { data } = bound.get(value)!;
      moved.set(
        value,
        arrayOf(
          value,
          data.map((x, i) => x + step * along.data[i]!),
        ),
      );
    }
    return scalarAt(f, moved);
  };
  const h = 1e-4;
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

/** Compares the gradient of `f` with respect to `wrt` with differences, in a random direction. */
function expectGradient(f: Value, wrt: readonly Value[], found: readonly (Value | undefined)[], bound: Bound, where: string): void {
  const directions = new Map(wrt.map((value) => [value, direction(value)]));
  const present = found.filter((gradient) => gradient !== undefined);
  const arrays = evaluate(present, bound);
  let expected = 0;
  let scale = 1;
  wrt.forEach((value, i) => {
    const gradient = found[i] && arrays[present.indexOf(found[i])]!;
    gradient?.data.forEach((slope, j) => {
      const part = slope * directions.get(value)!.data[j]!;
      expected += part;
      scale += Math.abs(part);
    });
  });
  const measured = difference(f, bound, directions);
  expect(Number.isFinite(expected), `${where}: the gradient is ${expected}`).toBe(true);
  expect(Math.abs(measured - expected), `${where}: differences give ${measured}, the gradient ${expected}`).toBeLessThanOrEqual(
    2e-6 * scale,
  );
}

/** The sum of all products of values and weights, as a scalar of the graph. */
const weighted = (values: readonly Value[], weights: readonly Value[]): Value =>
  values.map((value, i) => sum(mul(value, weights[i]!))).reduce((a, b) => add(a, b));

function checkSample(op: Op, sample: Sample, where: string): void {
  const count = op.infer(sample.inputs, sample.attributes).filter(({ dtype }) => dtype === 'float32').length;
  checkOutputs(op, sample, () => true, where);
  // A rule must also hold where only one output reaches the result.
  for (let only = 0; count > 1 && only < count; only++) checkOutputs(op, sample, (_, i) => i === only, `${where}, output ${only}`);
}

function checkOutputs(op: Op, sample: Sample, chosen: (output: Value, i: number) => boolean, where: string): void {
  const operands = operandsOf(sample, 3);
  const inputs = sample.inputs.map(({ shape, dtype }) => leaf(shape, dtype));
  const bound = new Map(inputs.map((input, i) => [input, operands[i]!]));
  const weightOf = (value: Value): Value => {
    const weight = leaf(value.shape, value.dtype);
    bound.set(weight, direction(weight));
    return weight;
  };
  const wrt = inputs.filter(({ dtype }) => dtype === 'float32');
  const outputs = apply(op, inputs, sample.attributes)
    .filter(({ dtype }) => dtype === 'float32')
    .filter(chosen);
  if (wrt.length === 0 || outputs.length === 0) return;

  const weights = outputs.map(weightOf);
  const first = gradients(outputs, weights, wrt);
  expectGradient(weighted(outputs, weights), wrt, first, bound, `${where}, first order`);

  const slopes = first.filter((gradient) => gradient !== undefined);
  if (slopes.length === 0) return;
  const slopeWeights = slopes.map(weightOf);
  const both = [...wrt, ...weights];
  const second = gradients(slopes, slopeWeights, both);
  expectGradient(weighted(slopes, slopeWeights.map(detach)), both, second, bound, `${where}, second order`);
}

describe('gradient rules agree with finite differences in the first and the second order', () => {
  const differentiable = names.filter((name) => {
    const { gradient, decompose } = records[name] as unknown as Op;
    return (
      (gradient || decompose) && (samples[name] as readonly Sample[]).some(({ inputs }) => inputs.some(({ dtype }) => dtype === 'float32'))
    );
  });

  it.each(differentiable)('%s', (name) => {
    const op = records[name] as unknown as Op;
    const list = samples[name] as readonly Sample[];
    let checked = 0;
    for (const [i, sample] of list.entries()) {
      if (sample.smooth === false || !isSmall(op, sample)) continue;
      checkSample(op, sample, `${name}, sample ${i}`);
      checked++;
    }
    expect(checked).toBeGreaterThan(0);
  });
});
