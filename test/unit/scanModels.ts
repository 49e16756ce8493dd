import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import type { Iteration, ScanOptions } from '../../src/ops/index.js';
import type { NdArray64 } from '../references/index.js';
import { ModelBuilder } from './compilerModels.js';
import type { Model } from './compilerModels.js';

/** Runs a body over sequences: as a loop, or written out by hand. */
export type Runner = (
  fn: (carry: readonly Value[], x: readonly Value[]) => Iteration,
  init: readonly Value[],
  xs: readonly Value[],
  options: ScanOptions,
) => { carry: readonly Value[]; ys: readonly Value[] };

/** The loop in JavaScript, as a user would write it without `scan`. */
export const written: Runner = (fn, init, xs, { length, reverse = false }) => {
  let carry = init;
  const ys: Value[][] = [];
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const { carry: next, y } = fn(
      carry,
      xs.map((x) => ops.reshape(ops.sliceAxis(x, 0, at, at + 1), x.shape.slice(1))),
    );
    carry = next;
    y.forEach((value, i) => ((ys[i] ??= [])[at] = value));
  }
  return { carry, ys: ys.map((list) => ops.stack(list)) };
};

interface Built {
  readonly inputs: readonly Value[];
  readonly results: readonly Value[];
}

const float = (...shape: number[]): Value => ops.leaf(shape, 'float32');
const product = (a: Value, b: Value): Value => ops.matmul(a, b);

/** h' = tanh(x U + h W + b); yields h' and its square. */
function rnn(run: Runner, length = 5, reverse = false): Built {
  const [xs, u, w, b, h] = [float(length, 2, 3), float(3, 4), float(4, 4), float(4), float(2, 4)];
  const { carry, ys } = run(
    ([h], [x]) => {
      const next = ops.tanh(ops.add(ops.add(product(x!, u), product(h!, ops.transpose(w))), b));
      return { carry: [next], y: [next, ops.square(next)] };
    },
    [h],
    [xs],
    { length, reverse },
  );
  return { inputs: [xs, u, w, b, h], results: [...carry, ...ys] };
}

/** Gated units (Cho et al. 2014), two carries, one of them of integers. */
function gru(run: Runner): Built {
  const [xs, wz, wr, wh, h] = [float(4, 2, 3), float(5, 2), float(5, 2), float(5, 2), float(2, 2)];
  const { carry, ys } = run(
    ([h, count], [x]) => {
      const joined = ops.concat([x!, h!], 1);
      const z = ops.sigmoid(product(joined, wz));
      const r = ops.sigmoid(product(joined, wr));
      const candidate = ops.tanh(product(ops.concat([x!, ops.mul(r, h!)], 1), wh));
      const next = ops.add(ops.mul(ops.sub(1, z), h!), ops.mul(z, candidate));
      return { carry: [next, ops.add(count!, 1)], y: [next, count!] };
    },
    [h, ops.constant(0, [], 'int32')],
    [xs],
    { length: 4 },
  );
  return { inputs: [xs, wz, wr, wh, h], results: [...carry, ...ys] };
}

/** Sums that run along an axis, from the end. */
function cumulative(run: Runner): Built {
  const xs = float(6, 3);
  const { carry, ys } = run(
    ([total], [x]) => {
      const next = ops.add(total!, x!);
      return { carry: [next], y: [next] };
    },
    [ops.constant(0, [3])],
    [xs],
    { length: 6, reverse: true },
  );
  return { inputs: [xs], results: [...carry, ...ys] };
}

/** A loop in a loop: the inner one starts from a carry of the outer, runs over a slice of it, and captures from both levels. */
function nested(run: Runner): Built {
  const [xs, w, a] = [float(3, 4, 2), float(2, 2), float(2)];
  const outer = run(
    ([a], [rows]) => {
      const scale = ops.sigmoid(a!);
      const inner = run(
        ([c], [row]) => {
          const next = ops.add(ops.mul(c!, scale), ops.reshape(product(ops.reshape(row!, [1, 2]), w), [2]));
          return { carry: [next], y: [ops.mul(next, a!), c!] };
        },
        [a!],
        [rows!],
        { length: 4, reverse: true },
      );
      return { carry: [ops.tanh(inner.carry[0]!)], y: [inner.ys[0]!, ops.sum(inner.ys[1]!, [0]), inner.carry[0]!] };
    },
    [a],
    [xs],
    { length: 3 },
  );
  return { inputs: [xs, w, a], results: [...outer.carry, ...outer.ys] };
}

