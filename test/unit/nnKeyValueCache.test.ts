import { describe, expect, it } from 'vitest';
import { compile, nn, type Tensor, tensor } from '../../src/index.js';

const random = (seed: number, shape: readonly number[]): Tensor => {
  let state = seed;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor({ data, shape: [...shape] });
};
const numbers = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);
const near = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((x, i) => expect(Math.abs(x - expected[i]!)).toBeLessThan(1e-5));
};

const model = () => new nn.TransformerEncoder(2, 8, 2, { hiddenSize: 12, causal: true, kvHeads: 1, rotary: true }).eval();

describe('decoding with a cache', () => {
  it('token by token gives what the whole sequence gives, by one plan that copies no cache', async () => {
    const gpt = model();
    const caches = gpt.newCaches(2, 11);
    const step = compile({ state: [gpt, ...caches] }, (x: Tensor) => gpt.forward(x, { caches }));
    const x = random(3, [2, 11, 8]);
    const whole = (await gpt.forward(x).toArray()) as number[][][];
    near(
      ((await step(x.slice([0, 0], [2, 4])).then((y: Tensor) => y.toArray())) as number[][][]).flat(2),
      whole.map((b) => b.slice(0, 4)).flat(2),
    );
    for (let t = 4; t < 11; t++) {
      const y = await step(x.slice([0, t], [2, t + 1]));
      near(
        await numbers(y),
        whole.flatMap((b) => b[t]!),
      );
    }
    expect(step.plans).toBe(2);
    expect(await caches[1]!.length()).toEqual([11, 11]);
    // No step copies keys or values: each cacheUpdate writes into the state itself.
    const copies = step
      .explain()
      .split('\n')
      .filter((line) => /copy/.test(line) && /2, 11/.test(line));
    expect(copies).toEqual([]);
  });

  it('takes prompts of different lengths, padded on the right', async () => {
    const gpt = model();
    const caches = gpt.newCaches(2, 8);
    const prefill = compile({ state: [gpt, ...caches] }, (x: Tensor, lengths: Tensor) => gpt.forward(x, { caches, lengths }));
    const next = compile({ state: [gpt, ...caches] }, (x: Tensor) => gpt.forward(x, { caches }));
    const x = random(5, [2, 6, 8]);
    const lengths = [2, 4];
    await prefill(x.slice([0, 0], [2, 4]), tensor(lengths, 'int32'));
    expect(await caches[0]!.length()).toEqual(lengths);
    const y = (await (await next(x.slice([0, 5], [2, 6]))).toArray()) as number[][][];
    for (const b of [0, 1]) {
      const rows = (await x.slice([b, 0], [b + 1, 6]).toArray()) as number[][][];
      const alone = tensor([[...rows[0]!.slice(0, lengths[b]), rows[0]![5]!]]);
      near(y[b]![0]!, ((await gpt.forward(alone).toArray()) as number[][][])[0]!.at(-1)!);
    }
  });

  it('a full cache fails the run, names the sample, and changes nothing', async () => {
    const gpt = model();
    const caches = gpt.newCaches(2, 3);
    const step = compile({ state: [gpt, ...caches] }, (x: Tensor) => gpt.forward(x, { caches }));
    await step(random(1, [2, 3, 8]));
    const before = await Promise.all(caches.flatMap((cache) => [numbers(cache.keys), numbers(cache.values)]));
    await expect(step(random(2, [2, 1, 8]))).rejects.toMatchObject({
      code: 'CAPACITY_EXCEEDED',
      message: expect.stringContaining('sample 0 of the cache holds 3 rows'),
    });
    expect(await Promise.all(caches.flatMap((cache) => [numbers(cache.keys), numbers(cache.values)]))).toEqual(before);
    expect(await caches[0]!.length()).toEqual([3, 3]);
    await expect(step(random(2, [2, 4, 8]))).rejects.toMatchObject({ code: 'CAPACITY_EXCEEDED' });
  });

  it('reset and reorder are small overwrites that later steps see', async () => {
    const cache = new nn.KeyValueCache(3, 4, 1, 2);
    const append = compile({ state: cache }, (k: Tensor, v: Tensor) => {
      cache.forward(k, v);
    });
    await append(random(1, [3, 2, 1, 2]), random(2, [3, 2, 1, 2]));
    const keys = (await cache.keys.toArray()) as number[][][][];
    await compile({ state: cache }, (indices: Tensor) => cache.reorder(indices))(tensor([2, 2, 0], 'int32'));
    expect(await cache.keys.toArray()).toEqual([keys[2], keys[2], keys[0]]);
    cache.reset();
    expect(await cache.length()).toEqual([0, 0, 0]);
    await append(random(3, [3, 1, 1, 2]), random(4, [3, 1, 1, 2]));
    expect(await cache.length()).toEqual([1, 1, 1]);
    expect(((await cache.keys.toArray()) as number[][][][])[0]![1]).toEqual(keys[2]![1]);
  });

  it('a step that fails behind the append leaves the valid rows and the position', async () => {
    const cache = new nn.KeyValueCache(1, 4, 1, 2);
    const loss = compile({ state: cache }, (k: Tensor, index: Tensor) => {
      const rows = cache.forward(k, k);
      const y = nn.attention(k, rows.keys, rows.values, { lengths: rows.lengths, causal: true });
      return y.reshape([2]).gather(index, 0);
    });
    const [a, b] = [random(1, [1, 1, 1, 2]), random(2, [1, 1, 1, 2])];
    await loss(a, tensor([0], 'int32'));
    const first = ((await cache.keys.toArray()) as number[][][][])[0]![0];
    await expect(loss(b, tensor([7], 'int32'))).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    expect(await cache.length()).toEqual([1]);
    expect(((await cache.keys.toArray()) as number[][][][])[0]![0]).toEqual(first);
    expect(loss.explain()).not.toMatch(/copy.*1, 4, 1, 2/);
    await loss(b, tensor([1], 'int32'));
    expect(await cache.length()).toEqual([2]);
    expect(((await cache.keys.toArray()) as number[][][][])[0]![0]).toEqual(first);
  });

  it('an aborted step leaves the position', async () => {
    const gpt = model();
    const caches = gpt.newCaches(1, 6);
    const step = compile({ state: [gpt, ...caches] }, (x: Tensor) => gpt.forward(x, { caches }));
    await step(random(1, [1, 2, 8]));
    await expect(step.run([random(2, [1, 2, 8])], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await caches[0]!.length()).toEqual([2]);
  });

  it('two appends of one step write one behind the other, and readers between them see the first alone', async () => {
    const cache = new nn.KeyValueCache(1, 5, 1, 1);
    const step = compile({ state: cache }, (a: Tensor, b: Tensor) => {
      const first = cache.forward(a, a);
      const sum = first.keys.sum();
      cache.forward(b, b);
      return sum;
    });
    const rows = (...list: number[]) => tensor({ data: Float32Array.from(list), shape: [1, list.length, 1, 1] });
    expect((await step(rows(1, 2), rows(4))).item()).toBe(3);
    expect(await numbers(cache.keys)).toEqual([1, 2, 4, 0, 0]);
    expect(await cache.length()).toEqual([3]);
    expect(step.explain()).not.toMatch(/copy.*1, 5, 1, 1/);
  });

  it('a reader of the content before goes first', async () => {
    const cache = new nn.KeyValueCache(1, 3, 1, 1);
    const step = compile({ state: cache }, (a: Tensor) => {
      const before = cache.keys.sum();
      const { keys } = cache.forward(a, a);
      return { before, after: keys.sum(), crossed: keys.sum().add(before) };
    });
    const row = (x: number) => tensor({ data: Float32Array.of(x), shape: [1, 1, 1, 1] });
    await step(row(1));
    const { before, after, crossed } = await step(row(5));
    expect([before.item(), after.item(), crossed.item()]).toEqual([1, 6, 7]);
  });

  it('encoder and decoder: the memory is projected once', async () => {
    const decoder = new nn.TransformerDecoder(2, 8, 2, { hiddenSize: 12 }).eval();
    const caches = decoder.newCaches(2, 4, 5);
    const state = [decoder, ...caches.own, ...caches.memory];
    const [x, memory] = [random(1, [2, 4, 8]), random(2, [2, 5, 8])];
    const begin = compile({ state }, (token: Tensor, from: Tensor) => decoder.forward(token, from, { caches }));
    const go = compile({ state }, (token: Tensor) => decoder.forward(token, undefined, { caches }));
    const whole = (await decoder.forward(x, memory).toArray()) as number[][][];
    for (let t = 0; t < 4; t++) {
      const token = x.slice([0, t], [2, t + 1]);
      near(
        await numbers(t ? await go(token) : await begin(token, memory)),
        whole.flatMap((b) => b[t]!),
      );
    }
    expect(() => decoder.forward(x, undefined)).toThrow('needs the output of the encoder');
  });
});
