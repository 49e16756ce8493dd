import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArrayDataset,
  balancedSampler,
  cached,
  collectSamples,
  DataLoader,
  encodeTable,
  fitTable,
  mapInWorkers,
  readCsv,
  readJsonLines,
  readParquet,
  type Row,
  SequenceDataset,
  StreamLoader,
  weightedSampler,
} from '../../src/data/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pollux-data-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const written = async (name: string, text: string | Uint8Array): Promise<string> => {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return file;
};
const all = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of source) found.push(item);
  return found;
};
const numbers = (count: number) => new ArrayDataset({ x: { data: Float32Array.from({ length: count }, (_, i) => i), shape: [count] } });

describe('files of records', () => {
  it('reads CSV with quotes, breaks and a byte-order mark', async () => {
    const file = await written('a.csv', '\ufeffname,age\n"Smith, ""Jo""\nAnn",31\nBo , 7\n\n');
    expect(await all(readCsv(file))).toEqual([
      { name: 'Smith, "Jo"\nAnn', age: '31' },
      { name: 'Bo', age: '7' },
    ]);
    expect(await all(readCsv(await written('b.csv', '1;2\n3;4'), { columns: ['a', 'b'], delimiter: ';' }))).toHaveLength(2);
  });

  it('names the line of a broken CSV', async () => {
    await expect(all(readCsv(await written('c.csv', 'a,b\n1,2\n1,2,3\n')))).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await expect(all(readCsv(await written('c.csv', 'a,b\n1,2\n1,2,3\n')))).rejects.toThrow('line 3');
    await expect(all(readCsv(await written('d.csv', 'a,b\n"1,2\n')))).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await expect(all(readCsv(path.join(folder, 'none.csv')))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });

  it('reads JSON lines, and names the line that is none', async () => {
    expect(await all(readJsonLines(await written('a.jsonl', '{"x":1}\n\n{"x":[2]}\r\n')))).toEqual([{ x: 1 }, { x: [2] }]);
    await expect(all(readJsonLines(await written('b.jsonl', '{"x":1}\n{"x":')))).rejects.toThrow(/line 2/);
    await expect(all(readJsonLines(path.join(folder, 'none.jsonl')))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });

  it('reads Parquet', async () => {
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const columnData = [
      { name: 'a', data: [1, 2, 3, 4, 5], type: 'INT32' as const },
      { name: 'b', data: ['p', 'q', 'r', 's', 't'], type: 'STRING' as const },
    ];
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 2 }));
    const file = await written('a.parquet', bytes);
    expect(await all(readParquet(file))).toEqual(columnData[0]!.data.map((a, i) => ({ a, b: columnData[1]!.data[i] })));
    expect(await all(readParquet(file, { columns: ['b'] }))).toContainEqual({ b: 't' });
    await expect(all(readParquet(await written('b.parquet', bytes.subarray(0, 60))))).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await expect(all(readParquet(path.join(folder, 'none')))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });
});

describe('tables', () => {
  const rows: Row[] = [
    { size: '1', colour: 'red', kind: 'b' },
    { size: '3', colour: 'blue', kind: 'a' },
    { size: '5', colour: 'red', kind: 'b' },
  ];
  it('normalises numbers, spreads categories, numbers classes', async () => {
    const encoding = await fitTable(rows, { target: 'kind' });
    expect(encoding.classes).toEqual(['a', 'b']);
    const { x, y } = await (await encodeTable(rows, JSON.parse(JSON.stringify(encoding)))).get([0, 1, 2]);
    const deviation = Math.sqrt(8 / 3);
    expect([...(x.data as Float32Array)]).toEqual([-2 / deviation, 0, 1, 0, 1, 0, 2 / deviation, 0, 1].map(Math.fround));
    expect([...(y.data as Int32Array)]).toEqual([1, 0, 1]);
  });
  it('takes numbers as they are for regression, and fills what is missing', async () => {
    const encoding = await fitTable([...rows, { size: '', colour: 'red', kind: 'a' }], {
      features: ['colour'],
      target: 'size',
      missing: 'mean',
      task: 'regression',
    });
    const dataset = await encodeTable([{ size: 2, colour: 'green' }], encoding);
    const { x, y } = await dataset.get([0]);
    expect(y.shape).toEqual([1, 1]);
    expect([...(x.data as Float32Array)]).toEqual([0, 0]);
  });
  it('names the row and the column of what it cannot take', async () => {
    await expect(fitTable([], { target: 'a' })).rejects.toThrow('no rows');
    await expect(fitTable(rows, { target: 'knd' })).rejects.toThrow('did you mean "kind"');
    await expect(fitTable([...rows, { size: '', colour: 'x', kind: 'a' }], { target: 'kind' })).rejects.toThrow('row 4 has no size');
    const encoding = await fitTable(rows, { target: 'kind' });
    await expect(encodeTable([{ ...rows[0], kind: 'z' }], encoding)).rejects.toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
    await expect(encodeTable([{ ...rows[0], size: 'big' }], encoding)).rejects.toThrow('"big" in the numeric column size');
  });
});

