import { describe, expect, it } from 'vitest';
import { gradientsOf, nn, type Tensor, tensor } from '../../src/index.js';

const close = (found: ArrayLike<number>, expected: readonly number[], digits = 5): void => {
  expect(found.length).toBe(expected.length);
  expected.forEach((x, i) => {
    expect(found[i]!).toBeCloseTo(x, digits);
  });
};

describe('LayerNorm and RmsNorm', () => {
  it('normalise each sample over the last axes', async () => {
    const x = tensor([
      [
        [1, 2],
        [3, 6],
      ],
      [
        [-1, 0],
        [0, 1],
      ],
    ]);
    const norm = new nn.LayerNorm([2, 2]);
    expect(norm.weight!.shape).toEqual([2, 2]);
    close(await norm.forward(x).data(), [
      ...[-2, -1, 0, 3].map((d) => d / Math.sqrt(3.5 + 1e-5)),
      ...[-1, 0, 0, 1].map((d) => d / Math.sqrt(0.5 + 1e-5)),
    ]);
    close(await new nn.LayerNorm(2, { affine: false }).forward(x).data(), [-1, 1, -1, 1, -1, 1, -1, 1], 4);
    close(
      await new nn.RmsNorm(2).forward(x).data(),
      [1, 2, 3, 6, -1, 0, 0, 1].map((v, i) => v / Math.sqrt([2.5, 22.5, 0.5, 0.5][i >> 1]!)),
    );
  });

  it('have weights as asked for', () => {
    expect([...new nn.LayerNorm(3).parameters().keys()]).toEqual(['weight', 'bias']);
    expect([...new nn.LayerNorm(3, { bias: false }).parameters().keys()]).toEqual(['weight']);
    expect([...new nn.LayerNorm(3, { affine: false }).parameters().keys()]).toEqual([]);
    expect([...new nn.RmsNorm(3).parameters().keys()]).toEqual(['weight']);
  });

  it('refuse another size and unknown options', () => {
    expect(() => new nn.LayerNorm([3, 4]).forward(tensor([[1, 2, 3, 4]]))).toThrow(/LayerNorm.*\[\.\.\., 3, 4\].*float32\[1, 4\]/);
    expect(() => new nn.LayerNorm(3, { eps: 1 } as object)).toThrow(/epsilon/);
    expect(() => new nn.RmsNorm(0)).toThrow(RangeError);
  });
});

