// A loop as one node: its body is a graph of its own (graph/loop.ts), traced once, whatever the number of iterations.
import { isFloat } from '../graph/dtype.js';
import type { Loop } from '../graph/loop.js';
import { apply, newestId, reachable, withContext } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import type { Op, Type } from '../graph/op.js';
import { sameShape, show, sizeOf } from '../graph/op.js';
import { add } from './arithmetic.js';
import { broadcastRecords, reshape } from './broadcast.js';
import { gradients } from './gradient.js';
import { constant, leaf, zerosLike } from './leaf.js';
import { closeBody, copyGraph, sources } from './loopBody.js';
import { concat, expandDims, sliceAxis, stack } from './movement.js';
import { stackedSums } from './scanSums.js';
import { fail } from './support.js';

export type ScanAttributes = { readonly length: number; readonly reverse: boolean };

const stackedType = ({ shape, dtype }: Type, length: number): Type => ({ shape: [length, ...shape], dtype });
const sameType = (a: Type, b: Type): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);

/**
 * The record of a loop over `loop`. Inputs: the captured values, the first carries, and the sequences, whose first axis the
 * iterations run over. Outputs: the last carries, and what the iterations yielded, stacked along a new first axis.
 */
export function scanRecord(loop: Loop): Op<ScanAttributes> {
  const { parameters, captures, carries, results } = loop;
  const body = reachable(results);
  return {
    name: 'scan',
    cost: 'contraction',
    loop,
    reports: body.some(({ op }) => op.reports),
    infer(inputs, { length }) {
      parameters.forEach((parameter, i) => {
        const expected = i < captures + carries ? parameter : stackedType(parameter, length);
        if (!inputs[i] || !sameType(inputs[i], expected)) {
          fail('SHAPE_MISMATCH', 'scan', `input ${i} must be ${show(expected)}, not ${inputs[i] ? show(inputs[i]) : 'missing'}`);
        }
      });
      return results.map((result, i) => (i < carries ? { shape: result.shape, dtype: result.dtype } : stackedType(result, length)));
    },
    decompose: (inputs, attributes) => unroll(loop, inputs, attributes),
    gradient: (node, cotangents, needed) => scanGradient(loop, node, cotangents, needed),
    flops: (_inputs, _outputs, { length }) => length * body.reduce((total, node) => total + flopsOf(node), 0),
  };
}

function flopsOf({ op, inputs, outputs, attributes }: Node): number {
  if (op.flops) return op.flops(inputs, outputs, attributes);
  if (op.cost !== 'elementwise' && op.cost !== 'reduce') return 0;
  return (op.cost === 'elementwise' ? outputs : inputs).reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** The loop written out: one copy of the body for each iteration. */
function unroll(loop: Loop, inputs: readonly Value[], { length, reverse }: ScanAttributes): Value[] {
  const { parameters, captures, carries, results } = loop;
  const first = captures + carries;
  let carry = inputs.slice(captures, first);
  const yielded: Value[][] = results.slice(carries).map(() => []);
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const replaced = new Map(
      parameters.map((parameter, i) => {
        if (i < captures) return [parameter, inputs[i]!];
        if (i < first) return [parameter, carry[i - captures]!];
        return [parameter, reshape(sliceAxis(inputs[i]!, 0, at, at + 1), parameter.shape)];
      }),
    );
    const out = copyGraph(results, replaced);
    carry = out.slice(0, carries);
    out.slice(carries).forEach((y, i) => {
      yielded[i]![at] = y;
    });
  }
  return [
    ...carry,
    ...yielded.map((ys, i) => (length ? stack(ys) : constant(0, [0, ...results[carries + i]!.shape], results[carries + i]!.dtype))),
  ];
}

/** What a body builds from values of one iteration. */
export interface Iteration {
  readonly carry: readonly Value[];
  readonly y: readonly Value[];
}

/** A sequence that is known only when the body has been traced, and the leaf that stands for a slice of it. */
export interface LateSequence {
  readonly slice: Value;
  readonly sequence: Value;
}

