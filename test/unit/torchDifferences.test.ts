import { describe, expect, it } from 'vitest';
import { gradientsOf, losses, nn, optim, type Tensor, tensor } from '../../src/index.js';

/** Cases in which Pollux once gave other numbers than PyTorch, found by comparing both on random inputs. */
const gradient = (x: Tensor, of: (x: Tensor) => Tensor): Promise<unknown> => gradientsOf(of(x).sum(), [x])[0]!.toArray();

describe('at the kinks, gradients are those of PyTorch', () => {
  it('the deviation of equal numbers', async () => {
    expect(await gradient(tensor([[2, 2], [1, 3]]), (x) => x.std(1, { correction: 0 }))).toEqual([[0, 0], [-0.5, 0.5]]); // biome-ignore format: rows
    expect(await tensor([1]).std().toArray()).toBeNaN();
  });

  it('a norm of an order below 1 among zeros', async () => {
    expect(await gradient(tensor([0, 4, 1]), (x) => x.norm(0, { order: 0.5 }))).toEqual([0, 1.5, 3]);
  });

  it('norms of order 0, -Infinity and below 0', async () => {
    const x = tensor([3, -2, 6]);
    expect(await tensor([3, 0, -2]).norm(0, { order: 0 }).toArray()).toBe(2);
    expect(await x.norm(0, { order: -Infinity }).toArray()).toBe(2);
    expect(await gradient(x, (y) => y.norm(0, { order: -Infinity }))).toEqual([0, -1, 0]);
    expect(await x.norm(0, { order: -1 }).toArray()).toBeCloseTo(1, 6);
    expect(await tensor([3, 0]).norm(0, { order: -1 }).toArray()).toBe(0);
  });
});

describe('at the edges, values are those of PyTorch', () => {
  it('logSumExp of nothing is the logarithm of 0', async () => {
    expect(await tensor([[], []]).logSumExp(1).toArray()).toEqual([-Infinity, -Infinity]);
    expect(await tensor([[], []]).logSumExp(0).toArray()).toEqual([]);
  });

  it('hardSigmoid keeps its digits near -3', async () => {
    const y = nn.hardSigmoid(tensor([-2.999999]));
    expect(Math.abs(((await y.data())[0]! as number) - (3 - Math.fround(2.999999)) / 6)).toBeLessThan(1e-14);
  });
});

describe('transposed convolution', () => {
  it('fills outputPadding of a stride or more with what the padding took', async () => {
    const layer = new nn.ConvTranspose1d(1, 1, 2, { padding: 1, dilation: 2, outputPadding: 1, bias: false });
    layer.weight.assign(tensor([[[1], [10]]]));
    expect(await layer.forward(tensor([[[1], [2]]])).toArray()).toEqual([[[2], [10], [20]]]);
    const wide = new nn.ConvTranspose1d(1, 1, 2, { dilation: 3, outputPadding: 2, bias: false });
    wide.weight.assign(tensor([[[1], [10]]]));
    expect(
      await wide
        .forward(tensor([[[1], [2]]]))
        .flatten(0)
        .toArray(),
    ).toEqual([1, 2, 0, 10, 20, 0, 0]);
  });
});

describe('losses of ignored samples', () => {
  const logits = tensor([[-Infinity, 1, 2]]);
  const labels = tensor([-100], 'int32');
  const classWeights = [1, 2, 3];

  it('leave no NaN in the gradient of a batch of nothing else, nor where class 0 is impossible', async () => {
    for (const loss of [losses.crossEntropy, losses.nll, losses.softmaxFocal]) {
      for (const options of [{}, { classWeights }]) {
        expect(await loss(logits, labels, { ...options, reduction: 'sum' }).toArray()).toBe(0);
        const slope = (await gradient(tensor([[3, 1, 2]]), (x) => loss(x, labels, options))) as number[][];
        expect(slope.flat().map(Math.abs)).toEqual([0, 0, 0]);
      }
    }
  });
});

describe('schedules', () => {
  it('one cycle whose rise is shorter than a step begins behind its peak', () => {
    const rate = optim.schedules.oneCycle({ peak: 1, total: 9, rise: 0.1 });
    expect(rate(0)).toBeCloseTo(0.999623978, 8);
    expect(rate(8)).toBeCloseTo(4e-6, 12);
  });
});

describe('options', () => {
  it('that nobody knows are refused, not passed over', () => {
    const x = tensor([[1, 2]]);
    const unknown = { positiveInfinity: 1, atol: 1, offsets: 1 } as object;
    expect(() => x.nanToNum(unknown)).toThrow(/nanToNum.*positiveInfinity/);
    expect(() => x.isClose(x, unknown)).toThrow(/isClose/);
    expect(() => x.allClose(x, unknown)).toThrow(/isClose/);
    const rows = tensor([[[1, 2]]]);
    for (const layer of [new nn.SinusoidalPosition(2), new nn.LearnedPosition(4, 2)])
      expect(() => layer.forward(rows, unknown)).toThrow(/Position.forward/);
  });
});
