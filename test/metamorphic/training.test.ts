// Ten steps of a model with convolution, batch norm and dropout through the public API: bits that do not depend on how it is run.
import { createHash } from 'node:crypto';
import { checkpoint, compile, evaluate, gradientsOf, losses, nn, optim, seed, type Tensor, tensor } from 'pollux';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setThreads, threads } from '../../src/runtime/index.js';
import { randomOf } from '../references/samples/sample.js';

const CLASSES = 6;
const SAMPLES = 24;
const STEPS = 10;

class Model extends nn.Module {
  conv = new nn.Conv2d(2, 8, 3);
  norm = new nn.BatchNorm(8);
  dense = new nn.Linear(5 * 5 * 8, 16);
  dropout = new nn.Dropout(0.25);
  out = new nn.Linear(16, CLASSES);

  constructor(readonly recompute: boolean) {
    super();
  }

  forward(x: Tensor): Tensor {
    const hidden = (images: Tensor): Tensor => {
      const pooled = nn.maxPool2d(2)(nn.relu(this.norm.forward(this.conv.forward(images))));
      return nn.gelu(this.dense.forward(nn.flatten(pooled)));
    };
    return this.out.forward(this.dropout.forward(this.recompute ? checkpoint(hidden)(x) : hidden(x)));
  }
}

const random = randomOf(23);
const batches = Array.from({ length: STEPS }, () => ({
  x: { data: Float32Array.from({ length: SAMPLES * 12 * 12 * 2 }, () => 2 * random() - 1), shape: [SAMPLES, 12, 12, 2] },
  y: { data: Int32Array.from({ length: SAMPLES }, () => Math.floor(random() * CLASSES)), shape: [SAMPLES] },
}));

interface Trained {
  readonly losses: number[];
  /** A digest of each tensor. */
  readonly weights: Map<string, string>;
}

const digest = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

/** Trains from the same seed and gives every bit of what came of it. */
async function train({ recompute = false, eager = false, overlapped = false } = {}): Promise<Trained> {
  seed(77);
  const model = new Model(recompute);
  const optimizer = optim.adamW({ learningRate: 0.01, weightDecay: 0.01, clipNorm: 1 }).for(model);
  const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
    const loss = losses.crossEntropy(model.forward(x), y);
    optimizer.minimize(loss);
    return { loss };
  });
  const found: number[] = [];
  if (overlapped) {
    for (const { loss } of await Promise.all(batches.map(({ x, y }) => step(x, y)))) found.push(loss.item());
  } else {
    for (const { x, y } of batches) {
      if (eager) await evaluate(tensor([1, 2, 3]).exp()); // other work between two steps
      found.push((await step(x, y)).loss.item());
    }
  }
  const state = await model.snapshot();
  return {
    losses: found,
    weights: new Map([...state].map(([path, { data }]) => [path, digest(data)])),
  };
}

const initial = threads();
afterAll(() => setThreads(initial));

describe('ten steps have the same bits', () => {
  let once: Trained;
  beforeAll(async () => {
    once = await train();
  });

  it('the second time', async () => expect(await train()).toEqual(once));

  it.each([1, 2, 3, 8])('on %i threads', async (count) => {
    setThreads(count);
    expect(await train()).toEqual(once);
  });

  it('with inner values computed again', async () => expect(await train({ recompute: true })).toEqual(once));
  it('with other work between the steps', async () => expect(await train({ eager: true })).toEqual(once));
  it('with all steps asked for at once', async () => expect(await train({ overlapped: true })).toEqual(once));

  it('and differ from step to step, so they did train', () => {
    const list = once.losses;
    expect(list.every(Number.isFinite)).toBe(true);
    expect(new Set(list).size).toBe(STEPS);
  });
});

it('gradients of a shuffled batch and of its parts agree within rounding', async () => {
  seed(5);
  const layer = new nn.Linear(7, CLASSES);
  const x = Float32Array.from({ length: SAMPLES * 7 }, () => 2 * random() - 1);
  const y = Int32Array.from({ length: SAMPLES }, () => Math.floor(random() * CLASSES));
  const order = Array.from({ length: SAMPLES }, (_, i) => (i * 7) % SAMPLES);
  const gradientOf = async (rows: readonly number[]): Promise<Float32Array> => {
    const inputs = tensor(rows.map((row) => [...x.subarray(row * 7, row * 7 + 7)]));
    const labels = tensor(
      rows.map((row) => y[row]!),
      'int32',
    );
    const loss = losses.crossEntropy(layer.forward(inputs), labels, { reduction: 'sum' });
    return (await gradientsOf(loss, [layer.weight])[0]!.data()) as Float32Array;
  };
  const whole = await gradientOf(order.map((_, i) => i));
  const shuffled = await gradientOf(order);
  const halves = await Promise.all([order.slice(0, 9), order.slice(9)].map(gradientOf));
  // Each element is a sum of SAMPLES products below 2 in size, each product off by few roundings: Higham's bound.
  const bound = (SAMPLES + 16) * 2 ** -24 * SAMPLES * 2;
  whole.forEach((expected, i) => {
    expect(Math.abs(shuffled[i]! - expected)).toBeLessThanOrEqual(bound);
    expect(Math.abs(halves[0]![i]! + halves[1]![i]! - expected)).toBeLessThanOrEqual(bound);
  });
});
