import { describe, expect, it } from 'vitest';
import { ArrayDataset, DataLoader, Dataset, augment, transforms } from '../../src/data/index.js';
import type { Batch, Field, GetOptions, Indices, LoaderOptions, Schema } from '../../src/data/index.js';

/** x = [i, i / 2], y = i. */
function counting(length: number) {
  return new ArrayDataset({
    x: { data: Float32Array.from({ length: 2 * length }, (_, i) => (i >> 1) / (1 + (i % 2))), shape: [length, 2] },
    y: { data: Int32Array.from({ length }, (_, i) => i), shape: [length] },
  });
}

async function labels<S extends Schema & { y: Field }>(loader: DataLoader<S>, epochs = 1): Promise<number[][]> {
  const seen: number[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++) for await (const batch of loader) seen.push([...(batch.y.data as Int32Array)]);
  return seen;
}

class Failing extends Dataset<{ y: { shape: readonly []; dtype: 'int32' } }> {
  readonly length = 100;
  readonly schema = { y: { shape: [] as const, dtype: 'int32' as const } };
  override async get(indices: Indices, options: GetOptions<typeof this.schema> = {}): Promise<Batch<typeof this.schema>> {
    await new Promise((done) => setTimeout(done, 1));
    for (let i = 0; i < indices.length; i++) if (indices[i] === 57) throw new Error('sample 57 is unreadable');
    return options.out!;
  }
}

