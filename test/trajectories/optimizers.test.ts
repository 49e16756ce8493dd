import { readFileSync } from 'node:fs';
import { compile, losses, nn, optim, type Tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { readTrajectory, type StoredTensor } from './read.js';

interface Run {
  readonly rate: readonly number[];
  readonly loss64: readonly number[];
  readonly loss32: readonly number[];
}

const runs = JSON.parse(readFileSync(new URL('./data/optimizers.json', import.meta.url), 'utf8')) as Record<string, Run>;
const stored = readTrajectory('mlp');

/** The settings of make_optimizers.py. */
const rules: Record<string, optim.OptimizerDescription> = {
  amsgrad: optim.adam({ amsgrad: true }),
  'amsgrad-decoupled': optim.adamW({ amsgrad: true, weightDecay: 0.05 }),
  nadam: optim.nadam({ weightDecay: 0.01 }),
  radam: optim.radam({ weightDecay: 0.01 }),
  adamax: optim.adamax({ weightDecay: 0.01 }),
  rmsprop: optim.rmsprop({ weightDecay: 0.01 }),
  'rmsprop-centered': optim.rmsprop({ centered: true, momentum: 0.5, decay: 0.9 }),
  adagrad: optim.adagrad({ rateDecay: 0.05, weightDecay: 0.01, initial: 0.1 }),
  adadelta: optim.adadelta({ weightDecay: 0.01 }),
  rprop: optim.rprop(),
};

class Mlp extends nn.Module {
  dense1 = new nn.Linear(20, 32);
  dense2 = new nn.Linear(32, 32);
  dense3 = new nn.Linear(32, 5);
  forward(x: Tensor) {
    return this.dense3.forward(nn.relu(this.dense2.forward(nn.relu(this.dense1.forward(x)))));
  }
}

function batch({ shape, data }: StoredTensor, i: number) {
  const size = data.length / shape[0]!;
  const at = (i % shape[0]!) * size;
  return { data: data.slice(at, at + size), shape: shape.slice(1) };
}

/** The losses of 20 steps. */
async function train(description: optim.OptimizerDescription, rates: readonly number[]): Promise<number[]> {
  const model = new Mlp();
  model.loadStateDictionary(
    new Map([...stored.start].map(([path, { shape, data }]) => [path, { shape, data: data as Float32Array, dtype: 'float32' }])),
  );
  const optimizer = description.for(model);
  const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
    const loss = losses.crossEntropy(model.forward(x), y);
    optimizer.minimize(loss);
    return { loss };
  });
  const found: number[] = [];
  for (const [i, rate] of rates.entries()) {
    optimizer.learningRate = rate;
    found.push((await step(batch(stored.x, i), batch(stored.y, i))).loss.item());
  }
  expect(step.plans).toBe(1);
  return found;
}

describe('the MLP, beside PyTorch', () => {
  it.each(Object.keys(runs))('trained with %s', async (name) => {
    const { rate, loss64, loss32 } = runs[name]!;
    const found = await train(rules[name]!, rate);
    let allowed = 0;
    for (const [i, expected] of loss64.entries()) {
      allowed = Math.max(allowed, 2 * Math.abs(loss32[i]! - expected));
      expect(Math.abs(found[i]! - expected), `loss of step ${i + 1}`).toBeLessThanOrEqual(allowed + 1e-6 * Math.abs(expected));
    }
    expect(found.at(-1)!, 'it learns').toBeLessThan(found[0]!);
  });

  it('compares every optimizer that is stored', () => expect(Object.keys(rules).sort()).toEqual(Object.keys(runs).sort()));
});