export interface ScanOptions {
  readonly length: number;
  /** From the last slice to the first; what is yielded lies where the slice lay. */
  readonly reverse?: boolean;
  /** Called once the body has been traced. */
  late?(): readonly LateSequence[];
}

/**
 * Runs a body once for each slice of `xs` along the first axis: each run takes the carries of the one before. The body is traced
 * once, here; the loop is one node, whose plan does not grow with its length.
 *
 * @returns the last carries, and what the iterations yielded, stacked along a new first axis
 */
export function scan(
  fn: (carry: readonly Value[], x: readonly Value[]) => Iteration,
  init: readonly Value[],
  xs: readonly Value[],
  { length, reverse = false, late }: ScanOptions,
): { carry: readonly Value[]; ys: readonly Value[] } {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`scan: length ${length} must be an integer of at least 0`);
  for (const x of xs) {
    if (x.shape[0] !== length)
      fail('SHAPE_MISMATCH', 'scan', `a sequence has shape ${show(x)}, but the first axis must have size ${length}`);
  }
  const carries = init.map(({ shape, dtype }) => leaf(shape, dtype));
  const slices = xs.map(({ shape, dtype }) => leaf(shape.slice(1), dtype));
  // A region that the whole loop belongs to recomputes the whole loop: its body is no part of it.
  const { carry, y } = withContext({ region: 0, recomputed: 0 }, () => fn(carries, slices));
  carry.forEach((value, i) => {
    if (!init[i] || !sameType(value, init[i])) {
      fail('SHAPE_MISMATCH', 'scan', `carry ${i} is ${init[i] ? show(init[i]) : 'missing'}, but the body makes it ${show(value)}`);
    }
  });
  const more = late?.() ?? [];
  const { loop, captured } = closeBody(carries, [...slices, ...more.map(({ slice }) => slice)], [...carry, ...y]);
  if (length === 0) return { carry: init, ys: y.map(({ shape, dtype }) => constant(0, [0, ...shape], dtype)) };
  const outputs = apply(scanRecord(loop), [...captured, ...init, ...xs, ...more.map(({ sequence }) => sequence)], { length, reverse });
  return { carry: outputs.slice(0, carries.length), ys: outputs.slice(carries.length) };
}

/**
 * The gradient of a loop is a loop in the other direction. It carries the cotangents of the carries, and the sums of those of the
 * captured values (but for sums that are better made afterwards, ops/scanSums.ts); it reads the sequences, and what the gradient of the body needs of each iteration: the loop runs with these
 * values as further yields, and the compiler makes one loop of it and the one that is differentiated.
 */
