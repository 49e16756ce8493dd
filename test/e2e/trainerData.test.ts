import { ArrayDataset, DataLoader, losses, metrics, nn, optim, seed, type Tensor, Trainer } from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, caught, expectCode } from './support.js';

/** y = 2 a - b + 0.5, and whether it is above 0. */
function samples(count: number, first = 0) {
  const a = Float32Array.from({ length: count }, (_, i) => Math.sin((first + i) * 12.9898));
  const b = Float32Array.from({ length: count }, (_, i) => Math.cos((first + i) * 78.233));
  const y = a.map((value, i) => 2 * value - b[i]! + 0.5);
  const label = Int32Array.from(y, (value) => (value > 0 ? 1 : 0));
  return { a, b, y, label };
}

function fields(count: number, first = 0) {
  const { a, b, y, label } = samples(count, first);
  return new ArrayDataset({
    a: { data: a, shape: [count, 1] },
    b: { data: b, shape: [count, 1] },
    y: { data: y, shape: [count, 1] },
    label: { data: label, shape: [count] },
  });
}

class TwoInputs extends nn.Module {
  first = new nn.Linear(1, 1);
  second = new nn.Linear(1, 1);
  forward(a: Tensor, b: Tensor): Tensor {
    return this.first.forward(a).add(this.second.forward(b));
  }
}

const squared = (output: Tensor, target: Tensor): Tensor => losses.mse(output, target);
const adam = (): optim.OptimizerDescription => optim.adam({ learningRate: 0.05 });

describe('fields', () => {
  const make = () => {
    seed(1);
    return new Trainer(new TwoInputs(), { loss: squared, optimizer: adam(), inputs: ['a', 'b'], target: 'y', metrics: ['mae', 'r2'] });
  };

  it('named inputs go into forward in their order', async () => {
    const trainer = make();
    await trainer.fit(fields(128), { epochs: 12, batchSize: 16 });
    const figures = await trainer.evaluate(fields(64, 500));
    expect(figures.loss).toBeLessThan(1e-3);
    expect(figures['mae']).toBeLessThan(0.03);
    expect(figures['r2']).toBeGreaterThan(0.999);
    const { a, b, y } = samples(8, 900);
    const batch = { b: { data: b, shape: [8, 1] as const }, a: { data: a, shape: [8, 1] as const } };
    const predicted = (await (await trainer.predict(batch)).data()) as Float32Array;
    predicted.forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 0));
    expect((await trainer.predict(fields(10))).shape).toEqual([10, 1]);
  });

  it('a field that is missing is named, with those that are there', async () => {
    const other = new ArrayDataset({ a: { data: new Float32Array(4), shape: [4, 1] }, y: { data: new Float32Array(4), shape: [4, 1] } });
    await expectCode(make().fit(other as never, { epochs: 1 }), 'INVALID_ARGUMENT', 'no field "b"; it has a, y');
    await expectCode(make().predict({ a: { data: new Float32Array(1), shape: [1, 1] } }), 'INVALID_ARGUMENT', 'no field "b"');
  });

  it('a step of your own does what the options do, bit for bit, and may tell more figures', async () => {
    const one = make();
    await one.fit(fields(64), { epochs: 2, batchSize: 16 });
    seed(1);
    const two = new Trainer(new TwoInputs(), {
      optimizer: adam(),
      step: (model, batch: { a: Tensor; b: Tensor; y: Tensor }) => {
        const output = model.forward(batch.a, batch.b);
        return { loss: losses.mse(output, batch.y), output, figures: { bias: output.sub(batch.y).mean() } };
      },
      metrics: ['mae'],
    });
    const { epochs } = await two.fit(fields(64), { epochs: 2, batchSize: 16 });
    expect(await bits(two.model)).toEqual(await bits(one.model));
    expect(Object.keys(epochs[0]!.figures)).toEqual(['loss', 'bias', 'mae']);
    const held = await two.evaluate(fields(10, 300), { batchSize: 4 });
    const whole = await two.evaluate(fields(10, 300));
    expect(held['bias']).toBeCloseTo(whole['bias']!, 6);
  });

  it('a step without an output cannot have metrics', async () => {
    const step = (model: TwoInputs, batch: { a: Tensor; b: Tensor }) => ({ loss: model.forward(batch.a, batch.b).mean() });
    const trainer = new Trainer(new TwoInputs(), { optimizer: adam(), step, metrics: ['mae'] });
    await expectCode(trainer.evaluate(fields(4)), 'INVALID_ARGUMENT', 'return { loss, output } from step');
    const promised = new Trainer(new TwoInputs(), { optimizer: adam(), step: (async () => ({})) as never });
    expect((await caught(promised.evaluate(fields(4) as never))).message).toContain('scalar tensor, at once');
    expect(() => new Trainer(new TwoInputs(), { optimizer: adam() } as never)).toThrow(/needs loss.*or step/);
  });
});