/** Carries that change places, stay, become a capture or a slice; yields that are a carry, a capture, a constant, or the same twice. */
function odd(run: Runner): Built {
  const [xs, a, b, c, k] = [float(3, 2, 2), float(2, 2), float(2, 2), float(2, 2), float(2, 2)];
  const { carry, ys } = run(
    ([a, b, stays, old, fixed], [x]) => {
      const turned = ops.transpose(x!);
      return {
        carry: [b!, a!, stays!, turned, k],
        y: [a!, k, ops.constant(3, [2]), turned, turned, ops.sub(ops.sliceAxis(b!, 0, 0, 1), 1), old!, ops.transpose(fixed!)],
      };
    },
    [a, b, c, k, c],
    [xs],
    { length: 3 },
  );
  return { inputs: [xs, a, b, c, k], results: [...carry, ...ys] };
}

/** A cache that each iteration writes a row of, in place: what it reads of the content before must come first. */
function cache(run: Runner): Built {
  const [xs, cache] = [float(5, 3), float(5, 3)];
  const { carry, ys } = run(
    ([rows, position], [x]) => {
      const start = ops.mul(ops.cast(ops.equal(ops.iota([2]), 0), 'int32'), position!);
      const next = ops.dynamicUpdateSlice(rows!, ops.reshape(x!, [1, 3]), start);
      return { carry: [next, ops.add(position!, 1)], y: [ops.sum(ops.square(next), [0]), ops.sum(ops.sin(rows!))] };
    },
    [cache, ops.constant(0, [], 'int32')],
    [xs],
    { length: 5 },
  );
  return { inputs: [xs, cache], results: [...carry, ...ys] };
}

/** Sequences and first carries that do not lie as a loop wants them. */
function strided(run: Runner): Built {
  const [xs, v, h] = [float(2, 4, 3), float(3, 5), float(3, 2)];
  const { carry, ys } = run(
    ([h], [x, row]) => ({ carry: [ops.add(h!, ops.mul(x!, 2))], y: [ops.add(product(h!, ops.transpose(h!)), ops.sum(row!))] }),
    [ops.transpose(h)],
    [ops.transpose(xs, [1, 0, 2]), ops.flip(ops.sliceAxis(ops.transpose(v), 0, 0, 4), [0])],
    { length: 4 },
  );
  return { inputs: [xs, v, h], results: [...carry, ...ys] };
}

export const loops: Record<string, (run: Runner) => Built> = {
  rnn,
  'rnn, from the end': (run) => rnn(run, 4, true),
  'one iteration': (run) => rnn(run, 1),
  'two iterations': (run) => rnn(run, 2),
  gru,
  cumulative,
  nested,
  odd,
  cache,
  strided,
};

/** Weights of the results, so that all of them count in one number. */
export function lossOf(results: readonly Value[]): Value {
  const terms = results
    .filter(({ dtype }) => dtype === 'float32')
    .map((value, i) =>
      ops.sum(ops.mul(value, ops.sin(ops.add(ops.reshape(ops.iota([sizeOf(value.shape)], 0, 'float32'), value.shape), i)))),
    );
  return terms.reduce((a, b) => ops.add(a, b));
}

export function modelOf({ inputs, results }: Built): Model {
  const builder = new ModelBuilder();
  for (const value of inputs) builder.bindings.push({ value, kind: 'input' });
  return { results, updates: [], checks: [], bindings: builder.bindings };
}

/** Results and gradients of them, first and second. */
export function withGradients({ inputs, results }: Built): Built {
  const first = ops.gradients([lossOf(results)], [ops.constant(1)], inputs).map((x, i) => x ?? ops.zerosLike(inputs[i]!));
  const second = ops.gradients([lossOf(first)], [ops.constant(1)], inputs).map((x, i) => x ?? ops.zerosLike(inputs[i]!));
  return { inputs, results: [...results, ...first, ...second] };
}

export function dataFor(inputs: readonly Value[]): Map<Value, NdArray64> {
  let state = 7;
  const draw = (): number => {
    state = (state * 16807) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  };
  return new Map(
    inputs.map((value) => [
      value,
      { shape: value.shape, dtype: value.dtype, data: Float64Array.from({ length: sizeOf(value.shape) }, draw) },
    ]),
  );
}
