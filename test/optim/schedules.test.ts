import { readFileSync } from 'node:fs';
import { compile, nn, optim, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const { schedules } = optim;
type Name =
  | 'step'
  | 'multiStep'
  | 'exponential'
  | 'polynomial'
  | 'linear'
  | 'cosine'
  | 'cosineRestarts'
  | 'oneCycle'
  | 'chain'
  | 'multiply';
type Stored = Record<Name | 'plateau' | 'plateauMax' | 'metrics', number[]>;
const stored = JSON.parse(readFileSync(new URL('../trajectories/data/schedules.json', import.meta.url), 'utf8')) as Stored;

/** The settings of make_schedules.py. */
const made: Record<Name, optim.Schedule> = {
  step: schedules.step({ rate: 0.1, every: 7, factor: 0.5 }),
  multiStep: schedules.multiStep({ rate: 0.1, milestones: [3, 10, 30], factor: 0.2 }),
  exponential: schedules.exponential({ rate: 0.1, factor: 0.9 }),
  polynomial: schedules.polynomial({ rate: 0.1, total: 30, power: 2 }),
  linear: schedules.linear({ from: 0.025, to: 0.1, total: 12 }),
  cosine: schedules.cosine({ peak: 0.1, total: 40, floor: 0.01 }),
  cosineRestarts: schedules.cosineRestarts({ peak: 0.1, period: 5, growth: 2, floor: 0.001 }),
  oneCycle: schedules.oneCycle({ peak: 0.1, total: 40 }),
  chain: schedules.chain([schedules.linear({ from: 0.01, to: 0.1, total: 8 }), schedules.exponential({ rate: 0.1, factor: 0.9 })], {
    milestones: [8],
  }),
  multiply: schedules.multiply(schedules.step({ rate: 0.1, every: 10, factor: 0.5 }), schedules.exponential({ rate: 1, factor: 0.95 })),
};

const close = (found: number, expected: number, what: string): void =>
  expect(Math.abs(found - expected), `${what}: ${found} for ${expected}`).toBeLessThanOrEqual(1e-12);

const plateau = () => schedules.reduceOnPlateau({ rate: 0.1, factor: 0.5, patience: 2, cooldown: 1, floor: 0.01 });

describe('schedules, beside PyTorch', () => {
  it.each(Object.keys(made) as Name[])('%s', (name) => {
    for (const [step, rate] of stored[name].entries()) close(made[name](step), rate, `step ${step}`);
  });

  it.each([
    ['plateau', plateau()],
    ['plateauMax', schedules.reduceOnPlateau({ rate: 0.1, mode: 'max', patience: 0, threshold: 0.1, thresholdMode: 'absolute' })],
  ] as const)('%s', (name, schedule) => {
    for (const [i, metric] of stored.metrics.entries()) {
      close(schedule(i), stored[name][i]!, `observation ${i}`);
      schedule.observe(metric);
    }
  });
});

describe('schedules of their own', () => {
  it('rise, hold and fall', () => {
    const schedule = schedules.warmupStableDecay({ peak: 1, total: 20, warmup: 4, decay: 5 });
    expect([0, 3, 4, 14, 15, 16, 20, 99].map(schedule)).toEqual([0.25, 1, 1, 1, 1, 0.8, 0, 0]);
    const cosine = schedules.warmupStableDecay({ peak: 1, total: 20, warmup: 4, decay: 5, shape: 'cosine', floor: 0.1 });
    close(cosine(20), 0.1, 'the end');
    expect(schedules.warmupStableDecay({ peak: 1, total: 20, warmup: 0, decay: 4, shape: 'sqrt' })(17)).toBe(0.5);
  });

  it('have the transformer', () => {
    const schedule = schedules.inverseSqrt({ peak: 1, warmup: 100 });
    expect([0, 49, 99, 399].map(schedule)).toEqual([0.01, 0.5, 1, 0.5]);
  });

  it('warm up whatever comes', () => {
    const schedule = schedules.warmup(schedules.exponential({ rate: 0.1, factor: 0.5 }), { steps: 2 });
    expect([0, 1, 2, 3].map(schedule)).toEqual([0.05, 0.1, 0.1, 0.05]);
  });

  it('refuse nonsense', () => {
    expect(() => schedules.chain([schedules.constant(1)], { milestones: [3] })).toThrow(/1 schedules need 0 milestones/);
    expect(() => schedules.step({ rate: 1, every: 0 })).toThrow(RangeError);
    expect(() => schedules.warmupStableDecay({ peak: 1, total: 5, warmup: 3, decay: 3 })).toThrow(/more than the total/);
    expect(() => schedules.reduceOnPlateau({ rate: 1, factor: 1 })).toThrow(RangeError);
  });
});

describe('an optimizer that follows a metric', () => {
  const build = () => {
    const model = new nn.Linear(2, 1);
    const optimizer = optim.sgd({ learningRate: schedules.warmup(plateau(), { steps: 1 }) }).for(model);
    return { model, optimizer };
  };

  it('lowers its rate when it is told so, and saves what it knows', async () => {
    const { optimizer } = build();
    for (const metric of [3, 3, 3]) optimizer.observe(metric);
    expect(optimizer.learningRate).toBe(0.1);
    const saved = await optimizer.snapshot();
    optimizer.observe(3);
    expect(optimizer.learningRate).toBe(0.05);

    const { optimizer: resumed } = build();
    resumed.restore(saved);
    expect(resumed.learningRate).toBe(0.1);
    resumed.observe(3);
    expect(resumed.learningRate).toBe(0.05);
  });

  it('makes no new plan', async () => {
    const { model, optimizer } = build();
    const step = compile({ state: [model, optimizer] }, (x: Tensor) => {
      optimizer.minimize((model.forward(x) as Tensor).square().mean());
      return {};
    });
    for (let i = 0; i < 6; i++) {
      optimizer.applySchedule(i);
      await step(tensor([[1, 2]]));
      optimizer.observe(1);
    }
    expect(optimizer.learningRate).toBe(0.05);
    expect(step.plans).toBe(1);
  });
});
