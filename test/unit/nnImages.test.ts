// Convolutions, poolings and resizings beside stored values and gradients of PyTorch (test/trajectories/make_images.py).
import { compile, gradientsOf, nn, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { readStored } from '../trajectories/read.js';

type Fn = (x: Tensor) => Tensor;
type Weighted = nn.Module & { forward(x: Tensor): Tensor };

const layers: Record<string, () => Weighted> = {
  'conv2d-groups': () => new nn.Conv2d(6, 9, 3, { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 3 }) as Weighted,
  'conv2d-depthwise': () => new nn.Conv2d(5, 5, 3, { stride: 2, padding: 2, dilation: 2, groups: 5 }) as Weighted,
  'conv2d-multiplier': () => new nn.Conv2d(3, 6, 3, { padding: 1, groups: 3 }) as Weighted,
  'conv2d-same': () => new nn.Conv2d(3, 4, [2, 3], { padding: 'same', dilation: [1, 3] }) as Weighted,
  'conv2d-reflect': () => new nn.Conv2d(3, 4, 3, { padding: [1, 3, 2, 1], paddingMode: 'reflect' }) as Weighted,
  conv1d: () => new nn.Conv1d(4, 6, 3, { stride: 2, padding: 3, dilation: 2, groups: 2 }) as Weighted,
  'conv1d-causal': () => new nn.Conv1d(4, 3, 3, { padding: 'causal', dilation: 2 }) as Weighted,
  'conv1d-circular': () => new nn.Conv1d(4, 3, 5, { padding: 'same', paddingMode: 'circular' }) as Weighted,
  transpose2d: () => new nn.ConvTranspose2d(3, 5, 3, { stride: 2, padding: 1, outputPadding: 1 }) as Weighted,
  'transpose2d-groups': () =>
    new nn.ConvTranspose2d(4, 6, [3, 2], {
      stride: [3, 2],
      padding: [0, 2],
      outputPadding: [2, 1],
      dilation: [2, 3],
      groups: 2,
    }) as Weighted,
  'transpose2d-wide': () => new nn.ConvTranspose2d(2, 3, 2, { dilation: 3, outputPadding: 2 }) as Weighted,
  transpose1d: () => new nn.ConvTranspose1d(4, 6, 4, { stride: 3, padding: 2, outputPadding: 2, groups: 2 }) as Weighted,
};

const functions: Record<string, Fn> = {
  'pad-reflect': nn.reflectionPad2d([1, 4, 3, 2]),
  'pad-replicate': nn.replicationPad2d([9, 4, 3, 2]),
  'pad-circular': nn.circularPad2d([1, 7, 9, 2]),
  'max2d-ceil': nn.maxPool2d([3, 2], { stride: [2, 3], padding: 1, ceilMode: true }),
  'avg2d-ceil': nn.avgPool2d(3, { stride: 2, padding: 1, ceilMode: true }),
  'avg2d-ceil-image': nn.avgPool2d(3, { stride: 2, ceilMode: true, countPadding: false }),
  'avg2d-ceil-dropped': nn.avgPool2d(2, { stride: 3, padding: 1, ceilMode: true }),
  max1d: nn.maxPool1d(3, { stride: 2, padding: 1 }),
  avg1d: nn.avgPool1d(4, { stride: 3, padding: 2, ceilMode: true }),
  'adaptive-avg': nn.adaptiveAvgPool2d([3, 4]),
  'adaptive-avg-whole': nn.adaptiveAvgPool2d([7, 3]),
  'adaptive-avg-larger': nn.adaptiveAvgPool2d([9, 5]),
  'adaptive-max': nn.adaptiveMaxPool2d([3, 4]),
  'adaptive-max-large': nn.adaptiveMaxPool2d([1, 2]),
  'adaptive-avg1d': nn.adaptiveAvgPool1d(4),
  'adaptive-max1d': nn.adaptiveMaxPool1d(7),
  lp2d: nn.lpPool2d(2, [2, 3], { stride: 2 }),
  nearest: nn.upsample({ size: [11, 4] }),
  'nearest-exact': nn.upsample({ size: [11, 4], mode: 'nearestExact' }),
  bilinear: nn.upsample({ size: [11, 4], mode: 'bilinear' }),
  'bilinear-aligned': nn.upsample({ size: [11, 4], mode: 'bilinear', alignCorners: true }),
  'bilinear-scale': nn.upsample({ scale: [1.7, 2.6], mode: 'bilinear' }),
  bicubic: nn.upsample({ size: [11, 4], mode: 'bicubic' }),
  'bicubic-aligned': nn.upsample({ scale: 2.3, mode: 'bicubic', alignCorners: true }),
  area: nn.upsample({ size: [5, 4], mode: 'area' }),
  linear: nn.upsample1d({ size: 17, mode: 'linear', alignCorners: true }),
  unfold: nn.unfold([3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] }) as Fn,
  fold: nn.fold([7, 9], [3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] }) as Fn,
  'pixel-shuffle': nn.pixelShuffle(2),
  'pixel-unshuffle': nn.pixelUnshuffle(3),
};