describe('samplers', () => {
  // Batches are leased: what is kept is copied at once.
  const epoch = async (loader: DataLoader<{ x: { shape: readonly []; dtype: 'float32' } }>): Promise<number[]> => {
    const seen: number[] = [];
    for await (const { x } of loader) seen.push(...(x.data as Float32Array));
    return seen;
  };

  it('draws by weight, with and without replacement, the same for one seed', async () => {
    const weights = [0, 1, 2, 0, 7];
    const loader = () => new DataLoader(numbers(5), { sampler: weightedSampler(weights, { count: 20_000 }), batchSize: 500, seed: 4 });
    const counts = [0, 0, 0, 0, 0];
    const first = await epoch(loader());
    for (const x of first) counts[x]!++;
    // Within five standard deviations of the binomial law.
    for (const [i, weight] of weights.entries())
      expect(Math.abs(counts[i]! - 2000 * weight)).toBeLessThanOrEqual(5 * Math.sqrt(20_000 * (weight / 10) * (1 - weight / 10)));
    expect(await epoch(loader())).toEqual(first);
    const kept = new DataLoader(numbers(5), { sampler: weightedSampler(weights, { count: 3, replacement: false }) });
    const one = await epoch(kept);
    expect([...one].sort()).toEqual([1, 2, 4]);
  });

  it('balances classes', async () => {
    const labels = Int32Array.from({ length: 1000 }, (_, i) => (i < 990 ? 0 : 1));
    const drawn = await epoch(new DataLoader(numbers(1000), { sampler: balancedSampler(labels), batchSize: 100 }));
    const rare = drawn.filter((i) => i >= 990).length;
    expect(Math.abs(rare - 500)).toBeLessThan(5 * Math.sqrt(250));
  });

  it('refuses what has nothing to draw', () => {
    expect(() => weightedSampler([])).toThrow('no weights');
    expect(() => weightedSampler([0, 0])).toThrow('all weights are 0');
    expect(() => weightedSampler([1, -1])).toThrow(RangeError);
    expect(() => weightedSampler([1, 0], { count: 2, replacement: false })).toThrow('without replacement from 1');
    expect(() => balancedSampler([])).toThrow('no labels');
    expect(() => new DataLoader(numbers(3), { sampler: weightedSampler([1], { count: 0 }) })).toThrow('no samples');
    expect(() => new DataLoader(numbers(3), { sampler: weightedSampler([1]), shuffle: true })).toThrow('leave out shuffle');
  });

  it('resumes in the middle of an epoch', async () => {
    const make = () => new DataLoader(numbers(50), { sampler: weightedSampler(new Float64Array(50).fill(1)), batchSize: 8, seed: 9 });
    const whole = await epoch(make());
    const [before, after] = [make(), make()];
    const begun: number[] = [];
    for await (const { x } of before) {
      begun.push(...(x.data as Float32Array));
      if (begun.length === 24) break;
    }
    after.restore(before.state());
    expect([...begun, ...(await epoch(after))]).toEqual(whole);
  });
});

