// Weights made of other parameters, and adapters beside frozen ones.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, evaluate, gradientsOf, losses, nn, normal, optim, seed, type Tensor, tensor } from 'pollux';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pollux-lora-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const numbers = async (x: unknown): Promise<number[]> => [...((await (x as Tensor).data()) as Float32Array)];
const close = (found: readonly number[], expected: readonly number[], within = 1e-5): void => {
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((x, i) => expect(Math.abs(found[i]! - x)).toBeLessThanOrEqual(within * scale));
};

describe('weightNorm', () => {
  it('leaves the outputs, and splits the gradient into length and direction', async () => {
    const plain = new nn.Linear(3, 2);
    const x = tensor([[1, -2, 0.5]]);
    const before = await numbers(plain.forward(x));
    const layer = nn.weightNorm(plain);
    expect([...layer.parameters().keys()].sort()).toEqual(['bias', 'weight.direction', 'weight.magnitude']);
    close(await numbers(layer.forward(x)), before);
    const direction = layer.get('weight.direction', nn.Parameter) as Tensor;
    const magnitude = layer.get('weight.magnitude', nn.Parameter) as Tensor;
    expect(magnitude.shape).toEqual([2, 1]);
    const [v, g] = [await numbers(direction), await numbers(magnitude)];
    const slopes = gradientsOf((layer.forward(x) as Tensor).sum(), [direction, magnitude]);
    const row = [1, -2, 0.5]; // the gradient of each row of the weight
    const dot = (i: number): number => row.reduce((sum, s, j) => sum + s * v[3 * i + j]!, 0);
    close(
      await numbers(slopes[1]),
      [0, 1].map((i) => dot(i) / g[i]!),
    );
    close(
      await numbers(slopes[0]),
      [0, 1].flatMap((i) => row.map((s, j) => s - (dot(i) * v[3 * i + j]!) / g[i]! ** 2)),
    );
  });

  it('trains in a compiled step, is saved, and becomes a plain weight again', async () => {
    const model = new nn.Sequential(
      nn.weightNorm(new nn.Conv1d(2, 3, 3)),
      nn.relu,
      nn.weightNorm(new nn.Conv1d(3, 2, 1), 'weight', { axis: null }),
    );
    expect(model.get('0.weight.magnitude', nn.Parameter).shape).toEqual([3, 1, 1]);
    expect(model.get('2.weight.magnitude', nn.Parameter).shape).toEqual([1, 1, 1]);
    const optimizer = optim.sgd({ learningRate: 0.1 }).for(model);
    const step = compile({ state: [model, optimizer] }, (x: Tensor) => {
      const loss = losses.mse(model.forward(x as never) as Tensor, x.slice([0, 1, 0], [4, 7, 2]));
      optimizer.minimize(loss);
      return loss;
    });
    const x = normal([4, 8, 2]);
    const first = (await step(x)).item();
    for (let i = 0; i < 20; i++) await step(x);
    expect((await step(x)).item()).toBeLessThan(first);
    const file = join(folder, 'normed.safetensors');
    await model.save(file);
    const y = await numbers(model.forward(x as never));
    const other = new nn.Sequential(
      nn.weightNorm(new nn.Conv1d(2, 3, 3)),
      nn.relu,
      nn.weightNorm(new nn.Conv1d(3, 2, 1), 'weight', { axis: null }),
    );
    await other.load(file);
    close(await numbers(other.forward(x as never)), y);
    nn.removeWeightNorm(model.get('0', nn.Conv1d));
    nn.removeWeightNorm(model.get('2', nn.Conv1d));
    expect([...model.parameters().keys()].sort()).toEqual(['0.bias', '0.weight', '2.bias', '2.weight']);
    close(await numbers(model.forward(x as never)), y);
    expect(() => nn.removeWeightNorm(model.get('0', nn.Conv1d))).toThrow(/not parametrised/);
  });

  it('is refused twice, and where there is no parameter', () => {
    expect(() => nn.weightNorm(nn.weightNorm(new nn.Linear(2, 2)))).toThrow(/parametrised already/);
    expect(() => nn.weightNorm(new nn.Linear(2, 2, { bias: false }), 'bias')).toThrow(/no parameter/);
    expect(() => nn.weightNorm(new nn.Linear(2, 2), 'weight', { axis: 2 })).toThrow(/axis 2/);
  });
});

