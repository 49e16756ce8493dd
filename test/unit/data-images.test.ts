import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArrayDataset, augment, cached, cutMix, DataLoader, decodeImage, imageFolder, mixUp, transforms } from '../../src/data/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pollux-images-'));
  for (const [name, color] of Object.entries({ blue: '#0000ff', red: '#ff0000' })) {
    await mkdir(path.join(folder, name));
    for (const [i, format] of (['png', 'jpeg', 'webp'] as const).entries()) {
      const image = sharp({ create: { width: 12 + i, height: 8, channels: 3, background: color } });
      await image.toFormat(format, { quality: 100 }).toFile(path.join(folder, name, `${i}.${format}`));
    }
    await writeFile(path.join(folder, name, 'notes.txt'), 'no image');
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('image folders', () => {
  it('have a class a folder, decoded and scaled', async () => {
    const images = await imageFolder(folder, { size: [4, 6], mean: [0.5], std: [0.25] });
    expect(images.classes).toEqual(['blue', 'red']);
    expect(images.length).toBe(6);
    for await (const { x, y } of new DataLoader(cached(images), { batchSize: 6 })) {
      expect([...y.data]).toEqual([0, 0, 0, 1, 1, 1]);
      expect(x.shape).toEqual([6, 4, 6, 3]);
      for (let i = 0; i < 6; i++) {
        const pixel = [...x.data.subarray(i * 72, i * 72 + 3)].map((value) => Math.round(value));
        expect(pixel).toEqual(i < 3 ? [-2, -2, 2] : [2, -2, -2]);
      }
    }
  });
  it('come in grey, and with grey files in colour', async () => {
    const grey = await decodeImage(path.join(folder, 'red', '0.png'), { size: [2, 2], channels: 1 });
    expect([...grey]).toHaveLength(4);
    const file = path.join(folder, 'grey.png');
    await sharp(Buffer.from([10, 20, 30, 40]), { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toFile(file);
    expect([...(await decodeImage(file, { size: [2, 2] }))]).toEqual([10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40]);
  });
  it('name the file that is no image, and what is not there', async () => {
    const bad = path.join(folder, 'red', '9.png');
    await writeFile(bad, 'not a picture');
    const images = await imageFolder(folder, { size: [4, 4] });
    await expect(images.get([6])).rejects.toMatchObject({ code: 'FILE_CORRUPT', message: expect.stringContaining('9.png') });
    const whole = await sharp(path.join(folder, 'red', '1.jpeg'))
      .resize(200, 200)
      .jpeg()
      .toBuffer();
    await writeFile(bad, whole.subarray(0, whole.length / 2));
    await expect(images.get([6])).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await rm(bad);
    await expect(images.get([6])).rejects.toMatchObject({ code: 'IO_FAILED' });
    await expect(imageFolder(path.join(folder, 'none'), { size: [4, 4] })).rejects.toMatchObject({ code: 'IO_FAILED' });
    await expect(imageFolder(path.join(folder, 'red'), { size: [4, 4] })).rejects.toThrow('holds no images');
  });
});

const image = (height: number, width: number, channels: number, value: (y: number, x: number, c: number) => number) => {
  const data = new Float32Array(height * width * channels);
  for (let i = 0; i < data.length; i++) data[i] = value(Math.floor(i / (width * channels)), Math.floor(i / channels) % width, i % channels);
  return new ArrayDataset({ x: { data, shape: [1, height, width, channels] }, y: { data: Int32Array.of(0), shape: [1] } });
};
const through = async (dataset: ReturnType<typeof image>, transform: transforms.ImageTransform, epoch = 0) => {
  const { x } = await augment(dataset, 'x', transform).get([0], { seed: 5, epoch });
  return { shape: [...x.shape], data: [...(x.data as Float32Array)] };
};

describe('transforms', () => {
  const ramp = image(6, 6, 1, (y, x) => y * 10 + x);

  it('turn a quarter exactly, and not at all at zero', async () => {
    expect((await through(ramp, transforms.randomAffine())).data).toEqual([...(await ramp.get([0])).x.data]);
    // All of the range is one angle: the words only choose within it.
    const { data } = await through(
      image(2, 2, 1, (y, x) => 2 * y + x + 1),
      {
        ...transforms.randomAffine(),
        apply: (images, at, shape) => transforms.randomAffine({ scale: [1, 1] }).apply(images, at, shape, new Uint32Array(4)),
      },
    );
    expect(data).toEqual([1, 2, 3, 4]);
  });

  it('scale linearly: a ramp stays a ramp', async () => {
    const { data, shape } = await through(ramp, transforms.resize([3, 3]));
    expect(shape).toEqual([1, 3, 3, 1]);
    for (let y = 0; y < 3; y++) for (let x = 0; x < 3; x++) expect(data[y * 3 + x]).toBeCloseTo(10 * (2 * y + 0.5) + 2 * x + 0.5, 4);
    const cropped = await through(ramp, transforms.randomResizedCrop([2, 2], { scale: [0.25, 0.5] }));
    expect(cropped.data[1]! - cropped.data[0]!).toBeCloseTo(cropped.data[3]! - cropped.data[2]!, 4);
    expect((await through(ramp, transforms.centerCrop([2, 2]))).data).toEqual([22, 23, 32, 33]);
    await expect(async () => through(ramp, transforms.resize([9, 9]))).rejects.toThrow('larger than images');
  });

  it('move, shear and turn about the middle', async () => {
    const dot = image(9, 9, 1, (y, x) => (y === 4 && x === 4 ? 1 : 0));
    for (const transform of [transforms.randomAffine({ degrees: 180 }), transforms.randomAffine({ shear: [40, 0] })])
      expect((await through(dot, transform)).data[40]).toBeCloseTo(1, 4);
    const moved = await through(dot, transforms.randomAffine({ translate: [0.4, 0.4] }), 3);
    expect(moved.data.filter((value) => value > 0.99)).toHaveLength(1);
  });

  it('keep grey grey, and colours within [0, 1]', async () => {
    const colours = image(4, 4, 3, (y, x, c) => ((y * 7 + x * 3 + c * 5) % 11) / 10);
    for (let epoch = 0; epoch < 20; epoch++) {
      const jittered = await through(colours, transforms.colorJitter({ brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.5 }), epoch);
      expect(Math.min(...jittered.data)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...jittered.data)).toBeLessThanOrEqual(1 + 1e-6);
      const augmented = await through(colours, transforms.randAugment({ count: 3 }), epoch);
      expect(augmented.data.every((value) => value >= -1e-6 && value <= 1 + 1e-6)).toBe(true);
    }
    const grey = image(2, 2, 3, () => 0.4);
    expect(
      (await through(grey, transforms.colorJitter({ hue: 0.5, saturation: 1 }))).data.every((value) => Math.abs(value - 0.4) < 1e-6),
    ).toBe(true);
    const { data } = await through(colours, transforms.randomGrayscale({ probability: 1 }));
    for (let i = 0; i < data.length; i += 3) expect(new Set(data.slice(i, i + 3)).size).toBe(1);
    expect(() => augment(ramp, 'x', transforms.randomGrayscale())).toThrow('1 channels');
  });

  it('turn the hue by a third: red becomes green or blue', async () => {
    const red = image(1, 1, 3, (_, __, c) => (c === 0 ? 1 : 0));
    const words = Uint32Array.of(0, 0, 0, 2 ** 31 + Math.round(2 ** 32 / 3));
    const data = Float32Array.of(1, 0, 0);
    transforms.colorJitter({ hue: 0.5 }).apply(data, 0, [1, 1, 3], words);
    expect([...data].map((value) => Math.round(value * 1e4) / 1e4)).toEqual([0, 1, 0]);
    expect((await through(red, transforms.colorJitter())).data).toEqual([1, 0, 0]);
  });

  it('erase a rectangle of the wanted area; blur keeps the sum', async () => {
    const ones = image(10, 10, 1, () => 1);
    for (let epoch = 0; epoch < 10; epoch++) {
      const { data } = await through(ones, transforms.randomErasing({ probability: 1, scale: [0.2, 0.3], ratio: [1, 1] }), epoch);
      const erased = data.filter((value) => value === 0).length;
      expect([16, 25, 30]).toContain(erased);
    }
    const dot = image(21, 21, 1, (y, x) => (y === 10 && x === 10 ? 1 : 0));
    const { data } = await through(dot, transforms.gaussianBlur({ sigma: [1, 1.5] }));
    expect(data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    expect(data[10 * 21 + 9]).toBeCloseTo(data[9 * 21 + 10]!, 6);
    expect(data[10 * 21 + 9]!).toBeLessThan(data[10 * 21 + 10]!);
  });

  it('refuse ranges that make no sense', () => {
    expect(() => transforms.randomAffine({ degrees: -1 })).toThrow(RangeError);
    expect(() => transforms.randomAffine({ scale: [2, 1] })).toThrow(RangeError);
    expect(() => transforms.randAugment({ magnitude: 31 })).toThrow(RangeError);
    expect(() => transforms.randomErasing({ probability: 2 })).toThrow(RangeError);
    expect(() => transforms.colorJitter({ hue: 0.6 })).toThrow(RangeError);
  });
});

describe('mixing', () => {
  const count = 400;
  const data = new ArrayDataset({
    x: { data: Float32Array.from({ length: count * 16 }, (_, i) => Math.floor(i / 16) % 4), shape: [count, 4, 4, 1] },
    y: { data: Int32Array.from({ length: count }, (_, i) => i % 4), shape: [count] },
  });
  const indices = Array.from({ length: count }, (_, i) => i);

  it.each([
    ['mixUp', mixUp],
    ['cutMix', cutMix],
  ] as const)('%s mixes labels as it mixes images, from the seed alone', async (_, mix) => {
    const mixed = mix(data, { classes: 4, alpha: 1 });
    const { x, y } = await mixed.get(indices, { seed: 1 });
    expect((await mixed.get(indices, { seed: 1 })).x.data).toEqual(x.data);
    expect((await mixed.get([7], { seed: 1 })).y.data).toEqual(y.data.slice(28, 32));
    expect((await mixed.get(indices, { seed: 2 })).x.data).not.toEqual(x.data);
    let own = 0;
    for (let i = 0; i < count; i++) {
      const probabilities = [...y.data.subarray(i * 4, i * 4 + 4)];
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      const mean = (x.data as Float32Array).subarray(i * 16, (i + 1) * 16).reduce((sum, value) => sum + value, 0) / 16;
      expect(mean).toBeCloseTo(
        probabilities.reduce((sum, p, label) => sum + p * label, 0),
        4,
      );
      own += probabilities[i % 4]!;
    }
    // A uniform share of mean 1/2 (cutMix keeps more, as its rectangles are cut at the border), and a partner of the same class in 4.
    expect(own / count).toBeGreaterThan(0.55);
    expect(own / count).toBeLessThan(0.85);
  });

  it('refuses labels outside of the classes', async () => {
    await expect(mixUp(data, { classes: 3 }).get([3])).rejects.toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
    expect(() => mixUp(data, { classes: 4, alpha: 0 })).toThrow('alpha');
  });
});
