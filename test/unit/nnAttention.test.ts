import { describe, expect, it } from 'vitest';
import { compile, evaluate, grad, nn, type Tensor, tensor, valueAndGrad, zeros } from '../../src/index.js';
import { readStored } from '../trajectories/read.js';
import type { StoredTensor } from '../trajectories/read.js';

const { tensors: stored } = readStored('attention');
const given = ({ shape, data }: StoredTensor): Tensor => tensor({ data: Float32Array.from(data), shape: [...shape] });
const under = (prefix: string): Map<string, StoredTensor> =>
  new Map([...stored].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]));

async function expectClose(found: Tensor, expected: ArrayLike<number>, tolerance = 2e-6): Promise<void> {
  const data = (await found.data()) as Float32Array;
  expect(data.length).toBe(expected.length);
  const far = Array.from(data).findIndex((x, i) => !(Math.abs(x - expected[i]!) <= tolerance * (1 + Math.abs(expected[i]!))));
  expect(far < 0 ? 'close' : `element ${far} is ${data[far]}, not ${expected[far]}`).toBe('close');
}

const random = (seed: number, shape: readonly number[]): Tensor => {
  let state = seed;
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor({ data, shape: [...shape] });
};

describe('layers give what PyTorch gives', () => {
  const padding = tensor({ data: Uint8Array.from(stored.get('padding')!.data), shape: [2, 7] }).cast('bool');
  type Run = (layer: nn.Module, inputs: Record<string, Tensor>) => Tensor;
  const run =
    (options: object, memory?: object): Run =>
    (layer, { query, key, value }) =>
      layer instanceof nn.MultiHeadAttention
        ? layer.forward(query!, key, value, options)
        : layer instanceof nn.TransformerDecoderLayer
          ? layer.forward(query!, key, { ...options, memory })
          : (layer as nn.TransformerEncoderLayer).forward(query!, options);
  const layer = { hiddenSize: 12, dropout: 0 };
  const cases: Record<string, [make: () => nn.Module, run: Run]> = {
    self: [() => new nn.MultiHeadAttention(8, 2), run({})],
    causal: [() => new nn.MultiHeadAttention(8, 2, { causal: true }), run({})],
    padded: [() => new nn.MultiHeadAttention(8, 2), run({ keyPaddingMask: padding })],
    biased: [() => new nn.MultiHeadAttention(8, 2, { keySize: 6, valueSize: 4 }), run({ mask: given(stored.get('bias')!) })],
    encoder: [() => new nn.TransformerEncoderLayer(8, 2, layer), run({})],
    encoderPreNorm: [() => new nn.TransformerEncoderLayer(8, 2, { ...layer, preNorm: true, activation: 'gelu' }), run({ causal: true })],
    decoder: [() => new nn.TransformerDecoderLayer(8, 2, layer), run({}, { keyPaddingMask: padding })],
    decoderPreNorm: [() => new nn.TransformerDecoderLayer(8, 2, { ...layer, preNorm: true }), run({})],
  };

  it.each(Object.keys(cases))('%s', async (name) => {
    const [make, forward] = cases[name]!;
    const module = make();
    const state = under(`${name}/state/`);
    module.loadStateDictionary(
      new Map([...state].map(([path, { shape, data }]) => [path, { shape, dtype: 'float32', data: Float32Array.from(data) }])),
    );
    const inputs = [...under(`${name}/in/`)].map(([key, value]) => [key, given(value)] as const);
    const weight = given(stored.get(`${name}/weight`)!);
    const call = (...list: Tensor[]): Tensor => forward(module, Object.fromEntries(inputs.map(([key], i) => [key, list[i]!])));
    const y = call(...inputs.map(([, x]) => x));
    await expectClose(y, stored.get(`${name}/y`)!.data);
    for (const [i, [key]] of inputs.entries()) {
      const slope = grad((x: Tensor) =>
        call(...inputs.map(([, other], j) => (i === j ? x : other)))
          .mul(weight)
          .sum(),
      )(inputs[i]![1]);
      await expectClose(slope, stored.get(`${name}/gradient/${key}`)!.data, 1e-5);
    }
  });
});