describe('spectralNorm', () => {
  it('comes to a largest singular value of 1, by its buffers in training mode alone', async () => {
    seed(1);
    const layer = nn.spectralNorm(new nn.Linear(2, 2, { bias: false }));
    // Singular values 5 and 1: a rotation's rows times 5 and 1.
    layer.get('weight.original', nn.Parameter).assign(
      tensor([
        [3, 4],
        [-0.8, 0.6],
      ]) as never,
    );
    const step = compile({ state: layer }, (x: Tensor) => layer.forward(x));
    const x = tensor([
      [1, 0],
      [0, 1],
    ]);
    for (let i = 0; i < 12; i++) await step(x);
    const left = layer.buffers().get('weight.leftVector')!;
    close((await numbers(left)).map(Math.abs), [1, 0], 1e-5);
    layer.eval();
    const kept = await numbers(left);
    close(await numbers(await step(x)), [0.6, -0.16, 0.8, 0.12], 1e-4); // columns of W / 5
    expect(await numbers(left)).toEqual(kept);
    nn.removeSpectralNorm(layer);
    close(await numbers(layer.weight), [0.6, 0.8, -0.16, 0.12], 1e-4);
  });

  it('divides a convolution by the norm of its matrix, whatever the axis of the outputs', async () => {
    for (const layer of [new nn.Conv2d(2, 3, 2), new nn.ConvTranspose2d(2, 3, 2)]) {
      const outputs = layer instanceof nn.Conv2d ? 0 : 3;
      const before = await numbers(layer.weight);
      nn.spectralNorm(layer as nn.Conv2d, 'weight', { iterations: 40 });
      expect(layer.buffers().get('weight.leftVector')!.shape).toEqual([3]);
      const after = await numbers(layer.weight);
      const ratio = before[0]! / after[0]!;
      // The norm of the matrix by the power iteration in float64.
      const at = (i: number, k: number): number => before[outputs === 0 ? i * 8 + k : k * 3 + i]!;
      let u = [1, 1, 1];
      let norm = 0;
      for (let n = 0; n < 2000; n++) {
        const v = Array.from({ length: 8 }, (_, k) => u.reduce((sum, x, i) => sum + x * at(i, k), 0));
        u = u.map((_, i) => v.reduce((sum, x, k) => sum + x * at(i, k), 0));
        norm = Math.hypot(...u);
        u = u.map((x) => x / norm);
      }
      expect(Math.abs(ratio / Math.sqrt(norm) - 1)).toBeLessThan(1e-3);
      close(
        after,
        before.map((w) => w / ratio),
      );
    }
  });
});

class Model extends nn.Module {
  words = new nn.Embedding(10, 8);
  encoder = new nn.TransformerEncoderLayer(8, 2, { hiddenSize: 16, dropout: 0 });
  conv = new nn.Conv1d(8, 4, 3, { padding: 'same' });
  head = new nn.Linear(4, 3);
  forward(ids: Tensor): Tensor {
    const x = this.encoder.forward(this.words.forward(ids as never) as Tensor);
    return this.head.forward((this.conv.forward(x as never) as Tensor).mean(1));
  }
}
const ids = tensor(
  [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 0, 1, 1],
  ],
  'int32',
) as Tensor;