describe('sequences', () => {
  const lengths = Array.from({ length: 100 }, (_, i) => (i * 37) % 50);
  const sequences = (options = {}) =>
    new SequenceDataset({ ids: lengths.map((length, i) => Array(length).fill(i + 1) as number[]), y: lengths.map((_, i) => i) }, options);

  it('pads, masks and counts', async () => {
    const data = new SequenceDataset({
      ids: { values: [[5, 6, 7], [], [8]], pad: 9 },
      frames: { values: [Float32Array.of(1, 2, 3, 4, 5, 6), [], [7, 8]], dtype: 'float32', width: 2 },
      y: [1, 0, 2],
      weight: Float32Array.of(0.5, 1, 2),
    });
    const batch = data.get([2, 0, 1], { length: 4 });
    expect([...batch.ids.data]).toEqual([8, 9, 9, 9, 5, 6, 7, 9, 9, 9, 9, 9]);
    expect([...batch.mask.data]).toEqual([1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect([...batch.lengths.data]).toEqual([1, 3, 0]);
    expect(batch.frames.shape).toEqual([3, 4, 2]);
    expect([...(batch.weight.data as Float32Array)]).toEqual([2, 0.5, 1]);
    expect(data.get([1]).ids.shape).toEqual([1, 0]);
  });

  it('brings like lengths together, each sample once, in few shapes', async () => {
    const loader = new DataLoader(sequences(), {
      batchSize: 10,
      shuffle: true,
      lengths: { group: true, window: 5, buckets: [16, 32, 64] },
    });
    const seen: number[] = [];
    let padding = 0;
    const shapes = new Set<number>();
    for await (const { ids, y, lengths: found, mask } of loader) {
      seen.push(...(y.data as Int32Array));
      shapes.add(ids.shape[1]!);
      padding += mask.data.filter((real) => !real).length;
      for (let row = 0; row < y.data.length; row++) {
        const real = [...ids.data.subarray(row * ids.shape[1]!, (row + 1) * ids.shape[1]!)].filter((id) => id === y.data[row]! + 1).length;
        expect(real).toBe(found.data[row]);
        expect(found.data[row]).toBe(lengths[y.data[row]!]);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    expect([...shapes].sort((a, b) => a - b)).toEqual([16, 32, 64]);
    let ungrouped = 0;
    for await (const { mask } of new DataLoader(sequences(), { batchSize: 10, shuffle: true, lengths: { buckets: [16, 32, 64] } }))
      ungrouped += mask.data.filter((real) => !real).length;
    expect(padding).toBeLessThan(0.6 * ungrouped);
  });

  it('mixes batches anew each epoch, by the seed alone', async () => {
    const make = () => new DataLoader(sequences(), { batchSize: 8, shuffle: true, seed: 3, lengths: { group: true } });
    const order = async (loader: ReturnType<typeof make>): Promise<number[]> => {
      const seen: number[] = [];
      for await (const { y } of loader) seen.push(...(y.data as Int32Array));
      return seen;
    };
    const [a, b] = [make(), make()];
    const first = await order(a);
    expect(await order(b)).toEqual(first);
    expect(await order(a)).not.toEqual(first);
  });

  it('passes subsets, concatenations and maps', async () => {
    const part = sequences()
      .subset([3, 5])
      .concat(sequences().subset([7]));
    const mapped = part.map(part.schema, (batch, out) => {
      out.ids.data.set(batch.ids.data.map((id) => -id));
      out.lengths.data.set(batch.lengths.data);
    });
    for await (const { ids, lengths: found } of new DataLoader(mapped, { lengths: { multipleOf: 1 } })) {
      expect(ids.shape).toEqual([3, Math.max(lengths[3]!, lengths[5]!, lengths[7]!)]);
      expect([...found.data]).toEqual([lengths[3], lengths[5], lengths[7]]);
      expect(ids.data.at(-1)! <= 0).toBe(true);
    }
  });

  it('cuts at maxLength, and names what does not fit', async () => {
    expect((await sequences({ maxLength: 4 }).get([1])).ids.shape).toEqual([1, 4]);
    expect(() => new SequenceDataset({ ids: [[1], [2]], y: [1] })).toThrow('y has 1 samples');
    expect(() => new SequenceDataset({ a: [[1, 2]], b: [[1]] })).toThrow('sample 0');
    expect(() => new SequenceDataset({ mask: [[1]] })).toThrow('made by the dataset');
    await expect(all(new DataLoader(sequences(), { lengths: { buckets: [8] } }))).rejects.toThrow('largest bucket is 8');
    expect(() => new DataLoader(sequences(), { lengths: { buckets: [8, 8] } })).toThrow('ascending');
    expect(() => sequences().get([1], { length: 2 })).toThrow('does not fit');
  });
});

describe('streams', () => {
  const schema = { x: { shape: [2], dtype: 'float32' }, y: { shape: [], dtype: 'int32' } } as const;
  async function* source(epoch: number) {
    for (let i = 0; i < 10; i++) yield { x: [i, epoch], y: i };
  }

  it('batches, shuffles within its buffer, resumes', async () => {
    const plain = (await all(new StreamLoader(schema, source, { batchSize: 4 }))).map(({ y }) => [...(y.data as Int32Array)]);
    expect(plain).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    const make = () => new StreamLoader(schema, source, { batchSize: 3, shuffleBuffer: 5, seed: 2 });
    const whole = (await all(make())).flatMap(({ y }) => [...(y.data as Int32Array)]);
    expect([...whole].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(whole).not.toEqual([...whole].sort((a, b) => a - b));
    const broken = make();
    const begun: number[] = [];
    for await (const { y } of broken) {
      begun.push(...(y.data as Int32Array));
      if (begun.length === 6) break;
    }
    const resumed = make();
    resumed.restore(broken.state());
    expect([...begun, ...(await all(resumed)).flatMap(({ y }) => [...(y.data as Int32Array)])]).toEqual(whole);
  });

  it('begins a new epoch with each loop', async () => {
    const loader = new StreamLoader(schema, source, { batchSize: 10 });
    const epochs = [await all(loader), await all(loader)].map(([batch]) => batch!.x.data[1]);
    expect(epochs).toEqual([0, 1]);
  });

  it('collects into a dataset', async () => {
    const dataset = await collectSamples(schema, source(0));
    expect(dataset.length).toBe(10);
    expect([...((await dataset.get([9, 2])).x.data as Float32Array)]).toEqual([9, 0, 2, 0]);
  });

  it('names what is wrong with a sample', async () => {
    const one = (sample: unknown) => all(new StreamLoader(schema, () => [sample as never]));
    await expect(one({ x: [1, 2] })).rejects.toThrow('no field "y"');
    await expect(one({ x: [1, 2, 3], y: 0 })).rejects.toThrow('3 numbers in "x"');
    await expect(all(new StreamLoader(schema, () => []))).rejects.toThrow('0 samples');
    const failing = new StreamLoader(schema, async function* () {
      yield { x: [1, 2], y: 0 };
      throw new Error('the network is gone');
    });
    await expect(all(failing)).rejects.toThrow('the network is gone');
  });
});

describe('caching', () => {
  it('reads each sample once, within its room', async () => {
    const read: number[] = [];
    const slow = numbers(10).map({ x: { shape: [], dtype: 'float32' } }, ({ x }, out) => {
      read.push(...(x.data as Float32Array));
      out.x.data.set(x.data);
    });
    const dataset = cached(slow, { maxBytes: 24 });
    for (let i = 0; i < 2; i++)
      expect([...((await dataset.get([4, 1, 4, 9, 2, 3, 5, 6])).x.data as Float32Array)]).toEqual([4, 1, 4, 9, 2, 3, 5, 6]);
    expect(read).toEqual([4, 1, 9, 2, 3, 5, 6, 6]);
  });
});

describe('worker threads', () => {
  const url = new URL('./data-modules/work.js', import.meta.url);
  const schema = { x: { shape: [], dtype: 'float32' } } as const;

  it('map as map does, in order', async () => {
    await using doubled = mapInWorkers(numbers(40), schema, url);
    const seen: number[] = [];
    for await (const { x } of new DataLoader(doubled, { batchSize: 16 })) seen.push(...x.data);
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => 2 * i));
    expect([...(await doubled.get([7, 3])).x.data]).toEqual([14, 6]);
    await using random = mapInWorkers(numbers(40), schema, url, { export: 'random' });
    expect([...(await random.get([5, 6], { seed: 2, epoch: 3 })).x.data]).toEqual([3_020_505, 3_020_606]);
  });

  it('name what was thrown, and go on', async () => {
    await using dataset = mapInWorkers(numbers(10), schema, url, { export: 'refuse', workers: 1 });
    await expect(dataset.get([3])).rejects.toMatchObject({ code: 'WORKER_FAILED', message: expect.stringContaining('three is too many') });
    await expect(dataset.get([4])).resolves.toBeDefined();
  });

  it('are replaced when they die, and lose only what they worked at', async () => {
    await using dataset = mapInWorkers(numbers(10), schema, url, { export: 'die', workers: 1 });
    const [bad, good] = await Promise.allSettled([dataset.get([3]), dataset.get([5])]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'WORKER_FAILED', message: expect.stringContaining('exit code 7') } });
    expect(good).toMatchObject({ status: 'fulfilled' });
  });

  it('name a module that is not there, and one without the function', async () => {
    await using missing = mapInWorkers(numbers(3), schema, new URL('./none.js', import.meta.url));
    await expect(missing.get([0])).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    await using nameless = mapInWorkers(numbers(3), schema, url, { export: 'nothing' });
    await expect(nameless.get([0])).rejects.toThrow('no function "nothing"');
    expect(() => mapInWorkers(numbers(3), schema, './work.js')).toThrow('URL');
    await nameless.dispose();
    await expect(nameless.get([0])).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
