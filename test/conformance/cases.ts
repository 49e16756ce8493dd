// What is checked of one op: values of a graph that a device computes, with the values and bounds that they should have.
import { apply } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import type { DType } from '../../src/graph/dtype.js';
import { sizeOf } from '../../src/graph/op.js';
import { gradients, leaf } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { operandsOf } from '../references/samples.js';
import type { Sample } from '../references/samples.js';
import { randomOf, real } from '../references/samples/sample.js';
import { evaluateBounded, exact } from './tolerance.js';
import type { Bounded } from './tolerance.js';
import { dtypeOf, inputAs, recordOf, samplesOf } from './variants.js';

export const checks = ['forward', 'gradient', 'second', 'decomposition'] as const;
export type Check = (typeof checks)[number];

/** One value to be computed. */
export interface Root {
  readonly value: Value;
  readonly check: Check;
  readonly sample: number;
  readonly dtype: DType;
  readonly expected: Bounded;
}

export interface Cases {
  readonly name: OpName;
  readonly bound: ReadonlyMap<Value, NdArray64>;
  readonly roots: readonly Root[];
  /** Why a check is not made of this op at all. */
  readonly reasons: ReadonlyMap<Check, string>;
}

/** References of larger samples take seconds for a second derivative; POLLUX_TEST=full takes them. */
const LARGEST_SECOND = process.env['POLLUX_TEST'] === 'full' ? Infinity : 30_000;

const random = randomOf(19);
const weightsOf = (value: Value): NdArray64 =>
  arrayOf(
    value,
    Array.from({ length: sizeOf(value.shape) }, () => Math.fround(2 * random() - 1)),
  );

/** Why an op has no derivative to check; undefined if it has. */
function notDifferentiable(name: OpName, list: readonly Sample[]): string | undefined {
  const { gradient, decompose, stops, infer, cost } = recordOf(name);
  if (stops) return 'no gradient passes';
  if (cost === 'source') return 'no operands';
  if (!gradient && !decompose) return 'yields no float';
  const floats = list.some(
    (sample) =>
      sample.inputs.some(({ dtype }) => dtype === 'float32') &&
      infer(sample.inputs, sample.attributes).some(({ dtype }) => dtype === 'float32'),
  );
  return floats ? undefined : 'no floats';
}

export function casesOf(name: OpName, list: readonly Sample[] = samplesOf(name)): Cases {
  const op = recordOf(name);
  const bound = new Map<Value, NdArray64>();
  const wanted: Omit<Root, 'expected'>[] = [];
  const bind = (array: NdArray64): Value => {
    const value = leaf(array.shape, array.dtype);
    bound.set(value, array);
    return value;
  };

  const reasons = new Map<Check, string>();
  const reason = notDifferentiable(name, list);
  if (reason) for (const check of ['gradient', 'second'] as const) reasons.set(check, reason);
  if (!op.decompose) reasons.set('decomposition', 'a primitive');

  for (const [number, sample] of list.entries()) {
    const add = (check: Check, values: readonly Value[]): void => {
      for (const value of values) wanted.push({ value, check, sample: number, dtype: dtypeOf(name, sample) });
    };
    // A leaf takes no operand, but data.
    const { shape, dtype } = sample.attributes as { shape: readonly number[]; dtype: DType };
    const bindings = name === 'leaf' ? [inputAs(real(shape), dtype)] : sample.inputs;
    const inputs = operandsOf({ ...sample, inputs: bindings }, number + 1).map(bind);
    const outputs = name === 'leaf' ? inputs : apply(op, inputs, sample.attributes);
    add('forward', outputs);
    if (op.decompose) add('decomposition', op.decompose(inputs, sample.attributes, outputs[0]!.node));

    const wrt = inputs.filter(({ dtype }) => dtype === 'float32');
    const floats = outputs.filter(({ dtype }) => dtype === 'float32');
    if (reason || sample.smooth === false || !wrt.length || !floats.length) continue;
    const weights = floats.map((output) => bind(weightsOf(output)));
    const slopes = gradients(floats, weights, wrt).filter((gradient) => gradient !== undefined);
    add('gradient', slopes);
    const work = op.flops?.(sample.inputs, outputs, sample.attributes) ?? 0;
    if (!slopes.length || work > LARGEST_SECOND) continue;
    const again = gradients(
      slopes,
      slopes.map((slope) => bind(weightsOf(slope))),
      [...wrt, ...weights],
    );
    add(
      'second',
      again.filter((gradient) => gradient !== undefined),
    );
  }
  const known = new Map([...bound].map(([value, array]) => [value, exact(array)]));
  const expected = evaluateBounded(
    wanted.map(({ value }) => value),
    known,
  );
  return { name, bound, reasons, roots: wanted.map((root, i) => ({ ...root, expected: expected[i]! })) };
}