describe('lora', () => {
  const options = { rank: 2, alpha: 4, match: /query|value|^words$|^conv$/ };

  async function adapted() {
    seed(2);
    const model = new Model();
    const base = await model.snapshot();
    const before = await numbers(model.forward(ids));
    nn.lora(model, options);
    const optimizer = optim.adam({ learningRate: 0.03 }).for(model);
    const step = compile({ state: [model, optimizer] }, () => {
      const loss = losses.crossEntropy(
        model.forward(
          tensor(
            [
              [1, 2, 3, 4],
              [5, 6, 7, 8],
              [9, 0, 1, 1],
            ],
            'int32',
          ),
        ),
        tensor([0, 1, 2], 'int32'),
      );
      optimizer.minimize(loss);
      return loss;
    });
    return { model, base, before, optimizer, step };
  }

  it('begins at the outputs of the base, trains the adapters alone, and leaves the base as it was', async () => {
    const { model, base, before, optimizer, step } = await adapted();
    expect(await numbers(model.forward(ids))).toEqual(before);
    const trained = [...model.parameters()].filter(([, { trainable }]) => trainable).map(([path]) => path);
    expect(trained.sort()).toEqual(
      ['words', 'conv', 'encoder.selfAttention.query', 'encoder.selfAttention.value']
        .flatMap((path) => [`${path}.lora.down.weight`, `${path}.lora.up.weight`])
        .sort(),
    );
    expect([...optimizer.stateDictionary().keys()].filter((key) => !/lora|^step$|learningRate/.test(key))).toEqual([]);
    const first = (await step()).item();
    for (let i = 0; i < 60; i++) await step();
    const last = (await step()).item();
    expect(last).toBeLessThan(0.4 * first);
    const after = await model.snapshot();
    for (const [path, { data }] of base) expect([...after.get(path)!.data], path).toEqual([...data]);
  });

  it('gives the same merged, unmerged and saved', async () => {
    const { model, step, before } = await adapted();
    for (let i = 0; i < 30; i++) await step();
    model.eval();
    const predict = compile({ state: model }, (x: Tensor) => model.forward(x));
    const y = await numbers(await predict(ids));
    expect(y).not.toEqual(before);
    const file = join(folder, 'adapter.safetensors');
    await nn.saveLora(model, file);
    await nn.mergeLora(model);
    close(await numbers(await predict(ids)), y);
    expect(predict.plans).toBe(2);
    expect(predict.explain()).not.toContain('lora');
    await nn.mergeLora(model); // a second time changes nothing
    close(await numbers(await predict(ids)), y);
    await expect(nn.loadLora(model, file)).rejects.toThrow(/merged/);
    await nn.unmergeLora(model);
    close(await numbers(await predict(ids)), y);
    expect(predict.plans).toBe(2);

    seed(2);
    const other = nn.lora(new Model().eval(), options);
    await nn.loadLora(other, file);
    close(await numbers(other.forward(ids)), y);
    await model.save(join(folder, 'whole.safetensors'));
    expect(statSync(file).size).toBeLessThan(statSync(join(folder, 'whole.safetensors')).size);
    await nn.mergeLora(other);
    nn.removeLora(other);
    expect([...other.parameters().keys()]).toEqual([...new Model().parameters().keys()]);
    close(await numbers(other.forward(ids)), y);
    await expect(nn.loadLora(other, file)).rejects.toThrow(/no adapters/);
  });

  it('of a convolution has its stride, padding and dilation', async () => {
    const model = nn.lora(new nn.Sequential(new nn.Conv2d(3, 4, [3, 2], { stride: 2, padding: [1, 2], dilation: 2 })), {
      rank: 2,
      match: /0/,
    });
    model.get('0.lora.up.weight', nn.Parameter).assign(normal([4, 1, 1, 2]) as never);
    const x = normal([2, 9, 9, 3]);
    await evaluate(x);
    const y = await numbers(model.forward(x));
    await nn.mergeLora(model);
    close(await numbers(model.forward(x)), y);
  });

  it('drops its inputs in training alone', async () => {
    const model = nn.lora(new nn.Linear(4, 4), { rank: 2, dropout: 0.5 });
    model.get('lora.up.weight', nn.Parameter).assign(normal([4, 2]) as never);
    const x = normal([3, 4]);
    await evaluate(x);
    expect(await numbers(model.forward(x))).not.toEqual(await numbers(model.forward(x)));
    model.eval();
    expect(await numbers(model.forward(x))).toEqual(await numbers(model.forward(x)));
  });

  it('keeps tied weights tied: the adapter is one, and merging is refused', async () => {
    class Tied extends nn.Module {
      words = new nn.Embedding(5, 4);
      head = new nn.Linear(4, 5, { bias: false });
      constructor() {
        super();
        (this.head as { weight: unknown }).weight = this.words.weight;
      }
      forward(given: Tensor): Tensor {
        return this.head.forward(this.words.forward(given as never) as Tensor);
      }
    }
    const model = nn.lora(new Tied(), { rank: 2, match: 'head' });
    expect([...model.stateDictionary().keys()]).toEqual(['words.weight', 'head.lora.down.weight', 'head.lora.up.weight']);
    const file = join(folder, 'tied.safetensors');
    await model.save(file);
    const other = await nn.lora(new Tied(), { rank: 2, match: 'head' }).load(file);
    const few = tensor([1, 2], 'int32') as Tensor;
    expect(await numbers(other.forward(few))).toEqual(await numbers(model.forward(few)));
    await expect(nn.mergeLora(model)).rejects.toThrow(/words reads the same weight/);
    // One layer in two places has one adapter.
    const shared = new nn.Linear(3, 3);
    const twice = nn.lora(new nn.Sequential(shared, nn.tanh, shared), { rank: 1 });
    expect([...twice.parameters().keys()]).toEqual(['0.weight', '0.bias', '0.lora.down.weight', '0.lora.up.weight']);
    twice.get('0.lora.up.weight', nn.Parameter).assign(normal([3, 1]) as never);
    const x = normal([2, 3]);
    await evaluate(x);
    const y = await numbers(twice.forward(x));
    await nn.mergeLora(twice);
    close(await numbers(twice.forward(x)), y);
  });

  it('tells what it cannot do', () => {
    expect(() => nn.lora(new Model(), { match: /keys/ })).toThrow(/no layer matches.*encoder\.selfAttention\.query/);
    expect(() => nn.lora(nn.lora(new Model()))).toThrow(/adapter already/);
    expect(() => nn.lora(new Model(), { rnk: 2 } as object)).toThrow(/rank/);
    expect(() => nn.lora(new nn.Conv2d(4, 4, 3, { groups: 2 }), { match: /^/ })).toThrow(/groups/);
    expect(() => nn.lora(new Model(), { rank: 0 })).toThrow(RangeError);
  });
});
