import { readFileSync } from 'node:fs';
import { losses, tensor, type Tensor, valueAndGrad } from 'pollux';
import { describe, expect, it } from 'vitest';

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly dtype: 'float32' | 'int32';
}

interface Case {
  readonly name: keyof typeof losses;
  readonly tensors: readonly Stored[];
  readonly options: Record<string, unknown>;
  readonly value: Stored;
  readonly gradients: readonly Stored[];
}

const cases = JSON.parse(readFileSync(new URL('../trajectories/data/losses.json', import.meta.url), 'utf8')) as Case[];

const load = ({ shape, data, dtype }: Stored): Tensor =>
  tensor({ data: dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data), shape, dtype });

type Loss = (...args: (Tensor | object)[]) => Tensor;

/** Asks that numbers agree within a few roundings of the largest number that went in or came out. */
function compare(what: string, found: ArrayLike<number>, expected: readonly number[], size: number): void {
  expect(found.length).toBe(expected.length);
  const largest = Math.max(size, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    const tolerance = 2e-6 * (Math.abs(value) + 0.1 * largest) + 1e-6;
    expect(Math.abs(found[i]! - value), `${what}[${i}]: ${found[i]} for ${value}`).toBeLessThanOrEqual(tolerance);
  });
}

describe('losses, beside PyTorch', () => {
  it.each(cases.map((each, i) => [`${each.name} ${JSON.stringify(each.options)} #${i}`, each] as const))('%s', async (_, each) => {
    const tensors = each.tensors.map(load);
    const loss = losses[each.name] as unknown as Loss;
    const size = Math.max(1, ...each.tensors.flatMap(({ data }) => data.map(Math.abs)));
    const value = loss(...tensors, each.options);
    expect(value.shape).toEqual(each.value.shape);
    compare('value', (await value.data()) as Float32Array, each.value.data, size);

    const summed = (...args: Tensor[]): Tensor => loss(...args, each.options).sum();
    const argnums = each.gradients.map((_, i) => i);
    const [, gradients] = valueAndGrad(summed, { argnums })(...tensors);
    for (const [i, expected] of each.gradients.entries())
      compare(`gradient ${i}`, (await gradients[i]!.data()) as Float32Array, expected.data, size);
  });

  it('stores a case of every loss; that of ctc.test.ts takes lengths beside', () => {
    const names = Object.keys(losses).filter((name) => !['with', 'ctc'].includes(name));
    expect([...new Set(cases.map(({ name }) => name as string))].sort()).toEqual(names.sort());
  });
});

describe('gradients by finite differences', () => {
  const smooth = cases.filter(({ options }) => options['reduction'] === 'mean');
  it.each(smooth.map((each, i) => [`${each.name} #${i}`, each] as const))('%s', async (_, each) => {
    const loss = losses[each.name] as unknown as Loss;
    const tensors = each.tensors.map(load);
    const at = async (moved: Float32Array): Promise<number> =>
      (await loss(tensor({ data: moved, shape: each.tensors[0]!.shape }), ...tensors.slice(1), each.options).evaluate()).item();
    const x = Float32Array.from(each.tensors[0]!.data);
    const size = Math.max(...x.map(Math.abs));
    if (size > 10 || x.every((value) => value === 0 || value === 1)) return; // saturated: the slope of the formula is bounded
    const gradient = each.gradients[0]!.data;
    // Along a direction of many numbers, so that the roundings of float32 are small beside the change.
    const direction = gradient.map((slope, i) => Math.sign(slope) * (i % 2 ? 1 : 0.5));
    const step = 2e-3;
    const [up, down] = await Promise.all([1, -1].map((sign) => at(x.map((value, i) => value + sign * step * direction[i]!))));
    const expected = gradient.reduce((sum, slope, i) => sum + slope * direction[i]!, 0);
    expect((up! - down!) / (2 * step)).toBeCloseTo(expected, 2);
  });
});

describe('what losses refuse', () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  it('names the shapes and the remedy', () => {
    expect(() => losses.mse(x, tensor([1, 2]))).toThrow(/mse: prediction float32\[2, 3\] and target float32\[2\] must have one shape/);
    expect(() => losses.crossEntropy(x, tensor([1, 2, 0], 'int32'))).toThrow(/need labels of shape \[2\]/);
    expect(() => losses.crossEntropy(x, x.cast('int32'))).toThrow(/argmax|float32/);
    expect(() => losses.crossEntropy(x, tensor([1, 2], 'int32'), { classWeights: [1, 2] })).toThrow(/classWeights float32\[2\].*\[3\]/);
    expect(() => losses.cosineEmbedding(x, x, tensor([1]))).toThrow(/targets of shape \[2\]/);
    expect(() => losses.infoNce(x, tensor([[1, 2]]))).toThrow(/must both be \[samples, width\]/);
  });

  it('names options that do not exist, and values out of range', () => {
    expect(() => losses.crossEntropy(x, tensor([1, 2], 'int32'), { labelSmooting: 0.1 } as object)).toThrow(
      /did you mean "labelSmoothing"/,
    );
    expect(() => losses.mse(x, x, { reduction: 'avg' as 'mean' })).toThrow(RangeError);
    expect(() => losses.huber(x, x, { delta: 0 })).toThrow(RangeError);
    expect(() => losses.infoNce(x, x, { temperature: 0 })).toThrow(RangeError);
    expect(() => losses.crossEntropy(x, tensor([1, 2], 'int32'), { labelSmoothing: 2 })).toThrow(RangeError);
  });

  it('rejects a label outside the classes, unless it is ignored', async () => {
    await expect(losses.crossEntropy(x, tensor([0, 3], 'int32')).evaluate()).rejects.toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
    await expect(losses.crossEntropy(x, tensor([0, -1], 'int32')).evaluate()).rejects.toMatchObject({ code: 'LABEL_OUT_OF_RANGE' });
    const kept = await losses.crossEntropy(x, tensor([0, -1], 'int32'), { ignoreIndex: -1 }).evaluate();
    const alone = await losses.crossEntropy(tensor([[1, 2, 3]]), tensor([0], 'int32')).evaluate();
    expect(kept.item()).toBe(alone.item());
  });

  it('gives NaN for a mean over nothing, and 0 for its sum', async () => {
    const none = tensor([-100, -100], 'int32');
    expect((await losses.crossEntropy(x, none).evaluate()).item()).toBeNaN();
    expect((await losses.crossEntropy(x, none, { reduction: 'sum' }).evaluate()).item()).toBe(0);
  });

  it('binds options for the Trainer', async () => {
    const labels = tensor([0, 2], 'int32');
    const bound = losses.with(losses.crossEntropy, { labelSmoothing: 0.1 });
    const [found, expected] = [bound(x, labels), losses.crossEntropy(x, labels, { labelSmoothing: 0.1 })];
    expect((await found.evaluate()).item()).toBe((await expected.evaluate()).item());
  });
});
