import { describe, expect, it } from 'vitest';
import * as pollux from '../../src/tensor/index.js';
import { compile, tensor, type Tensor } from '../../src/tensor/index.js';

const list = async (x: Tensor): Promise<unknown> => x.toArray();
const floats = async (x: Tensor): Promise<number[]> => [...((await x.data()) as Float32Array)];

describe('running results', () => {
  it('go along any axis, in either direction', async () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await list(x.cumulativeSum())).toEqual([
      [1, 3, 6],
      [4, 9, 15],
    ]);
    expect(await list(x.cumulativeSum(0, { exclusive: true }))).toEqual([
      [0, 0, 0],
      [1, 2, 3],
    ]);
    expect(await list(x.cumulativeProduct(-1, { reverse: true }))).toEqual([
      [6, 6, 3],
      [120, 30, 6],
    ]);
    expect(await list(x.diff())).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(await list(x.diff(1, 2))).toEqual([[0], [0]]);
  });

  it('of extremes give the last of equals', async () => {
    // Behind stretches without a record, where numbers are compared side by side.
    const long = Array.from({ length: 700 }, (_, i) => (i === 650 ? Number.NaN : i === 300 ? 1 : 1 / (i + 1)));
    const found = await list(tensor(long).cumulativeMax().indices);
    expect(found).toEqual(long.map((_, i) => (i < 300 ? 0 : i < 650 ? 300 : 650)));
    const { values, indices } = tensor([1, 3, 3, 2, Number.NaN, 5]).cumulativeMax();
    expect(await list(values)).toEqual([1, 3, 3, 3, Number.NaN, Number.NaN]);
    expect(await list(indices)).toEqual([0, 1, 2, 2, 4, 4]);
  });

  it('are as exact over a long row as in float64', async () => {
    const n = 300_000;
    const data = Float32Array.from({ length: n }, (_, i) => Math.sin(i) + 0.1);
    const found = (await tensor({ data, shape: [n] })
      .cumulativeSum()
      .data()) as Float32Array;
    let total = 0;
    let worst = 0;
    for (let i = 0; i < n; i++) {
      total += data[i]!;
      worst = Math.max(worst, Math.abs(found[i]! - total) / Math.abs(total));
    }
    expect(worst).toBeLessThan(2 ** -23);
    const places = await list(
      tensor({ data, shape: [n] })
        .cumulativeMax()
        .indices.slice([n - 1], [n]),
    );
    expect(places).toEqual([data.lastIndexOf(data.reduce((a, b) => Math.max(a, b)))]);
  });

  it('refuse a scalar and an unknown option', () => {
    expect(() => tensor(1).cumulativeSum()).toThrow(/no axis/);
    expect(() => tensor([1]).cumulativeSum(0, { exclusiv: true } as object)).toThrow(/did you mean "exclusive"/);
    expect(() => tensor([1]).cumulativeSum(1)).toThrow(RangeError);
  });
});

