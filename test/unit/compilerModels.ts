import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import type { CompileRequest, Target } from '../../src/compiler/index.js';
import { dtypes } from '../../src/graph/dtype.js';
import type { DType } from '../../src/graph/dtype.js';
import * as ops from '../../src/ops/index.js';
import { records } from '../../src/ops/index.js';

const all: ReadonlySet<DType> = new Set(dtypes);
const composites = new Set(['conv2dMaxPool', 'conv2dGradWeightUnpool']);

/** Backends that exist on paper only. */
export function fakeTarget(options: {
  fusions?: readonly string[];
  strided?: boolean;
  matrix?: boolean;
  composites?: boolean;
  lacks?: readonly string[];
  name?: string;
}): Target {
  const { fusions = [], strided = false, matrix = false, lacks = [] } = options;
  return {
    name: options.name ?? 'fake',
    kernel: (name) =>
      lacks.includes(name) || (composites.has(name) && !options.composites) || !Object.hasOwn(records, name)
        ? undefined
        : {
            dtypes: all,
            stridedInputs: strided,
            matrixInputs: matrix && name === 'matmul',
            stridedOutputs: false,
            fusions: new Set(fusions),
          },
    instruction: (op) =>
      lacks.includes(op) || (records as Record<string, { cost: string } | undefined>)[op]?.cost !== 'elementwise'
        ? undefined
        : { dtypes: all },
  };
}

export const targets = {
  plain: fakeTarget({ name: 'plain' }),
  strided: fakeTarget({ name: 'strided', strided: true }),
  everything: fakeTarget({ name: 'everything', fusions: ['bias', 'relu'], matrix: true, composites: true }),
  poor: fakeTarget({
    name: 'poor',
    lacks: [
      'softmax',
      'logSoftmax',
      'crossEntropy',
      'crossEntropyGrad',
      'adamUpdate',
      'sgdUpdate',
      'gelu',
      'silu',
      'softplus',
      'batchNorm',
      'batchNormGrad',
    ],
  }),
};

/** A graph with its leaves: everything of a request but the target. */
export type Model = Omit<CompileRequest, 'target'>;

export class ModelBuilder {
  readonly bindings: { value: Value; kind: 'input' | 'state' }[] = [];
  readonly updates: { target: Value; value: Value }[] = [];

  input(shape: readonly number[], dtype: DType = 'float32'): Value {
    const value = ops.leaf(shape, dtype);
    this.bindings.push({ value, kind: 'input' });
    return value;
  }

  state(shape: readonly number[], dtype: DType = 'float32'): Value {
    const value = ops.leaf(shape, dtype);
    this.bindings.push({ value, kind: 'state' });
    return value;
  }

  /** One Adam step on the mean of `losses` for all `parameters`. */
  adam(loss: Value, parameters: readonly Value[]): void {
    const learningRate = this.input([]);
    const before = this.state([]);
    const step = ops.add(before, 1);
    this.updates.push({ target: before, value: step });
    const gradients = ops.gradients([loss], [ops.onesLike(loss)], parameters);
    parameters.forEach((p, i) => {
      const m = this.state(p.shape);
      const v = this.state(p.shape);
      const after = ops.adamUpdate(
        { parameter: p, gradient: gradients[i]!, mean: m, meanSquare: v, learningRate, step, scale: ops.constant(1) },
        { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0, decoupled: false },
      );
      this.updates.push({ target: p, value: after.parameter }, { target: m, value: after.mean }, { target: v, value: after.meanSquare });
    });
  }
}

const dense = (x: Value, w: Value, b: Value): Value => ops.add(ops.matmul(x, w, { transposeB: true }), b);
const mean = (x: Value): Value => ops.mul(ops.sum(x), 1 / sizeOf(x.shape));

/** A multilayer perceptron with gelu, trained by Adam on squared error. */
export function mlpStep(batch = 4, width = 5): Model {
  const build = new ModelBuilder();
  const x = build.input([batch, 3]);
  const target = build.input([batch, 2]);
  const shapes = [[width, 3], [width], [width, width], [width], [2, width], [2]];
  const p = shapes.map((shape) => build.state(shape));
  const first = ops.relu(dense(x, p[0]!, p[1]!));
  const second = ops.gelu(dense(first, p[2]!, p[3]!));
  const y = dense(second, p[4]!, p[5]!);
  const loss = mean(ops.square(ops.sub(y, target)));
  build.adam(loss, p);
  return { results: [loss, y], updates: build.updates, checks: [loss], bindings: build.bindings };
}

/** The articles' CNN: conv, relu, max pooling, two dense layers; Adam. */
export function cnnStep(batch = 2, size = 8, filters = 3, hidden = 6): Model {
  const build = new ModelBuilder();
  const x = build.input([batch, size, size, 1]);
  const labels = build.input([batch], 'int32');
  const pooled = Math.floor((size - 2) / 2);
  const shapes = [[filters, 3, 3, 1], [filters], [hidden, pooled * pooled * filters], [hidden], [10, hidden], [10]];
  const p = shapes.map((shape) => build.state(shape));
  const convolved = ops.relu(ops.add(ops.conv2d(x, p[0]!), p[1]!));
  const flat = ops.reshape(ops.maxPool2d(convolved, 2), [batch, pooled * pooled * filters]);
  const logits = dense(ops.relu(dense(flat, p[2]!, p[3]!)), p[4]!, p[5]!);
  const loss = mean(ops.crossEntropy(logits, labels));
  build.adam(loss, p);
  const correct = ops.sum(ops.cast(ops.equal(ops.argmax(logits, 1), labels), 'float32'));
  return { results: [loss, correct], updates: build.updates, checks: [loss], bindings: build.bindings };
}
