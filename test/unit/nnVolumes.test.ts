import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradientsOf, nn, ones, type Tensor, tensor, zeros } from '../../src/index.js';

interface Stored {
  shape: number[];
  data: number[];
}
interface Case {
  kind: 'conv' | 'max' | 'avg';
  window: number | [number, number, number];
  options: Record<string, never>;
  x: Stored;
  w?: Stored;
  y: Stored;
  dx: Stored;
  dw?: Stored;
}
const cases = JSON.parse(readFileSync(new URL('../fixtures/volumes.json', import.meta.url), 'utf8')) as Case[];
const read = ({ data, shape }: Stored): Tensor => tensor({ data: Float32Array.from(data), shape }) as Tensor;

async function expectStored(found: Tensor, { shape, data }: Stored): Promise<void> {
  expect(found.shape).toEqual(shape);
  const most = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const values = await found.data();
  data.forEach((x, i) => {
    expect(Math.abs((values[i] as number) - x), `element ${i}: ${values[i]}, not ${x}`).toBeLessThanOrEqual(3e-6 * most);
  });
}

describe('volumes', () => {
  it.each(cases)("are convolved and pooled as PyTorch's: $kind $window $options", async ({ kind, window, options, x, w, y, dx, dw }) => {
    const input = read(x);
    if (kind !== 'conv') {
      const found = (kind === 'max' ? nn.maxPool3d(window, options) : nn.avgPool3d(window, options))(input);
      const [slope] = gradientsOf(found.square().sum(), [input]);
      await expectStored(found, y);
      await expectStored(slope!, dx);
      return;
    }
    const [out, ...kernel] = w!.shape as [number, number, number, number];
    const layer = new nn.Conv3d(x.shape[4]!, out, kernel.slice(0, 3) as [number, number, number], { ...options, bias: false });
    layer.weight.assign(read(w!) as never);
    const found = layer.forward(input);
    const [slope, ofWeight] = gradientsOf(found.square().sum(), [input, layer.weight as unknown as Tensor]);
    await expectStored(found, y);
    await expectStored(slope!, dx);
    await expectStored(ofWeight!, dw!);
  });

  it('name what they cannot take', () => {
    const layer = new nn.Conv3d(3, 4, [2, 3, 3]);
    expect(layer.weight.shape).toEqual([4, 2, 3, 3, 3]);
    expect(layer.forward(zeros([1, 3, 5, 5, 3]) as Tensor).shape).toEqual([1, 2, 3, 3, 4]);
    expect(() => layer.forward(zeros([3, 5, 5, 3]) as Tensor)).toThrow('Conv3d: takes volumes [N, D, H, W, 3]');
    expect(() => layer.forward(zeros([1, 1, 5, 5, 3]) as Tensor)).toThrow('depth 2 does not fit a depth of 1');
    expect(() => nn.maxPool3d([2, 2] as never)(ones([1, 2, 2, 2, 1]) as Tensor)).toThrow('three of them');
    expect(() => new nn.Conv3d(3, 4, 2, { groups: 2 })).toThrow('groups');
    expect(nn.avgPool3d(2)(ones([0, 4, 4, 4, 1]) as Tensor).shape).toEqual([0, 2, 2, 2, 1]);
  });
});
