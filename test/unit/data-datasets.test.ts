import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { ArrayDataset, augment, classLabels, datasets, parseIdx, readIdx, transforms } from '../../src/data/index.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pollux-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** An IDX file of unsigned bytes with this header, whatever the data. */
function idxFile(shape: readonly number[], data: Uint8Array, magic = [0, 0, 8, shape.length]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  bytes.set(magic);
  shape.forEach((size, axis) => new DataView(bytes.buffer).setUint32(4 + 4 * axis, size));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

describe('ArrayDataset', () => {
  const data = new ArrayDataset({
    x: { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [3, 2] },
    y: { data: BigInt64Array.of(7n, 8n, 9n), shape: [3] },
  });

  it('reads samples in any order', () => {
    const { x, y } = data.get([2, 0, 2]);
    expect(x).toEqual({ data: Float32Array.of(4, 5, 0, 1, 4, 5), shape: [3, 2], dtype: 'float32' });
    expect(y).toEqual({ data: BigInt64Array.of(9n, 7n, 9n), shape: [3], dtype: 'int64' });
  });

  it('gives bytes out through their levels', () => {
    const levels = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
    const bytes = new ArrayDataset({ x: { data: Uint8Array.of(0, 255, 51), shape: [3], levels } });
    expect(bytes.schema.x).toEqual({ shape: [], dtype: 'float32' });
    expect([...bytes.get([1, 2]).x.data]).toEqual([1, Math.fround(0.2)]);
  });

  it('takes, subsets, splits and concatenates', async () => {
    const y = async (set: { get: typeof data.get; length: number }) => [
      ...(await set.get(Array.from({ length: set.length }, (_, i) => i))).y.data,
    ];
    expect(await y(data.take(2) as typeof data)).toEqual([7n, 8n]);
    expect(await y(data.subset([2, 1]).subset([1, 0]) as typeof data)).toEqual([8n, 9n]);
    expect(await y(data.concat(data.subset([1])) as typeof data)).toEqual([7n, 8n, 9n, 8n]);
    const [a, b] = data.split(2 / 3, { seed: 5 });
    expect([a.length, b.length]).toEqual([2, 1]);
    expect([...(await y(a as typeof data)), ...(await y(b as typeof data))].sort()).toEqual([7n, 8n, 9n]);
    expect(data.split(0)[0].length).toBe(0);
  });

  it('refuses bad fields, labels and indices, by code', () => {
    const make = (x: object) => () => new ArrayDataset({ x: x as never });
    expect(make({ data: new Float32Array(5), shape: [3, 2] })).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(make({ data: new Float64Array(6), shape: [3, 2] })).toThrow(expect.objectContaining({ code: 'DTYPE_MISMATCH' }));
    expect(make({ data: new Uint16Array(6), shape: [3, 2] })).toThrow(/bfloat16/);
    expect(make({ data: new Float32Array(6), shape: [] })).toThrow(RangeError);
    expect(() => new ArrayDataset({ x: { data: new Float32Array(6), shape: [3, 2] }, y: { data: new Int32Array(2), shape: [2] } })).toThrow(
      /x has 3, y has 2/,
    );
    expect(() => data.get([3])).toThrow(expect.objectContaining({ code: 'INDEX_OUT_OF_RANGE' }));
    expect(() => data.subset([-1])).toThrow(/outside \[0, 3\)/);
    expect(() => classLabels([0, 1.5], 3)).toThrow(/label 1 is 1.5/);
    expect(() => classLabels([0, 3], 3)).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
    expect(classLabels([2, 0], 3)).toEqual({ data: Int32Array.of(2, 0), shape: [2] });
  });
});

describe('types', () => {
  // Checked by `npm run types`; the values are read so that the types belong to something that runs.
  it('know the shapes of samples', async () => {
    const { train } = await datasets.mnist();
    const batch = await augment(train, 'x', transforms.randomShift(2)).get([0]);
    expectTypeOf(batch.x.shape).toEqualTypeOf<readonly [number, 28, 28, 1]>();
    expectTypeOf(batch.y.data).toEqualTypeOf<Int32Array>();
    const own = new ArrayDataset({ x: { data: new Float32Array(6), shape: [3, 2] }, y: { data: new BigInt64Array(3), shape: [3] } });
    expectTypeOf(own.get([0]).x.shape).toEqualTypeOf<readonly [number, 2]>();
    expectTypeOf(own.get([0]).y.data).toEqualTypeOf<BigInt64Array>();
    expect([batch.x.shape, own.get([0]).x.shape]).toEqual([
      [1, 28, 28, 1],
      [1, 2],
    ]);
  });
});

describe('image transforms', () => {
  const image = Float32Array.from({ length: 12 }, (_, i) => i + 1);
  const words = (...values: number[]) => Uint32Array.from(values);

  it('shift moves and fills, and every offset is reached', () => {
    // Words 0 and 2^32 - 1 are the smallest and the largest offset: up 1, right 1.
    const shifted = image.slice();
    transforms.randomShift(1).apply(shifted, 0, [3, 4, 1], words(0, 0xffffffff));
    expect([...shifted]).toEqual([0, 5, 6, 7, 0, 9, 10, 11, 0, 0, 0, 0]);
    const edge = image.slice();
    transforms.randomShift(1, { fill: 'edge' }).apply(edge, 0, [3, 4, 1], words(0, 0xffffffff));
    expect([...edge]).toEqual([5, 5, 6, 7, 9, 9, 10, 11, 9, 9, 10, 11]);
  });

  it('crop cuts a window out of the padded image', () => {
    const crop = transforms.randomCrop([2, 2], { padding: 1, fill: -1 });
    expect(crop.outputShape([3, 4, 1])).toEqual([2, 2, 1]);
    const corner = image.slice();
    crop.apply(corner, 0, [3, 4, 1], words(0, 0));
    expect([...corner.subarray(0, 4)]).toEqual([-1, -1, -1, 1]);
    const middle = image.slice();
    crop.apply(middle, 0, [3, 4, 1], words(2 ** 31, 2 ** 31));
    expect([...middle.subarray(0, 4)]).toEqual([6, 7, 10, 11]);
    expect(() => crop.outputShape([1, 4, 1])).toThrow(RangeError);
  });

  it('flip mirrors, with channels kept together', () => {
    const flipped = image.slice();
    transforms.randomFlip({ probability: 1 }).apply(flipped, 0, [2, 3, 2], words(5));
    expect([...flipped]).toEqual([5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8]);
    const kept = image.slice();
    transforms.randomFlip({ probability: 0 }).apply(kept, 0, [2, 3, 2], words(0));
    expect(kept).toEqual(image);
  });

  it('normalize works per channel', () => {
    const out = image.slice(0, 4);
    transforms.normalize({ mean: [1, 2], std: [2, 4] }).apply(out, 0, [2, 1, 2], words());
    expect([...out]).toEqual([0, 0, 1, 0.5]);
    expect(() => transforms.normalize({ mean: 0, std: 0 })).toThrow(RangeError);
    expect(() => transforms.normalize({ mean: [0, 0], std: 1 }).outputShape([2, 2, 3])).toThrow(/2 means/);
  });

  it('augment does not depend on order or batching, and changes with seed and epoch', async () => {
    const images = new ArrayDataset({ x: { data: Float32Array.from({ length: 20 * 48 }, (_, i) => i), shape: [20, 4, 4, 3] } });
    const set = augment(images, 'x', transforms.randomCrop([3, 3], { padding: 1 }), transforms.randomFlip());
    expect(set.schema.x.shape).toEqual([3, 3, 3]);
    const all = (
      await set.get(
        Array.from({ length: 20 }, (_, i) => i),
        { seed: 1, epoch: 2 },
      )
    ).x.data;
    const one = (await set.get([13, 4], { seed: 1, epoch: 2 })).x.data;
    expect(one).toEqual(Float32Array.of(...all.subarray(13 * 27, 14 * 27), ...all.subarray(4 * 27, 5 * 27)));
    expect((await set.get([13, 4], { seed: 1, epoch: 3 })).x.data).not.toEqual(one);
    expect((await set.get([13, 4], { seed: 2, epoch: 2 })).x.data).not.toEqual(one);
    expect(() => augment(images, 'z' as 'x')).toThrow(/no field "z"/);
    expect(() => augment(new ArrayDataset({ x: { data: new Uint8Array(16), shape: [1, 4, 4, 1] } }), 'x')).toThrow(/must be float32/);
  });
});

describe('IDX', () => {
  it('reads what was written, ranks 0 to 8', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 }), (shape) => {
        const data = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
        expect(parseIdx('f', idxFile(shape, data))).toEqual({ data, shape });
      }),
    );
  });

  it.each([
    ['empty', new Uint8Array(0), /it has 0 bytes/],
    ['a wrong magic', idxFile([1], Uint8Array.of(1), [80, 75, 8, 1]), /begins with 0x50 0x4b/],
    ['another element type', idxFile([1], Uint8Array.of(1), [0, 0, 0x0d, 1]), /element type is 0x0d/],
    ['too many axes', idxFile([1], Uint8Array.of(1), [0, 0, 8, 200]), /claims 200 axes/],
    ['a cut header', idxFile([5, 5], new Uint8Array(0)).subarray(0, 9), /header of 2 axes needs 12/],
    ['cut data', idxFile([5], new Uint8Array(4)), /needs 5 bytes of data, the file has 4/],
    ['data too long', idxFile([5], new Uint8Array(6)), /needs 5 bytes of data, the file has 6/],
    [
      'an overflowing product',
      idxFile(Array<number>(8).fill(2 ** 32 - 1), new Uint8Array(1)),
      /needs 1157920\d+ bytes of data, the file has 1/,
    ],
    ['a product that wraps to the true size', idxFile([2 ** 31, 2 ** 31, 4], new Uint8Array(0)), /the file has 0/],
  ])('refuses %s', async (_, bytes, message) => {
    const path = join(folder, 'hostile');
    await writeFile(path, bytes);
    await expect(readIdx(path)).rejects.toThrow(message);
    await expect(readIdx(path)).rejects.toMatchObject({ code: 'FILE_CORRUPT', message: expect.stringContaining(path) });
  });

  it('never fails on random bytes but with FILE_CORRUPT', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, plausible) => {
        if (plausible) bytes.set([0, 0, 8].slice(0, bytes.length));
        try {
          const { data, shape } = parseIdx('f', bytes);
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toMatchObject({ code: 'FILE_CORRUPT' });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('reads a folder, raw or gzipped, and names what is missing', async () => {
    const pixels = Uint8Array.from({ length: 2 * 6 }, (_, i) => i * 20);
    await writeFile(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(idxFile([2, 2, 3], pixels)));
    await writeFile(join(folder, 'train-labels.idx1-ubyte'), idxFile([2], Uint8Array.of(4, 1)));
    await writeFile(join(folder, 't10k-images.idx3-ubyte'), idxFile([2, 2, 3], pixels));
    await expect(datasets.idx(folder)).rejects.toThrow(/holds no t10k-labels file/);
    await writeFile(join(folder, 't10k-labels-idx1-ubyte'), idxFile([1], Uint8Array.of(3)));
    await expect(datasets.idx(folder)).rejects.toThrow(/does not label the 2 images/);
    await writeFile(join(folder, 't10k-labels-idx1-ubyte'), idxFile([2], Uint8Array.of(3, 9)));
    const { train, test } = await datasets.idx(folder, { normalize: 'standard' });
    const { x, y } = await train.get([0, 1]);
    expect(x.shape).toEqual([2, 2, 3, 1]);
    expect([...y.data]).toEqual([4, 1]);
    const mean = x.data.reduce((a, b) => a + b) / 12;
    expect(mean).toBeCloseTo(0, 6);
    expect(x.data.reduce((a, b) => a + (b - mean) ** 2, 0) / 12).toBeCloseTo(1, 5);
    expect(test.length).toBe(2);
    await writeFile(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(idxFile([2, 2, 3], pixels)).subarray(0, 20));
    await expect(datasets.idx(folder)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await expect(datasets.idx(join(folder, 'absent'))).rejects.toMatchObject({ code: 'IO_FAILED' });
    await expect(datasets.idx(folder, { normalise: 'unit' } as never)).rejects.toThrow(/did you mean "normalize"/);
  });
});

describe('MNIST', () => {
  it('is whole and canonical', async () => {
    const { train, test } = await datasets.mnist({ normalize: 'standard' });
    expect([train.length, test.length]).toEqual([60_000, 10_000]);
    const { x, y } = await train.get(Array.from({ length: 60_000 }, (_, i) => i));
    expect(x.shape).toEqual([60_000, 28, 28, 1]);
    const counts = new Array<number>(10).fill(0);
    for (const label of y.data) counts[label]!++;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let sum = 0;
    let squares = 0;
    for (const value of x.data) {
      sum += value;
      squares += value * value;
    }
    // The published 0.1307 and 0.3081 have four digits.
    expect(Math.abs(sum / x.data.length)).toBeLessThan(2e-4);
    expect(Math.abs(squares / x.data.length - 1)).toBeLessThan(5e-4);
    expect((await test.get([0, 1, 2])).y.data).toEqual(Int32Array.of(7, 2, 1));
  });
});