describe('orders', () => {
  it('sort with NaN as the greatest, keeping equals in their order', async () => {
    const x = tensor([2, Number.NaN, -1, 2, Number.POSITIVE_INFINITY, -0, 0]);
    expect(await list(x.sort().values)).toEqual([-1, -0, 0, 2, 2, Number.POSITIVE_INFINITY, Number.NaN]);
    expect(await list(x.argsort())).toEqual([2, 5, 6, 0, 3, 4, 1]);
    expect(await list(x.argsort(0, { descending: true }))).toEqual([1, 4, 0, 3, 5, 6, 2]);
    expect(await list(x.topK(2).indices)).toEqual([1, 4]);
    expect(await list(x.topK(3, 0, { largest: false }).values)).toEqual([-1, -0, 0]);
  });

  it('sort along the first axis, and long rows by the pieces', async () => {
    const x = tensor([
      [3, 1],
      [1, 2],
      [2, 0],
    ]);
    expect(await list(x.sort(0).values)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    const n = 200_000;
    const data = Int32Array.from({ length: n }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >> 12);
    const long = tensor({ data, shape: [n] });
    expect(Buffer.compare(Buffer.from((await long.sort().values.data()).buffer), Buffer.from(data.slice().sort().buffer))).toBe(0);
    const order = (await long.argsort().data()) as Int32Array;
    expect(
      order.every((at, i) => i === 0 || data[order[i - 1]!]! < data[at]! || (data[order[i - 1]!] === data[at] && order[i - 1]! < at)),
    ).toBe(true);
  });

  it('give order statistics as PyTorch does', async () => {
    const x = tensor([
      [5, 1, 4, 2],
      [7, 7, 3, 3],
    ]);
    const { values, indices } = x.kthValue(2);
    expect([await list(values), await list(indices)]).toEqual([
      [2, 3],
      [3, 3],
    ]);
    expect(await list(x.median(1))).toEqual([2, 3]);
    expect(await list(x.median())).toBe(3);
    expect(await list(x.quantile([0, 0.5, 1]))).toEqual([
      [1, 3],
      [3, 5],
      [5, 7],
    ]);
    expect(await list(x.quantile(0.4, 1, { interpolation: 'nearest' }))).toEqual([2, 3]);
    expect(await list(tensor([1, Number.NaN, 3]).median())).toBeNaN();
    expect(await list(tensor([1, Number.NaN, 3]).quantile(0))).toBeNaN();
    const most = tensor([3, 1, 3, 2, 1, 4]).mode();
    expect([await list(most.values), await list(most.indices)]).toEqual([1, 4]);
    expect(() => x.quantile(1.5)).toThrow(RangeError);
    expect(() => x.topK(5)).toThrow(/k is 5, but the axis/);
  });
});

describe('search and counts', () => {
  it('find places in sorted rows', async () => {
    const sorted = tensor([1, 3, 3, 7]);
    const values = tensor([
      [0, 3],
      [7, 9],
    ]);
    expect(await list(sorted.searchSorted(values))).toEqual([
      [0, 1],
      [3, 4],
    ]);
    expect(await list(values.bucketize(sorted, { right: true }))).toEqual([
      [0, 3],
      [4, 4],
    ]);
    expect(() => tensor([[1, 2]]).searchSorted(tensor([[1], [2]]))).toThrow(/differ before the last axis/);
  });

  it('find the different elements, awaited or in the room given', async () => {
    const x = tensor([
      [3, 1, 3],
      [2, 1, 3],
    ]);
    const { values, inverse, counts } = await x.unique();
    expect([values.shape, counts.shape]).toEqual([[3], [3]]);
    expect([await list(values), await list(inverse), await list(counts)]).toEqual([
      [1, 2, 3],
      [
        [2, 0, 2],
        [1, 0, 2],
      ],
      [2, 1, 3],
    ]);
    const few = x.uniqueWithin(2);
    expect([await list(few.values), await list(few.counts), await list(few.count)]).toEqual([[1, 2], [2, 1], 3]);
    const many = x.uniqueWithin(5);
    expect([await list(many.values), await list(many.counts)]).toEqual([
      [1, 2, 3, 0, 0],
      [2, 1, 3, 0, 0],
    ]);
    expect((await tensor({ data: new Float32Array(0), shape: [0] }).unique()).values.shape).toEqual([0]);
    expect(await list((await tensor([Number.NaN, 1, Number.NaN]).unique()).counts)).toEqual([1, 1, 1]);
  });

  it('find what is not zero', async () => {
    const x = tensor([
      [0, 2],
      [Number.NaN, 0],
    ]);
    expect(await list(await x.nonzero())).toEqual([
      [0, 1],
      [1, 0],
    ]);
    const { indices, count } = x.nonzeroWithin(3);
    expect([await list(indices), await list(count)]).toEqual([
      [
        [0, 1],
        [1, 0],
        [-1, -1],
      ],
      2,
    ]);
    expect(await list(x.countNonzero(0))).toEqual([1, 1]);
    expect((await tensor(0).nonzero()).shape).toEqual([0, 0]);
    expect(await list(await x.maskedSelect(x.greater(1)))).toEqual([2]);
  });

  it('count', async () => {
    const x = tensor([1, 0, 3, 1], 'int32');
    expect(await list(x.bincount(5))).toEqual([1, 2, 0, 1, 0]);
    expect(await list(x.bincount(4, { weights: tensor([0.5, 2, 4, 0.25]) }))).toEqual([2, 0.75, 0, 4]);
    await expect(x.bincount(3).data()).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    await expect(tensor([-1], 'int32').bincount(3).data()).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    const data = tensor([0, 0.1, 0.5, 1, 1.5, -1, Number.NaN]);
    const { counts, edges } = data.histogram(2, { range: [0, 1] });
    expect([await list(counts), await list(edges)]).toEqual([
      [2, 2],
      [0, 0.5, 1],
    ]);
    expect(await list(data.histogram(tensor([-1, 0, 1])).counts)).toEqual([1, 4]);
    expect(await list(tensor([2, 2]).histogram(2).counts)).toEqual([0, 2]);
  });
});

describe('draws', () => {
  it('are permutations, and integers in their range', async () => {
    pollux.seed(7);
    const order = (await pollux.permutation(1000).data()) as Int32Array;
    expect([...order].sort((a, b) => a - b)).toEqual([...order.keys()]);
    expect([...order]).not.toEqual([...order.keys()]);
    const dice = (await pollux.randint([60_000], 1, 7).data()) as Int32Array;
    const counts = [1, 2, 3, 4, 5, 6].map((side) => dice.filter((x) => x === side).length);
    expect(counts.reduce((a, b) => a + b)).toBe(60_000);
    // Chi-squared with 5 degrees of freedom: 25 is beyond 1 in 7,000.
    expect(counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(25);
    const wide = await pollux.randint([1000], -(2 ** 40), 2 ** 40, 'int64').data();
    expect(wide.some((x) => x < -(2n ** 39n)) && wide.some((x) => x > 2n ** 39n)).toBe(true);
    expect(() => pollux.randint([1], 3, 3)).toThrow(RangeError);
    pollux.seed(7);
    expect([...((await pollux.permutation(1000).data()) as Int32Array)]).toEqual([...order]);
  });

  it('pick classes by their weights', async () => {
    pollux.seed(3);
    const weights = tensor([0, 1, 3, 0]);
    const drawn = (await pollux.multinomial(weights, 40_000, { replacement: true }).data()) as Int32Array;
    const ones = drawn.filter((x) => x === 1).length;
    expect(drawn.every((x) => x === 1 || x === 2)).toBe(true);
    expect(Math.abs(ones - 10_000)).toBeLessThan(5 * Math.sqrt(40_000 * 0.25 * 0.75));
    const pair = (await pollux.multinomial(weights, 2).data()) as Int32Array;
    expect([...pair].sort()).toEqual([1, 2]);
    const logits = tensor([Math.log(1), Math.log(3)]).broadcastTo([40_000, 2]);
    const classes = (await pollux.categorical(logits).data()) as Int32Array;
    expect(Math.abs(classes.filter((x) => x === 0).length - 10_000)).toBeLessThan(5 * Math.sqrt(40_000 * 0.25 * 0.75));
  });

  it('take the temperature as data', async () => {
    const logits = tensor([[1, 3, 2]]).broadcastTo([500, 3]);
    const step = compile((x: Tensor, temperature: Tensor) => pollux.categorical(x, { temperature }));
    expect(new Set((await (await step(logits, tensor(0))).data()) as Int32Array)).toEqual(new Set([1]));
    expect(new Set((await (await step(logits, tensor(5))).data()) as Int32Array)).toEqual(new Set([0, 1, 2]));
  });
});

describe('scatter', () => {
  it('sets, and takes sums, means and extremes, with what stands there or without', async () => {
    const x = tensor([10, 20, 30]);
    const at = tensor([0, 0, -1], 'int32');
    const updates = tensor([1, 2, 40]);
    const by = (reduce: 'set' | 'sum' | 'mean' | 'maximum' | 'minimum', includeSelf?: boolean) =>
      floats(x.scatter(at, updates, 0, { reduce, includeSelf }));
    expect(await by('set')).toEqual([2, 20, 40]);
    expect(await by('sum')).toEqual([13, 20, 70]);
    expect((await by('mean')).map((m) => Math.round(m * 1000) / 1000)).toEqual([4.333, 20, 35]);
    expect(await by('maximum')).toEqual([10, 20, 40]);
    expect(await by('minimum')).toEqual([1, 20, 30]);
    expect(await by('sum', false)).toEqual([3, 20, 40]);
    expect(await by('mean', false)).toEqual([1.5, 20, 40]);
    expect(await by('maximum', false)).toEqual([2, 20, 40]);
    expect(await floats(x.scatter(at, 5, 0))).toEqual([5, 20, 5]);
    await expect(x.scatter(tensor([3], 'int32'), 1, 0).data()).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    expect(() => x.scatter(at, updates, 0, { reduce: 'median' as 'set' })).toThrow(/none of set/);
  });
});

describe('norm', () => {
  it('has any order', async () => {
    const x = tensor([3, -4]);
    expect(await list(x.norm())).toBe(5);
    expect(await list(x.norm(0, { order: 1 }))).toBe(7);
    expect(await list(x.norm(0, { order: Number.POSITIVE_INFINITY, keepDims: true }))).toEqual([4]);
    expect(await list(tensor([0, 0]).norm(0, { order: 3 }))).toBe(0);
    expect(() => x.norm(0, { order: NaN })).toThrow(RangeError);
    expect(() => x.sum(0, { order: 1 } as object)).toThrow(/unknown option "order"/);
  });
});

describe('in a compiled step', () => {
  it('draws differ from call to call, and from one draw to the next', async () => {
    pollux.seed(11);
    const step = compile((x: Tensor) => ({ first: pollux.shuffle(x), second: pollux.permutation(50) }));
    const x = pollux.arange(0, 50);
    const [one, two] = [await step(x), await step(x)];
    const orders = await Promise.all([one.first, one.second, two.first, two.second].map(floats));
    expect(new Set(orders.map(String)).size).toBe(4);
    for (const order of orders) expect(order.toSorted((a, b) => a - b)).toEqual([...Array(50).keys()]);
  });

  it('counted sizes stay inside, and gradients pass', async () => {
    const step = compile((x: Tensor) => x.uniqueWithin(3).count);
    expect(Number((await (await step(tensor([1, 1, 2]))).data())[0])).toBe(2);
    const slope = pollux.grad((x: Tensor) =>
      x
        .sort()
        .values.mul(tensor([1, 10, 100]))
        .sum(),
    );
    expect(await list(await slope(tensor([5, 1, 3])))).toEqual([100, 1, 10]);
  });
});