describe('sources', () => {
  const make = () => {
    seed(1);
    return new Trainer(new nn.Linear(1, 1), { loss: squared, optimizer: adam() });
  };
  const data = (count = 48) => {
    const { a, y } = samples(count);
    return new ArrayDataset({ x: { data: a, shape: [count, 1] }, y: { data: y, shape: [count, 1] } });
  };
  const batch = (i: number) => data().get([3 * i, 3 * i + 1, 3 * i + 2]);

  it('a loader, a list, a generator function and the dataset give the same bits for the same batches', async () => {
    const trained = async (source: never) => {
      const trainer = make();
      const history = await trainer.fit(source, { epochs: 2, batchSize: 3, shuffle: false });
      expect(history.steps).toBe(32);
      return bits(trainer.model);
    };
    const expected = await trained(data() as never);
    expect(await trained(new DataLoader(data(), { batchSize: 3 }) as never)).toEqual(expected);
    expect(await trained(Array.from({ length: 16 }, (_, i) => batch(i)) as never)).toEqual(expected);
    const generate = async function* () {
      for (let i = 0; i < 16; i++) yield batch(i);
    };
    expect(await trained(generate as never)).toEqual(expected);
  });

  it('a stream without an end needs stepsPerEpoch, and goes on where the epoch before ended', async () => {
    const seen: number[] = [];
    const endless = function* () {
      for (let i = 0; ; i++) {
        seen.push(i);
        yield batch(i % 16);
      }
    };
    const history = await make().fit(endless, { epochs: 3, stepsPerEpoch: 5 });
    expect(history.epochs.map(({ step }) => step)).toEqual([5, 10, 15]);
    expect(seen).toEqual([...Array(15).keys()]);
  });

  it('data that end in the middle of an epoch begin anew', async () => {
    const history = await make().fit(data(), { epochs: 2, stepsPerEpoch: 7, batchSize: 10 });
    expect(history.steps).toBe(14);
  });

  it('maxSteps ends the last epoch early, with its validation', async () => {
    const history = await make().fit(data(), { maxSteps: 20, batchSize: 3, validation: data(), progress: false });
    expect(history.epochs.map(({ step, validation }) => [step, validation !== undefined])).toEqual([
      [16, true],
      [20, true],
    ]);
    const exact = await make().fit(data(), { epochs: 9, maxSteps: 16, batchSize: 3 });
    expect(exact.epochs).toHaveLength(1);
  });

  it('validation at every n-th epoch', async () => {
    const { epochs } = await make().fit(data(), { epochs: 4, validation: data(), validateEvery: 2 });
    expect(epochs.map(({ validation }) => validation !== undefined)).toEqual([false, true, false, true]);
  });

  it('a generator that was read is told from data', async () => {
    const once = (function* () {
      for (let i = 0; i < 4; i++) yield batch(i);
    })();
    await expectCode(make().fit(once, { epochs: 2 }), 'INVALID_ARGUMENT', 'the generator function itself');
    await expectCode(make().fit([], { epochs: 1 }), 'INVALID_ARGUMENT', 'gave no batch');
    await expectCode(
      make().fit(() => [], { epochs: 1, stepsPerEpoch: 2 }),
      'INVALID_ARGUMENT',
      'gave no batch',
    );
    expect(() => make().fit(5 as never, { epochs: 1 })).toThrow(/data must be a Dataset/);
    expect(() => make().fit(data(), {} as never)).toThrow(/epochs, or maxSteps/);
    expect(() => make().fit(data(), { epochs: 1, stepsPerEpoch: 0 })).toThrow(/stepsPerEpoch/);
  });

  it('a loader that fails ends the run, and the next run works', async () => {
    const trainer = make();
    const broken = function* () {
      yield batch(0);
      throw new Error('the disk is gone');
    };
    expect((await caught(trainer.fit(broken, { epochs: 1 }))).message).toBe('the disk is gone');
    expect((await trainer.fit(data(), { epochs: 1 })).steps).toBe(2);
  });

  it('a failed step names its epoch and its number, and keeps its code', async () => {
    const bad = function* () {
      for (let i = 0; i < 6; i++) yield batch(i);
      yield { x: { data: Float32Array.of(Number.NaN), shape: [1, 1] }, y: { data: Float32Array.of(1), shape: [1, 1] } };
    };
    const trainer = make();
    await expectCode(trainer.fit(bad, { epochs: 1 }), 'NOT_FINITE', /^Epoch 1, step 7: /);
    await expectCode(trainer.fit(bad, { epochs: 2, stepsPerEpoch: 5 }), 'NOT_FINITE', /^Epoch 2, step 7: /);
  });
});