const { tensors } = readStored('images');
const stored = (path: string) => tensors.get(path)!;
const given = (path: string): Tensor => tensor({ data: stored(path).data as Float32Array, shape: stored(path).shape });

/** Sums of some hundred products of numbers below 1, in float32. */
async function expectNear(found: Tensor, path: string): Promise<void> {
  const { shape, data } = stored(path);
  expect(found.shape, path).toEqual(shape);
  const values = (await found.data()) as Float32Array;
  const largest = Array.from(data).reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  for (let i = 0; i < data.length; i++)
    expect(Math.abs(values[i]! - data[i]!), `${path}[${i}]`).toBeLessThanOrEqual(32 * 2 ** -24 * largest);
}

describe('beside PyTorch', () => {
  it.each(Object.keys(layers))('%s: value and gradients', async (name) => {
    const layer = layers[name]!();
    const start = ['weight', 'bias'].map(
      (path) =>
        [path, { shape: stored(`${name}/${path}`).shape, data: stored(`${name}/${path}`).data as Float32Array, dtype: 'float32' }] as const,
    );
    layer.loadStateDictionary(new Map(start));
    const x = given(`${name}/x`);
    const y = layer.forward(x);
    const wanted = new Map<string, Tensor>([['x', x], ...layer.parameters()]);
    const gradients = gradientsOf(y.mul(given(`${name}/factor`)).sum(), [...wanted.values()]);
    await expectNear(y, `${name}/y`);
    for (const [i, path] of [...wanted.keys()].entries()) await expectNear(gradients[i]!, `${name}/gradient/${path}`);
  });

  it.each(Object.keys(functions))('%s: value and gradient', async (name) => {
    const x = given(`${name}/x`);
    const y = functions[name]!(x);
    const [gradient] = gradientsOf(y.mul(given(`${name}/factor`)).sum(), [x]);
    await expectNear(y, `${name}/y`);
    await expectNear(gradient!, `${name}/gradient/x`);
  });

  it('leaves no stored case out', () => {
    const cases = new Set([...tensors.keys()].map((path) => path.slice(0, path.indexOf('/'))));
    expect([...cases].sort()).toEqual([...Object.keys(layers), ...Object.keys(functions)].sort());
  });
});

