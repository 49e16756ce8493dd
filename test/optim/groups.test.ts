import { compile, nn, optim, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const x = tensor({ data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), shape: [8, 3] });
const y = tensor({ data: Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)), shape: [8, 2] });

class Net extends nn.Module {
  readonly encoder = new nn.Linear(3, 4);
  readonly head = new nn.Linear(4, 2);
  forward(input: Tensor) {
    return this.head.forward(nn.tanh(this.encoder.forward(input)));
  }
}

type Saved = Awaited<ReturnType<Net['snapshot']>>;
let first: Saved | undefined;

/** Models with the same weights. */
async function net(): Promise<Net> {
  const model = new Net();
  first ??= await model.snapshot();
  model.loadStateDictionary(first);
  return model;
}

function stepOf(model: Net, optimizer: optim.Optimizer) {
  return compile({ state: [model, optimizer] }, (input: Tensor, target: Tensor) => {
    const loss = model.forward(input).sub(target).square().mean();
    optimizer.minimize(loss);
    return { loss };
  });
}

async function trained(description: optim.OptimizerDescription, steps = 3): Promise<{ weights: Saved; optimizer: optim.Optimizer }> {
  const model = await net();
  const optimizer = description.for(model);
  const step = stepOf(model, optimizer);
  for (let i = 0; i < steps; i++) await step(x, y);
  return { weights: await model.snapshot(), optimizer };
}

describe('parameter groups', () => {
  it('have options of their own, and the first match counts', async () => {
    const { weights } = await trained(
      optim.adamW({
        learningRate: 0.1,
        weightDecay: 0.5,
        groups: [
          { match: /bias/, weightDecay: 0 },
          { match: 'encoder', learningRateFactor: 0.1 },
        ],
      }),
    );
    const [plain, bare, slow] = await Promise.all([
      trained(optim.adamW({ learningRate: 0.1, weightDecay: 0.5 }), 1),
      trained(optim.adamW({ learningRate: 0.1, weightDecay: 0 }), 1),
      trained(optim.adamW({ learningRate: 0.01, weightDecay: 0.5 }), 1),
    ]);
    const grouped = await trained(
      optim.adamW({
        learningRate: 0.1,
        weightDecay: 0.5,
        groups: [
          { match: /bias/, weightDecay: 0 },
          { match: 'encoder', learningRateFactor: 0.1 },
        ],
      }),
      1,
    );
    expect(grouped.weights.get('head.weight')).toEqual(plain.weights.get('head.weight'));
    expect(grouped.weights.get('head.bias')).toEqual(bare.weights.get('head.bias'));
    expect(grouped.weights.get('encoder.bias')).toEqual(bare.weights.get('encoder.bias'));
    expect(grouped.weights.get('encoder.weight')).toEqual(slow.weights.get('encoder.weight'));
    expect(weights.get('head.weight')).not.toEqual(grouped.weights.get('head.weight'));
  });

  it('follow the common rate by their factor, or keep their own', async () => {
    const model = await net();
    const optimizer = optim
      .sgd({
        learningRate: optim.schedules.exponential({ rate: 0.1, factor: 0.5 }),
        groups: [
          { match: 'encoder.weight', learningRateFactor: 0.5 },
          { match: 'encoder', learningRate: optim.schedules.linear({ from: 0, to: 1, total: 10 }) },
          { match: (path) => path === 'head.bias', learningRate: 0.3 },
        ],
      })
      .for(model);
    const rates = (): number[] => [optimizer.learningRate, ...optimizer.groups.map((group) => group.learningRate)];
    expect(rates()).toEqual([0.1, 0.05, 0, 0.3]);
    optimizer.applySchedule(1);
    expect(rates()).toEqual([0.05, 0.025, 0.1, 0.3]);
    optimizer.groups[2]!.learningRate = 0.7;
    optimizer.learningRate = 1;
    expect(rates()).toEqual([1, 0.5, 0.1, 0.7]);
  });

  it('fall from layer to layer', async () => {
    const groups = optim.layerwiseDecay(['encoder', 'head'], { decay: 0.5 });
    expect(groups.map((group) => group.learningRateFactor)).toEqual([0.5, 1]);
    const { optimizer } = await trained(optim.sgd({ learningRate: 0.2, groups }), 1);
    expect(optimizer.groups.map((group) => group.learningRate)).toEqual([0.1, 0.2]);
  });

  it('name what matches nothing, what is unknown, and what contradicts', async () => {
    const model = await net();
    expect(() => optim.sgd({ groups: [{ match: 'encodr' }] }).for(model)).toThrow(
      /groups\[0\] \(encodr\) matches no parameter.*encoder\.weight/,
    );
    expect(() => optim.sgd({ groups: [{ match: 'head', momentun: 0.9 } as object as { match: string }] })).toThrow(
      /did you mean "momentum"/,
    );
    expect(() => optim.sgd({ groups: [{ match: 'head', learningRate: 1, learningRateFactor: 2 }] }).for(model)).toThrow(/not both/);
    expect(() => optim.sgd({ accumulate: 0 }).for(model)).toThrow(RangeError);
    expect(() => optim.sgd({ clipValue: -1 }).for(model)).toThrow(RangeError);
  });
});