describe('nn.attention', () => {
  const [q, k, v] = [random(1, [2, 5, 4, 8]), random(2, [2, 9, 2, 8]), random(3, [2, 9, 2, 6])];

  it('gives zeros, and zero gradients, where nothing may be seen', async () => {
    const mask = tensor({ data: Uint8Array.from({ length: 10 }, (_, i) => (i % 5 === 2 ? 0 : 1)), shape: [2, 1, 5, 1] }).cast('bool');
    const [y, slopes] = valueAndGrad((x: Tensor) => nn.attention(x, k, v, { mask }).square().sum())(q);
    await evaluate(y, slopes);
    const rows = (await nn.attention(q, k, v, { mask }).toArray()) as number[][][][];
    const gradient = (await slopes.toArray()) as number[][][][];
    for (const b of [0, 1]) {
      expect(rows[b]![2]!.flat().every((x) => x === 0)).toBe(true);
      expect(gradient[b]![2]!.flat().every((x) => x === 0)).toBe(true);
      expect(gradient[b]![1]!.flat().some((x) => x !== 0)).toBe(true);
    }
  });

  it('takes all padding: zeros, no NaN anywhere', async () => {
    const lengths = tensor([0, 0], 'int32');
    const slope = grad((x: Tensor) => nn.attention(q, x, v, { lengths }).sum())(k);
    await expectClose(nn.attention(q, k, v, { lengths }), new Array(2 * 5 * 4 * 6).fill(0), 0);
    await expectClose(slope, new Array(2 * 9 * 2 * 8).fill(0), 0);
    const never = zeros([1, 1, 1, 9]).sub(Infinity);
    await expectClose(nn.attention(q, k, v, { mask: never }), new Array(2 * 5 * 4 * 6).fill(0), 0);
  });

  it('does not read keys beyond the lengths', async () => {
    const lengths = tensor([3, 8], 'int32');
    const poisoned = async (x: Tensor): Promise<Tensor> => {
      const data = Float32Array.from((await x.data()) as Float32Array);
      const sample = data.length / 2;
      data.fill(Number.NaN, (3 * sample) / 9, sample);
      data.fill(Number.NaN, sample + (8 * sample) / 9);
      return tensor({ data, shape: [...x.shape] });
    };
    await expectClose(
      nn.attention(q, await poisoned(k), await poisoned(v), { lengths }),
      await nn.attention(q, k, v, { lengths }).data(),
      0,
    );
  });

  it('of sequences with their own lengths is that of each alone', async () => {
    const x = random(7, [2, 6, 2, 4]);
    const lengths = tensor([4, 6], 'int32');
    const together = nn.attention(x, x, x, { causal: true, lengths });
    const first = x.slice([0, 0], [1, 4]);
    await expectClose(together.slice([0, 0], [1, 4]), await nn.attention(first, first, first, { causal: true }).data(), 1e-6);
    await expectClose(together.slice([0, 4], [1, 6]), new Array(2 * 2 * 4).fill(0), 0);
  });

  it('drops weights in training only', async () => {
    const layer = new nn.MultiHeadAttention(8, 2, { dropout: 0.5 });
    const x = random(4, [1, 6, 8]);
    const [a, b] = [await layer.eval().forward(x).data(), await layer.forward(x).data()];
    expect(a).toEqual(b);
    expect(await layer.train().forward(x).data()).not.toEqual(a);
  });

  it('names the shapes that do not go together', () => {
    expect(() => nn.attention(q, random(1, [2, 9, 3, 8]), random(1, [2, 9, 3, 8]))).toThrow('3 key heads do not divide 4');
    expect(() => nn.attention(q, k, random(1, [2, 8, 2, 6]))).toThrow('must have a value for each key');
    expect(() => nn.attention(q, k, v, { mask: random(1, [3, 5, 9]) })).toThrow('does not broadcast to [batch, heads, queries, keys]');
    expect(() => nn.attention(q, k, v, { lengths: tensor([1], 'int32') })).toThrow('must be one number a sample: [2]');
    // @ts-expect-error a name that does not exist
    expect(() => nn.attention(q, k, v, { casual: true })).toThrow('did you mean "causal"?');
    const model = new nn.TransformerEncoder(2, 8, 2, { dropout: 0 });
    expect(() => model.forward(random(1, [2, 5, 6]))).toThrow("TransformerEncoderLayer 'layers.0': takes [batch, length, 8]");
    expect(() => model.forward(random(1, [5, 8]))).toThrow('Add an axis for a batch of one');
    expect(() => new nn.MultiHeadAttention(10, 3)).toThrow('3 heads do not divide embedSize 10');
  });

  it('takes sequences of length 0 and 1', async () => {
    const layer = new nn.TransformerEncoderLayer(8, 2, { hiddenSize: 4 }).eval();
    expect((await layer.forward(zeros([2, 0, 8])).data()).length).toBe(0);
    expect((await layer.forward(random(2, [2, 1, 8])).data()).every(Number.isFinite)).toBe(true);
    await expectClose(nn.attention(zeros([1, 2, 1, 4]), zeros([1, 0, 1, 4]), zeros([1, 0, 1, 4])), new Array(8).fill(0), 0);
  });
});

