import { compile, nn, optim, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const inputs = [0, 1, 2].map((i) => tensor({ data: Float32Array.from({ length: 12 }, (_, j) => Math.sin(i * 7 + j)), shape: [4, 3] }));

function build(make: (model: nn.Module) => optim.WeightAverage) {
  const model = new nn.Linear(3, 2);
  const optimizer = optim.sgd({ learningRate: 0.1 }).for(model);
  const average = make(model);
  const step = compile({ state: [model, optimizer, average] }, (x: Tensor) => {
    const loss = (model.forward(x as never) as Tensor).square().mean();
    optimizer.minimize(loss);
    average.update();
    return { loss };
  });
  return { model, average, step };
}

const weightsOf = async (model: nn.Module): Promise<number[]> => [...((await model.snapshot()).get('weight')!.data as Float32Array)];

/** Trains and compares the averages with `formula` over the weights after each step. */
async function compare(make: (model: nn.Module) => optim.WeightAverage, formula: (seen: readonly number[][]) => number[]): Promise<void> {
  const { model, average, step } = build(make);
  const seen: number[][] = [];
  for (let i = 0; i < 6; i++) {
    await step(inputs[i % 3]!);
    seen.push(await weightsOf(model));
  }
  expect(step.plans).toBe(1);
  const expected = formula(seen);
  const found = await average.applied(() => weightsOf(model));
  expect(await weightsOf(model), 'its own weights are back').toEqual(seen.at(-1));
  for (const [i, x] of found.entries()) expect(x).toBeCloseTo(expected[i]!, 6);
}

describe('weight averages', () => {
  it('ema', () =>
    compare(
      (model) => optim.ema(model, { decay: 0.8 }),
      (seen) => seen.reduce((average, w) => average.map((x, i) => 0.8 * x + 0.2 * w[i]!)),
    ));

  it('ema with warm-up', () =>
    compare(
      (model) => optim.ema(model, { decay: 0.3, warmup: true }),
      (seen) =>
        seen.reduce((average, w, n) => {
          const decay = Math.min(0.3, (1 + n) / (10 + n));
          return average.map((x, i) => decay * x + (1 - decay) * w[i]!);
        }),
    ));

  it('swa, of every second from the second on', () =>
    compare(
      (model) => optim.swa(model, { start: 1, every: 2 }),
      (seen) => seen[0]!.map((_, i) => (seen[1]![i]! + seen[3]![i]! + seen[5]![i]!) / 3),
    ));

  it('averages outside of a compiled step too, and goes on from a snapshot', async () => {
    const model = new nn.Linear(3, 2);
    const average = optim.ema(model, { decay: 0.5 });
    await expect(average.swap()).rejects.toThrow(/nothing has been averaged/);
    const before = await weightsOf(model);
    await average.update();
    expect(await average.applied(() => weightsOf(model))).toEqual(before);

    const copy = optim.ema(model, { decay: 0.5 });
    copy.restore(await average.snapshot());
    await Promise.all([average.update(), copy.update()]);
    expect(await copy.snapshot()).toEqual(await average.snapshot());
  });

  it('puts the weights back where evaluation fails', async () => {
    const { model, average, step } = build((of) => optim.ema(of));
    await step(inputs[0]!);
    const own = await weightsOf(model);
    await expect(
      average.applied(() => {
        throw new Error('no data');
      }),
    ).rejects.toThrow('no data');
    expect(await weightsOf(model)).toEqual(own);
  });

  it('refuses nonsense', () => {
    const model = new nn.Linear(3, 2);
    expect(() => optim.ema(model, { decay: 1 })).toThrow(RangeError);
    expect(() => optim.swa(model, { every: 0 })).toThrow(RangeError);
    expect(() => optim.ema(model, { decai: 1 } as object)).toThrow(/did you mean "decay"/);
  });
});

describe('updateBatchNorm', () => {
  it('gives the mean of the statistics of the batches', async () => {
    const model = new nn.Sequential(new nn.BatchNorm(3));
    await optim.updateBatchNorm(model, inputs);
    const state = await model.snapshot();
    const columns = await Promise.all(inputs.map((x) => x.data() as Promise<Float32Array>));
    for (let c = 0; c < 3; c++) {
      const each = columns.map((data) => [...data].filter((_, i) => i % 3 === c));
      const means = each.map((column) => column.reduce((a, b) => a + b) / column.length);
      const variances = each.map((column, i) => column.reduce((sum, x) => sum + (x - means[i]!) ** 2, 0) / (column.length - 1));
      expect(state.get('0.runningMean')!.data[c]).toBeCloseTo(means.reduce((a, b) => a + b) / 3, 6);
      expect(state.get('0.runningVariance')!.data[c]).toBeCloseTo(variances.reduce((a, b) => a + b) / 3, 6);
    }
    expect(model.training).toBe(true);
  });

  it('changes nothing without batches', async () => {
    const model = new nn.Sequential(new nn.BatchNorm(3));
    const before = await model.snapshot();
    await expect(optim.updateBatchNorm(model, [])).rejects.toThrow(/no batches/);
    expect(await model.snapshot()).toEqual(before);
  });
});
