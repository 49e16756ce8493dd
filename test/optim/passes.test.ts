// How often an update passes over a parameter: the steps of its plan that write tensors of the parameter's size.
import { compile, nn, optim, Parameter, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const shape = [48, 40] as const;

class Flat extends nn.Module {
  readonly weight = new Parameter(shape, nn.init.ones);
  forward(x: Tensor) {
    return x.mul(this.weight);
  }
}

/** Kernels of the steps that touch whole tensors: what they write is no number, or they reduce. */
async function passes(description: optim.OptimizerDescription): Promise<string[]> {
  const model = new Flat();
  const optimizer = description.for(model);
  const step = compile({ state: [model, optimizer] }, (g: Tensor) => {
    optimizer.apply([g]);
    return {};
  });
  await step(tensor({ data: new Float32Array(48 * 40).fill(0.1), shape }));
  return step
    .explain()
    .split('\n')
    .filter((line) => /^\d+ /.test(line.trim()) && (/\[48, 40\]/.test(line) || line.includes('sumSquares')))
    .map((line) => line.trim().split(/\s+/)[1]!);
}

const settings = { clipValue: 0.05, l1: 0.01, accumulate: 4 };
const elementwise: [string, optim.OptimizerDescription][] = [
  ['sgdUpdate', optim.sgd(settings)],
  ['sgdUpdate', optim.sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.1, ...settings })],
  ['adamUpdate', optim.adam({ weightDecay: 0.1, ...settings })],
  ['adamUpdate', optim.adamW({ amsgrad: true, ...settings })],
  ['nadamUpdate', optim.nadam(settings)],
  ['radamUpdate', optim.radam(settings)],
  ['adamaxUpdate', optim.adamax(settings)],
  ['rmspropUpdate', optim.rmsprop({ centered: true, momentum: 0.9, ...settings })],
  ['adagradUpdate', optim.adagrad({ rateDecay: 0.1, ...settings })],
  ['adadeltaUpdate', optim.adadelta(settings)],
  ['rpropUpdate', optim.rprop(settings)],
  ['lionUpdate', optim.lion({ weightDecay: 0.1, ...settings })],
];

describe('passes over a parameter', () => {
  it.each(elementwise)('one: %s, with every option', async (kernel, description) => {
    expect(await passes(description)).toEqual([kernel]);
    expect(await passes(optim.lookahead(description, { steps: 3 }))).toEqual([kernel]);
  });

  it('and one that reads the gradient, for its norm', async () => {
    expect(await passes(optim.adamW({ clipNorm: 1 }))).toEqual(['sumSquares', 'adamUpdate']);
  });

  it('two, and the norms: lamb', async () => {
    const found = await passes(optim.lamb({ weightDecay: 0.1 }));
    expect(found.filter((kernel) => kernel === 'elementwise')).toHaveLength(2);
    expect(found.filter((kernel) => kernel === 'sumSquares')).toHaveLength(2);
    expect(found).toHaveLength(4);
  });

  it('two, and the sums of squares: adafactor', async () => {
    const found = await passes(optim.adafactor());
    expect(found.filter((kernel) => kernel === 'elementwise')).toHaveLength(2);
    // Of rows, of columns, of the direction and of the parameter.
    expect(found.filter((kernel) => kernel === 'sumSquares')).toHaveLength(4);
    expect(found).toHaveLength(6);
  });
});

describe('a call that only accumulates', () => {
  it('changes the sum of gradients alone, and the next has the bits of an update with the sum', async () => {
    const model = new Flat();
    const optimizer = optim.lookahead(optim.adamW({ accumulate: 2, amsgrad: true }), { steps: 1 }).for(model);
    const step = compile({ state: [model, optimizer] }, (g: Tensor) => {
      optimizer.apply([g]);
      return {};
    });
    const gradient = (scale: number) => tensor({ data: Float32Array.from({ length: 48 * 40 }, (_, i) => scale * Math.sin(i)), shape });
    const [before, held] = [await model.weight.data(), await optimizer.snapshot()];
    await step(gradient(1));
    expect(await model.weight.data()).toEqual(before);
    for (const [path, { data }] of await optimizer.snapshot()) {
      if (path === 'pending') expect(data[0]).toBe(1);
      else if (path.endsWith('.accumulated')) expect(data).toEqual(await gradient(1).data());
      else expect(data, path).toEqual(held.get(path)!.data);
    }
    await step(gradient(2));
    expect(step.plans).toBe(1);

    const whole = new Flat();
    const other = optim.lookahead(optim.adamW({ amsgrad: true }), { steps: 1 }).for(whole);
    await other.apply([gradient(1).add(gradient(2)).mul(0.5)]);
    expect(await model.weight.data()).toEqual(await whole.weight.data());
    expect(Array.from((await optimizer.snapshot()).get('weight.accumulated')!.data, Number).some(Boolean), 'sums begin again').toBe(false);
  });
});
