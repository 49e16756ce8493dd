import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArrayDataset, crossValidate, losses, nn, optim, seed, Trainer } from 'pollux';
import { describe, expect, it } from 'vitest';
import { kFold, stratifiedKFold } from '../../src/data/folds.js';
import { plotLines } from '../../src/plot/lines.js';
import { bits, caught, expectCode, temporaryFolder } from './support.js';

const folder = temporaryFolder();

function clouds(count: number) {
  const x = new Float32Array(count * 4);
  const y = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = i % 10 === 0 ? 2 : i % 2;
    for (let j = 0; j < 4; j++) x[i * 4 + j] = Math.sin(i * 12.9898 + j * 78.233) + (j === y[i] ? 2 : 0);
  }
  return new ArrayDataset({ x: { data: x, shape: [count, 4] }, y: { data: y, shape: [count] } });
}
const data = clouds(90);

function make(rule: optim.OptimizerDescription = optim.adamW({ learningRate: 0.05 })) {
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm(8), nn.relu, new nn.Dropout(0.1), new nn.Linear(8, 3));
  return new Trainer(model, { loss: losses.crossEntropy, optimizer: rule, metrics: ['accuracy', 'f1'] });
}

describe('folds', () => {
  it('hold out every sample once, in sizes that differ by at most one', () => {
    for (const [count, folds] of [
      [10, 3],
      [7, 7],
      [100, 9],
    ] as const) {
      for (const seed_ of [undefined, 4]) {
        const parts = kFold(count, folds, seed_ === undefined ? {} : { seed: seed_ });
        expect(parts.flatMap(({ validation }) => [...validation]).sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
        const sizes = parts.map(({ validation }) => validation.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        for (const { train, validation } of parts)
          expect([...train, ...validation].sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      }
    }
    expect([...kFold(6, 3)[0]!.validation]).toEqual([0, 1]);
    expect(kFold(20, 4, { seed: 1 })).toEqual(kFold(20, 4, { seed: 1 }));
    expect(kFold(20, 4, { seed: 1 })).not.toEqual(kFold(20, 4, { seed: 2 }));
  });

  it('stratified, keep the share of every class', () => {
    const classes = Array.from({ length: 53 }, (_, i) => (i < 5 ? 7 : i % 3));
    const parts = stratifiedKFold(classes, 5, { seed: 1 });
    for (const label of [0, 1, 2, 7]) {
      const counts = parts.map(({ validation }) => [...validation].filter((i) => classes[i] === label).length);
      expect(Math.max(...counts) - Math.min(...counts), `class ${label}`).toBeLessThanOrEqual(1);
    }
    const sizes = parts.map(({ validation }) => validation.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it('need at least one sample each', () => {
    expect(() => kFold(4, 5)).toThrow(/5 folds of 4 samples.*Take at most 4/);
    expect(() => kFold(4, 1)).toThrow(RangeError);
    expect(() => stratifiedKFold([0, 0, 0, 1], 2)).toThrow(/2 folds of 1 samples of class 1/);
  });
});

describe('cross-validation', () => {
  it('trains a new model for each fold', async () => {
    const made: number[] = [];
    const told: number[] = [];
    const result = await crossValidate(
      (fold) => {
        seed(fold);
        made.push(fold);
        return make();
      },
      data,
      { folds: 3, stratified: true, epochs: 4, batchSize: 16, seed: 3, onFold: ({ fold }) => told.push(fold) },
    );
    expect([made, told]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    const accuracies = result.folds.map(({ figures }) => figures['accuracy']!);
    const mean = accuracies.reduce((a, b) => a + b) / 3;
    expect(result.mean['accuracy']).toBeCloseTo(mean, 12);
    expect(result.std['accuracy']).toBeCloseTo(Math.sqrt(accuracies.reduce((sum, a) => sum + (a - mean) ** 2, 0) / 2), 12);
    expect(Object.keys(result.mean)).toEqual(['loss', 'accuracy', 'f1']);
    expect(result.folds[0]!.history.epochs).toHaveLength(4);
    expect(mean).toBeGreaterThan(0.7);
  });

  it('refuses more folds than samples, and classes that are none', async () => {
    await expectCode(
      crossValidate(() => make(), clouds(3), { folds: 4, epochs: 1 }),
      'INVALID_ARGUMENT',
      '4 folds of 3 samples',
    );
    await expectCode(
      crossValidate(() => make(), data, { stratified: 'x', epochs: 1 }),
      'INVALID_ARGUMENT',
      'one class number a sample',
    );
    await expectCode(
      crossValidate(() => make(), data, { folds: 12, stratified: true, epochs: 1 }),
      'INVALID_ARGUMENT',
      'of class 2',
    );
    await expectCode(
      crossValidate(() => make(), data, { fold: 2, epochs: 1 } as never),
      'UNKNOWN_OPTION',
    );
  });
});

describe('the learning-rate finder', () => {
  it('sweeps up to where the loss blows up, and leaves everything as it was', async () => {
    seed(1);
    const trainer = make();
    await trainer.fit(data, { epochs: 1 });
    const before = [await bits(trainer.model), await bits(trainer.optimizer), trainer.optimizer.learningRate];
    const sweep = await trainer.findLearningRate(data, { from: 1e-5, to: 100, steps: 60, batchSize: 30 });
    expect([await bits(trainer.model), await bits(trainer.optimizer), trainer.optimizer.learningRate]).toEqual(before);
    expect(sweep.rates.length).toBe(sweep.losses.length);
    expect(sweep.rates[0]).toBe(1e-5);
    expect(sweep.rates[1]! / sweep.rates[0]!).toBeCloseTo(1e7 ** (1 / 59), 8);
    expect(sweep.rates.length).toBeLessThan(60);
    expect(sweep.suggestion).toBeGreaterThan(1e-5);
    expect(sweep.suggestion).toBeLessThan(10);
    const file = join(folder, 'sweep.svg');
    await sweep.plot(file);
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg .*suggestion .*polyline|^<svg .*polyline.*suggestion/s);

    // The run that follows has the bits of one that was never disturbed.
    await trainer.fit(data, { epochs: 1, seed: 9 });
    seed(1);
    const spared = make();
    await spared.fit(data, { epochs: 1 });
    await spared.fit(data, { epochs: 1, seed: 9 });
    expect(await bits(trainer.model)).toEqual(await bits(spared.model));
  });

  it('ends at a step that is not finite, and restores after a failure too', async () => {
    seed(1);
    const trainer = make(optim.sgd({ learningRate: 0.1 }));
    const before = await bits(trainer.model);
    const sweep = await trainer.findLearningRate(data, { from: 1, to: 1e30, steps: 20, divergence: Number.POSITIVE_INFINITY });
    expect(sweep.losses.every(Number.isFinite)).toBe(true);
    expect(await bits(trainer.model)).toEqual(before);
    const broken = function* () {
      yield data.get([0, 1, 2]);
      throw new Error('no more');
    };
    expect((await caught(trainer.findLearningRate(broken))).message).toBe('no more');
    expect(await bits(trainer.model)).toEqual(before);
    await expect(trainer.findLearningRate(data, { from: 1, to: 0.1 })).rejects.toThrow(RangeError);
    await expect(sweep.plot(join(folder, 'none', 'x.svg'))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });
});

describe('profile', () => {
  it('adds up the kernels of the steps that were asked for', async () => {
    seed(1);
    const trainer = make();
    const events: string[] = [];
    const run = trainer.fit(data, { epochs: 2, batchSize: 15, profile: { steps: [3, 6] } });
    for await (const event of run) if (event.type === 'profile') events.push(event.report.toString());
    const { profile } = await run;
    expect(events).toEqual([profile!.toString()]);
    expect(profile!.steps).toBe(4);
    const times = profile!.kernels.map(({ milliseconds }) => milliseconds);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(times.reduce((a, b) => a + b)).toBeCloseTo(profile!.milliseconds, 9);
    expect(profile!.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    const matmul = profile!.kernels.find(({ kernel, scope }) => kernel === 'matmul' && scope === '0')!;
    expect(matmul.calls).toBeGreaterThanOrEqual(1);
    expect(events[0]!.split('\n')[0]).toMatch(/^4 steps, \d+\.\d{3} ms each$/);
    // Measured steps are steps: the bits are those of a run without.
    seed(1);
    const plain = make();
    await plain.fit(data, { epochs: 2, batchSize: 15 });
    expect(await bits(trainer.model)).toEqual(await bits(plain.model));
    expect(() => trainer.fit(data, { epochs: 1, profile: { steps: [0, 2] } })).toThrow(/counted from 1/);
  });
});

describe('plots', () => {
  it('draw lines on either kind of axis', () => {
    const points = [1, 10, 100].map((x) => ({ x, y: Math.log10(x) }));
    const svg = plotLines({
      title: 'a < b',
      x: { name: 'x', logarithmic: true },
      y: { name: 'y' },
      lines: [{ name: 'one', points: [...points, { x: 0, y: 1 }, { x: 5, y: Number.NaN }] }],
    });
    expect(svg).toContain('a &lt; b');
    // Evenly spaced by the logarithm; what has no place on the axis is left out.
    expect(/points="([^"]+)"/.exec(svg)![1]).toBe('72.0,344.0 384.0,204.0 696.0,64.0');
    for (const text of ['1e0', '1e1', '1e2']) expect(svg).toContain(`>${text}<`);
    expect(() => plotLines({ title: '', x: { name: '' }, y: { name: '' }, lines: [] })).toThrow(RangeError);
  });
});