describe('accumulation', () => {
  const half = (from: number) => [x.slice([from, 0], [from + 4, 3]), y.slice([from, 0], [from + 4, 2])] as [Tensor, Tensor];
  it.each([
    ['sgd', (accumulate: number) => optim.sgd({ learningRate: 0.1, momentum: 0.9, accumulate })],
    ['adamW', (accumulate: number) => optim.adamW({ learningRate: 0.01, accumulate, clipNorm: 0.05 })],
    ['lion', (accumulate: number) => optim.lion({ learningRate: 0.01, accumulate })],
    ['lamb', (accumulate: number) => optim.lamb({ learningRate: 0.01, accumulate, clipValue: 0.5 })],
    ['muon', (accumulate: number) => optim.muon({ learningRate: 0.01, accumulate })],
  ])('of halves is one whole batch: %s', async (_, describe_) => {
    const whole = await trained(describe_(1), 3);
    const model = await net();
    const optimizer = describe_(2).for(model);
    const step = stepOf(model, optimizer);
    for (let i = 0; i < 3; i++) {
      await step(...half(0));
      const between = await model.snapshot();
      if (i === 0) expect(between, 'nothing moves before the second half').toEqual(first);
      await step(...half(4));
    }
    expect(step.plans).toBe(1);
    const weights = await model.snapshot();
    for (const [path, { data }] of whole.weights) {
      const found = weights.get(path)!.data as Float32Array;
      for (const [i, value] of (data as Float32Array).entries()) expect(found[i], `${path}[${i}]`).toBeCloseTo(value, 5);
    }
    expect((await optimizer.step.data())[0]).toBe(3);
  });
});

const everything: Record<string, () => optim.OptimizerDescription> = {
  sgd: () => optim.sgd({ momentum: 0.9, learningRate: 0.05 }),
  adam: () => optim.adam({ amsgrad: true }),
  adamW: () => optim.adamW({ accumulate: 2, groups: [{ match: 'head', learningRateFactor: 0.1 }] }),
  nadam: () => optim.nadam(),
  radam: () => optim.radam(),
  adamax: () => optim.adamax(),
  rmsprop: () => optim.rmsprop({ centered: true, momentum: 0.5 }),
  adagrad: () => optim.adagrad(),
  adadelta: () => optim.adadelta(),
  rprop: () => optim.rprop(),
  lion: () => optim.lion({ l1: 0.01 }),
  lamb: () => optim.lamb(),
  adafactor: () => optim.adafactor(),
  muon: () => optim.muon(),
  lookahead: () => optim.lookahead(optim.adam(), { steps: 3 }),
};

describe('a resumed run', () => {
  it.each(Object.keys(everything))('has the bits of one that was not broken: %s', async (name) => {
    const straight = await trained(everything[name]!(), 7);

    const begun = await net();
    const before = everything[name]!().for(begun);
    const step = stepOf(begun, before);
    for (let i = 0; i < 3; i++) await step(x, y);
    const [weights, state] = [await begun.snapshot(), await before.snapshot()];

    const resumed = new Net();
    resumed.loadStateDictionary(weights);
    const after = everything[name]!().for(resumed);
    after.restore(state);
    const next = stepOf(resumed, after);
    for (let i = 3; i < 7; i++) await next(x, y);
    expect(await resumed.snapshot()).toEqual(straight.weights);
    expect(await after.snapshot()).toEqual(await straight.optimizer.snapshot());
  });

  it('refuses the state of another optimizer', async () => {
    const { optimizer } = await trained(optim.adam(), 1);
    const saved = await optimizer.snapshot();
    expect(() => optim.rmsprop().for(new Net()).restore(saved)).toThrow(/the saved state has encoder.weight.mean, which/);
  });
});

describe('parameters that are thawed later', () => {
  it('begin with a first step of their own', async () => {
    const model = await net();
    model.freeze('encoder');
    const optimizer = optim.adam({ learningRate: 0.01 }).for(model);
    const step = stepOf(model, optimizer);
    for (let i = 0; i < 5; i++) await step(x, y);
    const frozen = await model.snapshot();
    expect(frozen.get('encoder.weight')).toEqual(first!.get('encoder.weight'));
    model.unfreeze('encoder');
    await step(x, y);
    const thawed = await model.snapshot();
    // Adam's first step is the learning rate along the sign of the gradient, whatever its size.
    const moved = (thawed.get('encoder.weight')!.data as Float32Array).map((w, i) =>
      Math.abs(w - (first!.get('encoder.weight')!.data[i] as number)),
    );
    for (const distance of moved) expect(distance).toBeCloseTo(0.01, 4);

    const other = await net();
    const restored = optim.adam({ learningRate: 0.01 }).for(other);
    restored.restore(await optimizer.snapshot());
    other.loadStateDictionary(thawed);
    const again = stepOf(other, restored);
    await Promise.all([step(x, y), again(x, y)]);
    expect(await other.snapshot()).toEqual(await model.snapshot());
  });
});