describe('metrics', () => {
  const x = Float32Array.from({ length: 90 * 4 }, (_, i) => Math.sin(i * 12.9898) + ((i >> 2) % 3 === i % 4 ? 1 : 0));
  const y = Int32Array.from({ length: 90 }, (_, i) => i % 3);
  const data = new ArrayDataset({ x: { data: x, shape: [90, 4] }, y: { data: y, shape: [90] } });

  it('gathered over an evaluation equal those of its predictions', async () => {
    seed(2);
    const trainer = new Trainer(new nn.Linear(4, 3), {
      loss: losses.crossEntropy,
      optimizer: adam(),
      metrics: [
        'accuracy',
        'top2Accuracy',
        'f1',
        'rocAuc',
        metrics.collect('f1', { average: 'weighted', as: 'weightedF1' }),
        { name: 'mistakes', takes: 'classes', compute: (p, t) => [...(p as Float64Array)].filter((c, i) => c !== t[i]).length },
      ],
    });
    const { epochs } = await trainer.fit(data, { epochs: 2, validation: data });
    expect(Object.keys(epochs[0]!.figures)).toEqual(['loss', 'accuracy', 'top2Accuracy']);
    const figures = await trainer.evaluate(data, { batchSize: 40 });
    const logits = (await (await trainer.predict(data)).data()) as Float32Array;
    const rows = Array.from({ length: 90 }, (_, i) => logits.subarray(3 * i, 3 * i + 3));
    const predicted = metrics.argmax(rows);
    const probabilities = rows.map((row) => {
      const exps = Array.from(row, Math.exp);
      return exps.map((e) => e / exps.reduce((a, b) => a + b));
    });
    expect(figures).toEqual({
      loss: expect.closeTo(metrics.logLoss(probabilities, y), 5),
      accuracy: expect.closeTo(metrics.accuracy(predicted, y), 6),
      top2Accuracy: expect.closeTo(metrics.topKAccuracy(rows, y, { k: 2 }), 6),
      f1: expect.closeTo(metrics.f1(predicted, y, { average: 'macro' }), 10),
      rocAuc: expect.closeTo(metrics.rocAuc(probabilities, y), 3),
      weightedF1: expect.closeTo(metrics.f1(predicted, y, { average: 'weighted' }), 10),
      mistakes: [...predicted].filter((c, i) => c !== y[i]).length,
    });
    expect(epochs[1]!.validation!['f1']).toBeCloseTo(figures['f1']!, 10);
  });

  it('take one logit a sample as two classes', async () => {
    const labels = Float32Array.from(y, (label) => (label === 1 ? 1 : 0));
    const two = new ArrayDataset({ x: { data: x, shape: [90, 4] }, y: { data: labels, shape: [90] } });
    const trainer = new Trainer(new nn.Linear(4, 1), {
      loss: (output, target) => losses.mse(output.sigmoid().reshape([target.size]), target),
      optimizer: adam(),
      metrics: ['accuracy', metrics.collect('accuracy', { as: 'gathered' }), 'rocAuc', 'brierScore'],
    });
    const figures = await trainer.evaluate(two);
    expect(figures['accuracy']).toBeCloseTo(figures['gathered']!, 6);
    expect(figures['brierScore']).toBeCloseTo(figures.loss, 5);
    const logits = (await (await trainer.predict(two)).data()) as Float32Array;
    expect(figures['rocAuc']).toBeCloseTo(metrics.rocAuc(logits, Array.from(labels)), 6);
  });

  it('of sequences are means over their elements', async () => {
    const tokens = new ArrayDataset({
      x: { data: Float32Array.from({ length: 6 * 5 * 2 }, (_, i) => Math.sin(i * 3.7)), shape: [6, 5, 2] },
      y: { data: Int32Array.from({ length: 30 }, (_, i) => i % 2), shape: [6, 5] },
    });
    const trainer = new Trainer(new nn.Linear(2, 2), {
      loss: (output, target) => losses.crossEntropy(output.reshape([target.size, 2]), target.reshape([target.size])),
      optimizer: adam(),
      metrics: ['accuracy', metrics.collect('accuracy', { as: 'gathered' })],
    });
    const figures = await trainer.evaluate(tokens, { batchSize: 4 });
    expect(figures['accuracy']).toBeCloseTo(figures['gathered']!, 6);
  });

  it('are named when they are misspelt', () => {
    const wrong = () =>
      new Trainer(new nn.Linear(4, 3), { loss: losses.crossEntropy, optimizer: adam(), metrics: ['acuracy' as 'accuracy'] });
    expect(wrong).toThrow(/did you mean "accuracy"/);
  });
});