describe('DataLoader', () => {
  it('gives every sample once, in order, with the smaller batch last', async () => {
    const loader = new DataLoader(counting(10), { batchSize: 4 });
    expect(loader.length).toBe(3);
    expect(await labels(loader)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    for await (const { x, y } of loader) {
      expect(x.shape).toEqual([y.data.length, 2]);
      expect(x.dtype).toBe('float32');
      expect(x.data[1]).toBe(y.data[0]! / 2);
    }
  });

  it('drops the smaller batch when asked', async () => {
    const loader = new DataLoader(counting(10), { batchSize: 4, dropLast: true });
    expect(loader.length).toBe(2);
    expect(await labels(loader)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(() => new DataLoader(counting(3), { batchSize: 4, dropLast: true })).toThrow(/no full batch/);
  });

  it('shuffles anew each epoch, the same for the same seed, whatever the prefetch', async () => {
    const run = (options: LoaderOptions) => labels(new DataLoader(counting(1000), { shuffle: true, batchSize: 32, ...options }), 2);
    const first = await run({ seed: 7, prefetch: 0 });
    const flat = first.flat();
    expect([...flat.slice(0, 1000)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(flat.slice(0, 1000)).not.toEqual(flat.slice(1000));
    expect(await run({ seed: 7, prefetch: 5 })).toEqual(first);
    expect((await run({ seed: 7, batchSize: 7 })).flat()).toEqual(flat);
    expect(await run({ seed: 8 })).not.toEqual(first);
  });

  it('resumes in mid-epoch with the same batches, augmentation included', async () => {
    const images = new ArrayDataset({
      x: { data: Float32Array.from({ length: 50 * 36 }, (_, i) => i), shape: [50, 6, 6, 1] },
      y: { data: new Int32Array(50), shape: [50] },
    });
    const make = () =>
      new DataLoader(augment(images, 'x', transforms.randomShift(2), transforms.randomFlip()), { batchSize: 8, shuffle: true, seed: 3 });
    const whole: number[][] = [];
    const states = [];
    const loader = make();
    for (let epoch = 0; epoch < 3; epoch++) {
      states.push(loader.state());
      for await (const { x } of loader) {
        whole.push([...x.data]);
        states.push(loader.state());
      }
    }
    for (const [at, batches] of [
      [0, 0],
      [3, 3],
      [11, 10],
      [14, 13],
    ] as const) {
      const resumed = make();
      resumed.restore(JSON.parse(JSON.stringify(states[at])));
      const rest: number[][] = [];
      for (let epoch = resumed.state().epoch; epoch < 3; epoch++) for await (const { x } of resumed) rest.push([...x.data]);
      expect(rest).toEqual(whole.slice(batches));
    }
  });

  it('begins the next epoch after a loop that was left early, and refuses the old loop', async () => {
    const loader = new DataLoader(counting(10), { batchSize: 4 });
    for await (const _ of loader) break;
    expect(loader.state()).toEqual({ seed: 0, epoch: 0, position: 4 });
    const old = loader[Symbol.asyncIterator]();
    expect(loader.state()).toEqual({ seed: 0, epoch: 1, position: 0 });
    await old.next();
    expect((await labels(loader)).length).toBe(3);
    await expect(old.next()).rejects.toThrow(/ended when another began/);
  });

  it('leaves a leased batch alone until the batch after the next is asked for', async () => {
    const iterator = new DataLoader(counting(40), { batchSize: 4, prefetch: 3 })[Symbol.asyncIterator]();
    const idle = () => new Promise((done) => setTimeout(done, 5));
    const first = (await iterator.next()).value!;
    await idle();
    const second = (await iterator.next()).value!;
    await idle();
    expect([...first.y.data]).toEqual([0, 1, 2, 3]);
    expect([...second.y.data]).toEqual([4, 5, 6, 7]);
    const buffers = new Set([first.y.data.buffer, second.y.data.buffer]);
    for (let i = 0; i < 8; i++) buffers.add((await iterator.next()).value!.y.data.buffer);
    expect(buffers.size).toBe(5);
  });

  it('prepares ahead while the consumer is busy, and no further than told', async () => {
    const read: number[] = [];
    const spied = counting(100).map({ y: { shape: [], dtype: 'int32' } } as const, (batch, out, { indices }) => {
      read.push(...Array.from(indices));
      out.y.data.set(batch.y.data);
    });
    const iterator = new DataLoader(spied, { batchSize: 10, prefetch: 2 })[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((done) => setTimeout(done, 20));
    expect(Math.max(...read)).toBe(29);
  });

  it('keeps the event loop free', async () => {
    const slow = counting(4096).map({ y: { shape: [], dtype: 'int32' } } as const, (batch) => {
      const until = performance.now() + 0.1 * batch.y.data.length;
      while (performance.now() < until);
    });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const began = performance.now();
    const loader = new DataLoader(slow, { batchSize: 1024, prefetch: 1 });
    for await (const _ of loader);
    clearInterval(timer);
    // 410 ms of work in stretches of about 3 ms; a hundred times fewer ticks would mean whole batches at a stretch.
    expect(ticks).toBeGreaterThan((performance.now() - began) / 20);
  });

  it('ends with AbortError when aborted, waiting or not', async () => {
    const controller = new AbortController();
    const loader = new DataLoader(new Failing().take(50), { batchSize: 10, signal: controller.signal });
    const iterator = loader[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    controller.abort('enough');
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
    await expect(iterator.next()).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('reports an unreadable sample at its batch, and gives those before it', async () => {
    const seen: number[] = [];
    const loader = new DataLoader(new Failing(), { batchSize: 10, prefetch: 4 });
    await expect(
      (async () => {
        for await (const { y } of loader) seen.push(y.data.length);
      })(),
    ).rejects.toThrow('sample 57 is unreadable');
    expect(seen).toEqual([10, 10, 10, 10, 10]);
  });

  it('refuses bad options', () => {
    const data = counting(4);
    expect(() => new DataLoader(data, { batchSize: 0 })).toThrow(RangeError);
    expect(() => new DataLoader(data, { batchSize: 2.5 })).toThrow(/whole number/);
    expect(() => new DataLoader(data, { batchsize: 2 } as LoaderOptions)).toThrow(/did you mean "batchSize"/);
    expect(() => new DataLoader(data.take(0))).toThrow(/empty/);
    expect(() => new DataLoader([] as never)).toThrow(TypeError);
    expect(() => new DataLoader(data).restore({ seed: 0, epoch: 0, position: 5 })).toThrow(/beyond the 4 samples/);
    expect(() => new DataLoader(data).restore({ seed: 0, epoch: -1, position: 0 })).toThrow(RangeError);
  });
});
