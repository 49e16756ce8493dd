// Whole training steps as graphs, with their data: a perceptron, two CNNs and a recurrent network, each in forms that mean the same.
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { arrayOf } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { randomOf } from '../references/samples/sample.js';
import { ModelBuilder } from '../unit/compilerModels.js';
import type { Model } from '../unit/compilerModels.js';

export interface Form {
  /** The batch in this many parts, whose gradients are added up. */
  readonly parts?: number;
  /** Inner values are computed again for the backward pass. */
  readonly recomputed?: boolean;
}

export interface Training extends Model {
  readonly data: ReadonlyMap<Value, NdArray64>;
}

interface Network {
  readonly input: readonly number[];
  readonly classes: number;
  readonly shapes: readonly (readonly number[])[];
  /** Logits, and batch statistics. */
  forward(x: Value, parameters: readonly Value[]): { logits: Value; statistics: readonly Value[] };
}

const BATCH = 12;
const dense = (x: Value, w: Value, b: Value): Value => ops.add(ops.matmul(x, w, { transposeB: true }), b);
const flatten = (x: Value): Value => ops.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);

export const networks: Record<'perceptron' | 'CNN' | 'batch-norm CNN' | 'recurrent network', Network> = {
  perceptron: {
    input: [20],
    classes: 5,
    shapes: [[32, 20], [32], [32, 32], [32], [5, 32], [5]],
    forward(x, [w1, b1, w2, b2, w3, b3]) {
      const hidden = ops.gelu(dense(ops.relu(dense(x, w1!, b1!)), w2!, b2!));
      return { logits: dense(hidden, w3!, b3!), statistics: [] };
    },
  },
  CNN: {
    input: [12, 12, 1],
    classes: 5,
    shapes: [[8, 3, 3, 1], [8], [16, 200], [16], [5, 16], [5]],
    forward(x, [w1, b1, w2, b2, w3, b3]) {
      const pooled = ops.maxPool2d(ops.relu(ops.add(ops.conv2d(x, w1!), b1!)), 2);
      return { logits: dense(ops.relu(dense(flatten(pooled), w2!, b2!)), w3!, b3!), statistics: [] };
    },
  },
  'batch-norm CNN': {
    input: [12, 12, 1],
    classes: 5,
    shapes: [[8, 3, 3, 1], [8], [8], [6, 3, 3, 8], [6], [6], [5, 54], [5]],
    forward(x, [w1, s1, t1, w2, s2, t2, w3, b3]) {
      const first = ops.batchNorm(ops.conv2d(x, w1!), s1!, t1!);
      const second = ops.batchNorm(ops.conv2d(ops.maxPool2d(ops.relu(first.y), 2), w2!), s2!, t2!);
      const statistics = [first.mean, first.variance, second.mean, second.variance];
      return { logits: dense(flatten(ops.relu(second.y)), w3!, b3!), statistics };
    },
  },
  'recurrent network': {
    input: [4, 6],
    classes: 5,
    shapes: [[36, 6], [36, 9], [36], [27, 9], [27, 9], [27], [9], [5, 9], [5]],
    forward(x, [w1, v1, b1, w2, v2, b2, c2, w3, b3]) {
      const h = ops.constant(0, [x.shape[0]!, 9]);
      const first = ops.lstm(dense(x, w1!, b1!), v1!, { h, c: h });
      const second = ops.gru(dense(first.y, w2!, b2!), v2!, c2!, h, undefined, true);
      return { logits: dense(second.h, w3!, b3!), statistics: [] };
    },
  },
};

/** One step of Adam on the mean cross-entropy of a batch. Results: the loss, its gradients, and the batch statistics. */
export function trainingStep({ input, classes, shapes, forward }: Network, { parts = 1, recomputed = false }: Form = {}): Training {
  const build = new ModelBuilder();
  const x = build.input([BATCH, ...input]);
  const labels = build.input([BATCH], 'int32');
  const p = shapes.map((shape) => build.state(shape));
  const size = BATCH / parts;
  const share = (value: Value, part: number): Value => ops.sliceAxis(value, 0, part * size, (part + 1) * size);
  const each = Array.from({ length: parts }, (_, part) => {
    const run = (batch: Value, ...parameters: Value[]) => forward(batch, parameters);
    const mine = share(x, part);
    const { logits, statistics } = recomputed ? ops.checkpoint(run, [mine, ...p]) : run(mine, ...p);
    const loss = ops.mul(ops.sum(ops.crossEntropy(logits, share(labels, part))), 1 / BATCH);
    return { loss, statistics, gradients: ops.gradients([loss], [ops.onesLike(loss)], p) };
  });
  const total = (values: readonly Value[]): Value => values.reduce((a, b) => ops.add(a, b));
  const loss = total(each.map((part) => part.loss));
  const gradients = p.map((_, i) => total(each.map((part) => part.gradients[i]!)));
  const learningRate = build.input([]);
  const step = build.input([]);
  p.forEach((parameter, i) => {
    const [m, v] = [build.state(parameter.shape), build.state(parameter.shape)];
    const after = ops.adamUpdate(
      { parameter, gradient: gradients[i]!, mean: m, meanSquare: v, learningRate, step, scale: ops.constant(1) },
      { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, decoupled: true },
    );
    build.updates.push(
      { target: parameter, value: after.parameter },
      { target: m, value: after.mean },
      { target: v, value: after.meanSquare },
    );
  });
  const results = [loss, ...gradients, ...each.flatMap((part) => part.statistics)];
  return { results, updates: build.updates, checks: [loss], bindings: build.bindings, data: dataOf(build, classes, learningRate, step) };
}

function dataOf({ bindings, updates }: ModelBuilder, classes: number, learningRate: Value, step: Value): Map<Value, NdArray64> {
  const random = randomOf(5);
  const squares = new Set(updates.filter((_, i) => i % 3 === 2).map(({ target }) => target));
  const element = (value: Value): (() => number) => {
    if (value === learningRate) return () => 0.01;
    if (value === step) return () => 7;
    if (value.dtype === 'int32') return () => Math.floor(random() * classes);
    if (squares.has(value)) return () => random();
    const reach = 1 / Math.sqrt(Math.max(1, sizeOf(value.shape.slice(1)) / 9));
    return () => reach * (2 * random() - 1);
  };
  return new Map(
    bindings.map(({ value }) => {
      const next = element(value);
      return [
        value,
        arrayOf(
          value,
          Array.from({ length: sizeOf(value.shape) }, () => Math.fround(next())),
        ),
      ];
    }),
  );
}