describe('positions', () => {
  it('sinusoidal: sines and cosines of the paper', async () => {
    const table = (await nn.sinusoidalTable(6, 5).toArray()) as number[][];
    table.forEach((row, p) =>
      row.forEach((x, d) => {
        const angle = p * 10_000 ** (-(2 * Math.floor(d / 2)) / 5);
        expect(x).toBeCloseTo(d % 2 ? Math.cos(angle) : Math.sin(angle), 6);
      }),
    );
    const x = zeros([2, 3, 5]);
    const moved = (await new nn.SinusoidalPosition(5).forward(x, { offset: tensor([0, 3], 'int32') }).toArray()) as number[][][];
    expect(moved[1]![0]).toEqual(((await nn.sinusoidalTable(6, 5).toArray()) as number[][])[3]);
  });

  it('learned: no further than there are places', async () => {
    const layer = new nn.LearnedPosition(4, 3);
    const table = (await layer.weight.toArray()) as number[][];
    expect(((await layer.forward(zeros([1, 4, 3])).toArray()) as number[][][])[0]).toEqual(table);
    expect(() => layer.forward(zeros([1, 5, 3]))).toThrow('has 5 rows, but there are 4 places');
    await expect(layer.forward(zeros([1, 2, 3]), { offset: tensor([3], 'int32') }).data()).rejects.toMatchObject({
      code: 'INDEX_OUT_OF_RANGE',
    });
  });

  it('rotary: products depend on the distance alone', async () => {
    for (const interleaved of [false, true]) {
      const rotary = new nn.RotaryPosition(8, { dimension: 6, interleaved });
      const at = (x: Tensor, place: number) => rotary.forward(x, { offset: tensor([place], 'int32') });
      const [a, b] = [random(1, [1, 1, 1, 8]), random(2, [1, 1, 1, 8])];
      const product = async (i: number, j: number) => (await at(a, i).mul(at(b, j)).sum().evaluate()).item();
      expect(await product(1007, 1002)).toBeCloseTo(await product(5, 0), 5);
    }
    expect(() => new nn.RotaryPosition(8, { dimension: 3 })).toThrow('even number from 2 to 8');
  });

  it('ALiBi: the slopes of the paper', async () => {
    expect(await nn.alibiSlopes(4).toArray()).toEqual([0.25, 0.0625, 0.015625, 0.00390625]);
    expect(((await nn.alibiSlopes(6).toArray()) as number[]).slice(4)).toEqual([0.5, 0.125]);
  });
});

describe('FeedForward', () => {
  it.each(['relu', 'gelu', 'silu', 'swiglu', 'geglu'] as const)('%s is what its layers compute', async (activation) => {
    const layer = new nn.FeedForward(4, 6, { activation });
    const x = random(5, [3, 4]);
    const up = layer.up.forward(x);
    const of = { relu: nn.relu, gelu: nn.gelu, silu: nn.silu, swiglu: nn.silu, geglu: nn.gelu }[activation];
    const hidden = layer.gate ? of(layer.gate.forward(x)).mul(up) : of(up);
    expect(layer.gate !== undefined).toBe(activation.endsWith('glu'));
    await expectClose(layer.forward(x), await layer.down.forward(hidden).data());
  });
});

describe('a transformer trains', () => {
  it('by one compiled step, its loss falls', async () => {
    const model = new nn.TransformerEncoder(2, 8, 2, {
      hiddenSize: 16,
      dropout: 0.1,
      preNorm: true,
      norm: 'rmsNorm',
      activation: 'swiglu',
      rotary: true,
      causal: true,
      kvHeads: 1,
    });
    const { optim } = await import('../../src/index.js');
    const optimizer = optim.adam({ learningRate: 1e-2 }).for(model);
    const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
      const loss = model.forward(x).sub(y).square().mean();
      optimizer.minimize(loss);
      return loss;
    });
    const [x, y] = [random(8, [4, 7, 8]), random(9, [4, 7, 8])];
    const losses: number[] = [];
    for (let i = 0; i < 30; i++) losses.push((await step(x, y)).item());
    expect(losses.at(-1)!).toBeLessThan(0.6 * losses[0]!);
  });
});