describe('Embedding', () => {
  const ids = tensor(
    [
      [1, 0, 3],
      [3, 3, 2],
    ],
    'int32',
  );

  it('gives the rows of the ids; the padding starts at zero and learns nothing', async () => {
    const layer = new nn.Embedding(4, 2, { paddingIndex: 3 });
    const rows = await layer.weight.data();
    expect([...rows.slice(6)]).toEqual([0, 0]);
    expect(rows.slice(0, 6).every((x) => x !== 0)).toBe(true);
    const y = layer.forward(ids);
    expect(y.shape).toEqual([2, 3, 2]);
    expect([...(await y.data())]).toEqual([1, 0, 3, 3, 3, 2].flatMap((id) => [rows[2 * id]!, rows[2 * id + 1]!]));

    const slopes = gradientsOf(layer.forward(ids).sum(), [layer.weight]);
    expect([...(await slopes[0]!.data())]).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it('names the token that is outside the vocabulary', async () => {
    class Model extends nn.Module {
      readonly words = new nn.Embedding(4, 2);
      forward(x: Tensor): Tensor {
        return this.words.forward(x);
      }
    }
    const model = new Model();
    const wrong = (id: number) => tensor([[0, 1, id]], 'int64');
    await expect(model.forward(wrong(4)).data()).rejects.toThrow(
      /Embedding 'words': the token 4 at position \[0, 2\] lies outside the vocabulary of 4/,
    );
    await expect(model.forward(wrong(-1)).data()).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    expect(() => new nn.Embedding(4, 2, { paddingIndex: 4 })).toThrow(/paddingIndex 4/);
  });
});

// Expected values of this block: PyTorch 1.13, channels first, its results transposed.
describe('norms over channels', () => {
  const x = tensor([
    [
      [1, 2, 4],
      [0, -1, 3],
    ],
    [
      [5, 1, 1],
      [2, 2, -2],
    ],
  ]);

  it('GroupNorm normalises groups of channels', async () => {
    const expected = [
      ...[-0.2927695, 0.2927695, 1.4638476, -0.8783085, -1.4638476, 0.8783085],
      ...[1.6977475, -0.2425354, -0.2425354, 0.2425354, 0.2425354, -1.6977475],
    ];
    close(await new nn.GroupNorm(1, 3).forward(x).data(), expected);
    expect(() => new nn.GroupNorm(2, 3)).toThrow(/3 channels do not divide into 2 groups/);
  });

  it('BatchNorm without momentum averages all batches; without affine it has no parameters', async () => {
    const norm = new nn.BatchNorm(3, { momentum: null, affine: false });
    expect([...norm.parameters().keys()]).toEqual([]);
    await norm.forward(x).data();
    await norm.forward(x.mul(2)).data();
    close(await norm.runningMean!.data(), [3, 1.5, 2.25]);
    close(await norm.runningVariance!.data(), [11.666667, 5, 17.5]);
    close((await norm.eval().forward(x).data()).slice(0, 6), [-0.5855398, 0.2236066, 0.4183299, -0.8783096, -1.1180329, 0.1792842]);
  });

  it('BatchNorm without running statistics takes those of the batch in eval mode too', async () => {
    const norm = new nn.BatchNorm(3, { trackRunningStats: false });
    expect([...norm.buffers().keys()]).toEqual([]);
    const training = await norm.forward(x).data();
    expect([...(await norm.eval().forward(x).data())]).toEqual([...training]);
    expect(() => new nn.BatchNorm(3, { momentum: 2 })).toThrow(RangeError);
  });

  it('InstanceNorm keeps running statistics when asked to', async () => {
    const norm = new nn.InstanceNorm(3, { trackRunningStats: true });
    const y = await norm.forward(x).data();
    const rounded = (n: number) => 1 / Math.sqrt(1 + 1e-5 / n);
    expect(y[0]!).toBeCloseTo(rounded(0.25), 5);
    close(await norm.runningMean!.data(), [0.2, 0.1, 0.15]);
    close(await norm.runningVariance!.data(), [1.15, 1.15, 1.15]);
    close((await norm.eval().forward(x).data()).slice(0, 3), [0.7460006, 1.7717515, 3.5901279]);
    expect(() => new nn.InstanceNorm(3).forward(tensor([[1, 2, 3]]))).toThrow(/more than one place/);
    expect([...new nn.InstanceNorm(3, { affine: true }).parameters().keys()]).toEqual(['weight', 'bias']);
  });

  it('LocalResponseNorm divides by the squares of neighbouring channels', async () => {
    const even = new nn.LocalResponseNorm(2, { alpha: 0.5 }).forward(x);
    close((await even.data()).slice(0, 6), [0.845897, 1.0886621, 1.0433897, 0, -0.845897, 1.172385]);
    const odd = new nn.LocalResponseNorm(3, { alpha: 0.5, k: 2 }).forward(x);
    close((await odd.data()).slice(0, 6), [0.4579065, 0.5568753, 1.1397536, 0, -0.3773952, 1.1321857]);
  });
});

describe('EmbeddingBag', () => {
  const bagOf = (mode: 'sum' | 'mean' | 'max') => {
    const layer = new nn.EmbeddingBag(4, 2, { mode, paddingIndex: 0 });
    layer.weight.assign(
      tensor([
        [9, 9],
        [1, 2],
        [3, -4],
        [5, 6],
      ]),
    );
    return layer;
  };
  const expected = {
    sum: [4, -2, 0, 0, 5, 6],
    mean: [2, -1, 0, 0, 5, 6],
    max: [3, 2, 0, 0, 5, 6],
  };

  it.each(['sum', 'mean', 'max'] as const)('%s of bags in rows, and of bags by offsets; the padding is absent', async (mode) => {
    const layer = bagOf(mode);
    const rows = tensor(
      [
        [1, 0, 2],
        [0, 0, 0],
        [3, 0, 0],
      ],
      'int32',
    );
    expect([...(await layer.forward(rows).data())]).toEqual(expected[mode]);
    const list = tensor([1, 0, 2, 3], 'int64');
    const offsets = tensor([0, 3, 3], 'int64');
    expect([...(await layer.forward(list, { offsets }).data())]).toEqual(expected[mode]);
    const behind = tensor([0, 3, 4], 'int64');
    expect([...(await layer.forward(list, { offsets: behind }).data())].slice(4)).toEqual([0, 0]);
    const [slope] = gradientsOf(layer.forward(list, { offsets }).sum(), [layer.weight]);
    const share = { sum: [1, 1, 1, 1], mean: [0.5, 0.5, 0.5, 0.5], max: [0, 1, 1, 0] }[mode];
    expect([...(await slope!.data())]).toEqual([0, 0, ...share, 1, 1]);
  });

  it('weighs the rows of a sum', async () => {
    const ids = tensor([[1, 3]], 'int32');
    expect([
      ...(await bagOf('sum')
        .forward(ids, { weights: tensor([[2, -1]]) })
        .data()),
    ]).toEqual([-3, -2]);
    expect(() => bagOf('max').forward(ids, { weights: tensor([[2, -1]]) })).toThrow(/mode 'sum'/);
    expect(() => bagOf('sum').forward(tensor([1, 2], 'int32'))).toThrow(/offsets/);
  });
});