describe('layers of images', () => {
  const image = (...shape: number[]): Tensor =>
    tensor({ data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)), shape });

  it('a depthwise-separable block is its two convolutions', async () => {
    const block = new nn.DepthwiseSeparableConv2d(4, 7, 3, { padding: 1, stride: 2, between: nn.relu });
    const x = image(2, 8, 8, 4);
    const apart = block.pointwise.forward(nn.relu(block.depthwise.forward(x) as Tensor) as Tensor<readonly [2, number, number, number]>);
    expect(block.depthwise.weight.shape).toEqual([4, 3, 3, 1]);
    expect(block.parameters().size).toBe(3);
    expect(await (block.forward(x) as Tensor).toArray()).toEqual(await (apart as Tensor).toArray());
  });

  it('max pooling comes back where it came from', async () => {
    const x = tensor([
      [1, 4, 2, 0],
      [3, 2, 5, 6],
    ]).reshape([1, 2, 4, 1]);
    const { y, index } = nn.maxPool2dWithIndex(2)(x);
    const back = nn.maxUnpool2d(2, [2, 4])(y, index);
    expect(await back.reshape([2, 4]).toArray()).toEqual([
      [0, 4, 0, 0],
      [0, 0, 0, 6],
    ]);
  });

  it('global pooling ends the pixels', async () => {
    const x = image(2, 3, 5, 4);
    expect(await nn.globalAvgPool(x).toArray()).toEqual(await (x.mean([1, 2]) as Tensor).toArray());
    expect(nn.globalMaxPool(image(2, 9, 3)).shape).toEqual([2, 3]);
    expect(() => nn.globalAvgPool(image(2, 3))).toThrow(/globalAvgPool: x has shape \[2, 3\]/);
  });

  it('chains in a Sequential, and summary counts its work', () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 8, 3, { padding: 'same', groups: 1 }),
      nn.relu,
      new nn.DepthwiseSeparableConv2d(8, 16, 3, { padding: 1, stride: 2 }),
      nn.upsample({ scale: 2, mode: 'bilinear' }),
      new nn.ConvTranspose2d(16, 4, 4, { stride: 2, padding: 1 }),
      nn.globalAvgPool,
      new nn.Linear(4, 2),
    );
    expect(model.forward(image(2, 8, 8, 3)).shape).toEqual([2, 2]);
    const lines = model.summary([1, 8, 8, 3]).split('\n');
    const flops = (path: string) =>
      Number(
        lines
          .find((line) => line.trim().startsWith(path))!
          .trim()
          .split(/\s{2,}/)
          .at(-1)!
          .replaceAll(/\D/g, ''),
      );
    expect(flops('2.depthwise')).toBe(2 * 8 * 9 * 16);
    expect(flops('4 ')).toBe(2 * 16 * 16 * 4 * 64 + 16 * 16 * 4);
  });

  it('trains in one plan: a small network with transposed convolutions', async () => {
    const layer = new nn.ConvTranspose2d(2, 3, 3, { stride: 2, padding: 1, outputPadding: 1 });
    const run = compile({ state: [layer] }, (x: Tensor) => gradientsOf((layer.forward(x) as Tensor).square().sum(), [layer.weight])[0]!);
    const gradient = await run(image(1, 4, 4, 2));
    expect(gradient.shape).toEqual([2, 3, 3, 3]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['groups', () => new nn.Conv2d(6, 8, 3, { groups: 4 }), /Conv2d: 6 input and 8 output channels do not both fall into 4 equal groups/],
    [
      'channels',
      () => new nn.Conv1d(3, 4, 3).forward(image(2, 9, 4) as never),
      /Conv1d: takes sequences \[N, L, 3\], but got float32\[2, 9, 4\]/,
    ],
    ['rank', () => new nn.ConvTranspose2d(3, 4, 3).forward(image(2, 9, 3) as never), /ConvTranspose2d: takes images \[N, H, W, 3\]/],
    [
      'output padding',
      () => new nn.ConvTranspose2d(3, 4, 3, { outputPadding: 1 }).forward(image(1, 4, 4, 3)),
      /outputPadding 1 must be less than the stride 1/,
    ],
    [
      'reflection',
      () => nn.reflectionPad2d(3)(image(1, 3, 4, 1)),
      /pad: mode 'reflect' adds 0 to 2 elements to axis 1 of shape \[1, 3, 4, 1\], not 3/,
    ],
    ['mode', () => nn.upsample({ scale: 2, mode: 'cubic' as never })(image(1, 3, 4, 1)), /mode must be one of nearest/],
    ['size and scale', () => nn.upsample({})(image(1, 3, 4, 1)), /give either size or scale/],
    ['corners', () => nn.upsample({ scale: 2, alignCorners: true })(image(1, 3, 4, 1)), /alignCorners has no meaning for mode 'nearest'/],
    ['shuffle', () => nn.pixelShuffle(2)(image(1, 3, 4, 6)), /6 channels do not fall into blocks of 2 x 2/],
    ['fold', () => nn.fold([4, 4], 2)(image(1, 9, 7)), /fold2d: x has shape \[1, 9, 7\], but windows of \[2, 2\]/],
    ['option', () => new nn.Conv2d(1, 1, 3, { strides: 2 } as object), /strides/],
  ])('names what does not fit: %s', (_, build, message) => {
    expect(build).toThrow(message);
  });
});