function scanGradient(
  loop: Loop,
  node: Node,
  cotangents: readonly (Value | undefined)[],
  needed: readonly boolean[],
): (Value | undefined)[] {
  const { parameters, captures, carries, results } = loop;
  const { length, reverse } = node.attributes as ScanAttributes;
  const isCarry = (i: number): boolean => i >= captures && i < captures + carries;

  const floor = newestId();
  const seeds = results.map((result, i) =>
    isFloat(result.dtype) && (i < carries || cotangents[i]) ? leaf(result.shape, result.dtype) : undefined,
  );
  const wanted = parameters.map((_, i) => i).filter((i) => isFloat(parameters[i]!.dtype) && (isCarry(i) || needed[i]));
  const slopes = withContext({ stopped: false, region: 0, recomputed: 0 }, () =>
    gradients(
      results,
      seeds,
      wanted.map((i) => parameters[i]!),
    ),
  );
  const found = new Map(wanted.map((i, at) => [i, slopes[at] ?? (isCarry(i) ? zerosLike(parameters[i]!) : undefined)]));
  const through = [...found.keys()].filter((i) => found.get(i));
  const carried = through.filter(isCarry);
  const sliced = through.filter((i) => i >= captures + carries);
  const afterwards = stackedSums(new Map(through.filter((i) => i < captures).map((i) => [i, found.get(i)!])));
  const summed = through.filter((i) => i < captures && !afterwards.has(i));
  const operands = [...new Set([...afterwards.values()].flatMap((sum) => sum.operands))];
  const roots = [...carried, ...summed, ...sliced].map((i) => found.get(i)!);

  // What is read of the forward body, apart from its parameters, becomes one more yield of it.
  const read = forwardValues([...roots, ...operands], floor);
  const place = new Map(parameters.map((parameter, i) => [parameter, i]));
  const before = [...read].filter((value) => isCarry(place.get(value) ?? -1));
  const saved = [...read].filter((value) => !place.has(value));
  const after = before.map((value) => results[place.get(value)! - captures]!);
  const extra = [...new Set([...saved, ...after])].filter((value) => !results.includes(value, carries));
  const all = [...results, ...extra];
  const outputs = extra.length ? apply(scanRecord({ ...loop, results: all }), node.inputs, node.attributes) : node.outputs;
  const stacked = (value: Value): Value => outputs[all.indexOf(value, carries)]!;

  const sequences = new Map<Value, Value>();
  for (const value of read) if ((place.get(value) ?? -1) >= captures + carries) sequences.set(value, node.inputs[place.get(value)!]!);
  before.forEach((value, i) => sequences.set(value, shifted(stacked(after[i]!), node.inputs[place.get(value)!]!, reverse)));
  for (const value of saved) sequences.set(value, stacked(value));
  seeds.forEach((seed, i) => i >= carries && seed && sequences.set(seed, cotangents[i]!));

  /** A value in all iterations, if no further yield is needed to know it. */
  const known = (value: Value): Value | undefined => {
    const sequence = sequences.get(value);
    if (sequence || (value.node.op as unknown) !== broadcastRecords.reshape) return sequence;
    const whole = known(value.node.inputs[0]!);
    return whole && reshape(whole, [length, ...value.shape]);
  };
  const yielded = operands.filter((operand) => !known(operand));

  const seedOf = (i: number): Value => seeds[i - captures]!;
  const { carry, ys } = scan(
    (carry, x) => {
      const replaced = new Map<Value, Value>([...sequences.keys()].map((value, i) => [value, x[i]!]));
      carried.forEach((i, at) => replaced.set(seedOf(i), carry[at]!));
      for (let i = 0; i < captures; i++) replaced.set(parameters[i]!, node.inputs[i]!);
      const flows = copyGraph([...roots, ...yielded], replaced);
      const sums = summed.map((_, i) => add(carry[carried.length + i]!, flows[carried.length + i]!));
      return { carry: [...flows.slice(0, carried.length), ...sums], y: flows.slice(carried.length + summed.length) };
    },
    [...carried.map((i) => cotangents[i - captures] ?? zerosLike(parameters[i]!)), ...summed.map((i) => zerosLike(parameters[i]!))],
    [...sequences.values()],
    { length, reverse: !reverse },
  );
  const flows = new Map([...carried, ...summed].map((i, at) => [i, carry[at]!]));
  sliced.forEach((i, at) => flows.set(i, ys[at]!));
  for (const [i, sum] of afterwards)
    flows.set(
      i,
      sum.total((value) => known(value) ?? ys[sliced.length + yielded.indexOf(value)]!),
    );
  return node.inputs.map((_, i) => (needed[i] ? flows.get(i) : undefined));
}

/** Values that `roots` need of a body whose nodes are no younger than `floor`. Views of them are taken again. */
function forwardValues(roots: readonly Value[], floor: number): Set<Value> {
  const edge: Value[] = [];
  const seen = new Set<Node>();
  const pending = [...roots];
  while (pending.length) {
    const value = pending.pop()!;
    if (value.node.id <= floor) edge.push(value);
    else if (!seen.has(value.node)) {
      seen.add(value.node);
      pending.push(...value.node.inputs);
    }
  }
  return sources(edge);
}

/** What an iteration began with, given what each ended with: the first began with `init`. */
function shifted(ends: Value, init: Value, reverse: boolean): Value {
  const length = ends.shape[0]!;
  const first = expandDims(init, 0);
  if (length === 1) return first;
  return reverse ? concat([sliceAxis(ends, 0, 1, length), first], 0) : concat([first, sliceAxis(ends, 0, 0, length - 1)], 0);
}
