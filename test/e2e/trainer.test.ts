import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ArrayDataset, compile, losses, nn, optim, seed, type Tensor, Trainer, type TrainEvent, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { ProgressBar } from '../../src/train/index.js';
import { bits, child, Classifier, expectCode, goodBatch, temporaryFolder, training } from './support.js';

const folder = temporaryFolder();

/** Three clouds of points in four dimensions, easily told apart. */
function clouds(count: number, first = 0) {
  const x = new Float32Array(count * 4);
  const y = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = i % 3;
    for (let j = 0; j < 4; j++) x[i * 4 + j] = Math.sin((first + i) * 12.9898 + j * 78.233) * 0.6 + (j === y[i] ? 2 : 0);
  }
  return new ArrayDataset({ x: { data: x, shape: [count, 4] }, y: { data: y, shape: [count] } });
}

function make(options: { seed?: number; rule?: optim.OptimizerDescription } = {}) {
  seed(options.seed ?? 1);
  const model = new nn.Sequential(new nn.Linear(4, 16), new nn.BatchNorm(16), nn.relu, new nn.Dropout(0.1), new nn.Linear(16, 3));
  const trainer = new Trainer(model, {
    loss: losses.crossEntropy,
    optimizer: options.rule ?? optim.adamW({ learningRate: 0.02 }),
    metrics: ['accuracy'],
  });
  return { model, trainer };
}

const train = clouds(150);
const test = clouds(60, 1000);

describe('fit', () => {
  it('learns, and its history tells how', async () => {
    const { trainer } = make();
    const history = await trainer.fit(train, { epochs: 6, batchSize: 32, validation: test });
    expect(history.steps).toBe(30);
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    const [first, last] = [history.epochs[0]!, history.epochs.at(-1)!];
    expect(last.figures.loss).toBeLessThan(first.figures.loss);
    expect(last.validation!['accuracy']).toBeGreaterThan(0.95);
    expect(last.seconds).toBeGreaterThan(0);
    expect(await trainer.evaluate(test)).toEqual(last.validation);
    expect(await trainer.evaluate(test, { batchSize: 7 })).toEqual({
      loss: expect.closeTo(last.validation!.loss, 5),
      accuracy: expect.closeTo(last.validation!['accuracy']!, 10),
    });
  });

  it('does what the same loop by hand does, bit for bit', async () => {
    const { model, trainer } = make();
    await trainer.fit(train, { epochs: 1, batchSize: 50, shuffle: false });

    seed(1);
    const twin = make();
    const { optimizer } = twin.trainer;
    const step = compile({ state: [twin.model, optimizer] }, (x: Tensor, y: Tensor) => {
      const loss = losses.crossEntropy(twin.model.forward(x), y);
      void optimizer.minimize(loss);
      return { loss };
    });
    for (let i = 0; i < 150; i += 50) {
      const { x, y } = train.get(Uint32Array.from({ length: 50 }, (_, j) => i + j));
      await step(x, y);
    }
    expect(await bits(twin.model)).toEqual(await bits(model));
  });

  it('gives equal bits for equal seeds, and others for others', async () => {
    const digest = async (options: { seed: number }) => {
      const { model, trainer } = make(options);
      await trainer.fit(train, { epochs: 2, batchSize: 32, seed: options.seed });
      return bits(model);
    };
    const one = await digest({ seed: 3 });
    expect(await digest({ seed: 3 })).toEqual(one);
    expect(await digest({ seed: 4 })).not.toEqual(one);
  });

  it('yields typed events in order', async () => {
    const { trainer } = make();
    const events: TrainEvent[] = [];
    const run = trainer.fit(train, {
      epochs: 2,
      batchSize: 50,
      validation: test,
      checkpoint: { folder: join(folder, 'events'), every: 2, keep: 2 },
    });
    for await (const event of run) events.push(event);
    const steps = events.filter((event) => event.type === 'step');
    expect(events.filter((event) => event.type === 'epoch').map((event) => event.epoch)).toEqual([1, 2]);
    expect(events.filter((event) => event.type === 'checkpoint').map((event) => event.step)).toEqual([2, 4, 6]);
    expect(events.at(-1)!.type).toBe('epoch');
    expect(steps.map((event) => event.step)).toEqual([...steps.map((event) => event.step)].sort((a, b) => a - b));
    for (const event of steps) {
      expect(event).toMatchObject({ stepsPerEpoch: 3, learningRate: 0.02, epoch: Math.ceil(event.step / 3) });
      expect(event.loss).toBeGreaterThan(0);
      expect(event.samplesPerSecond).toBeGreaterThan(0);
    }
    expect((await run).epochs).toHaveLength(2);
    expect(readdirSync(join(folder, 'events')).sort()).toEqual(['step-00000004', 'step-00000006']);
  });

  it('follows a schedule, step by step, and says so', async () => {
    const schedule = optim.schedules.cosine({ peak: 0.1, total: 12, warmup: 3 });
    const { trainer } = make({ rule: optim.sgd({ learningRate: schedule }) });
    const rates: number[] = [];
    for await (const event of trainer.fit(train, { epochs: 4, batchSize: 50 }))
      if (event.type === 'step') rates[event.step - 1] = event.learningRate;
    expect(rates.length).toBe(12);
    rates.forEach((rate, step) => expect(rate).toBe(schedule(step)));
  });

  it('is not slowed by a slow reader: step events are coalesced, epochs are kept', async () => {
    const { trainer } = make();
    const run = trainer.fit(train, { epochs: 3, batchSize: 10 });
    let ended = false;
    void run.then(() => {
      ended = true;
    });
    const seen: TrainEvent[] = [];
    let endedWhileReading = false;
    for await (const event of run) {
      seen.push(event);
      if (seen.length === 1) {
        for (let i = 0; i < 500 && !ended; i++) await new Promise((resolve) => setTimeout(resolve, 10));
        endedWhileReading = ended;
      }
    }
    expect(endedWhileReading).toBe(true);
    expect(seen.filter((event) => event.type === 'epoch')).toHaveLength(3);
    expect(seen.filter((event) => event.type === 'step').length).toBeLessThan(10);
  });

  it('left by break goes on; abort ends it', async () => {
    const { trainer } = make();
    const run = trainer.fit(train, { epochs: 2, batchSize: 50 });
    for await (const event of run) if (event.type === 'step') break;
    expect((await run).steps).toBe(6);
  });

  it('reports a failure once', async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listen);
    const bad = new ArrayDataset({ x: { data: new Float32Array(12), shape: [3, 4] }, y: { data: Int32Array.of(0, 1, 7), shape: [3] } });
    const { trainer } = make();
    await expectCode(trainer.fit(bad, { epochs: 1 }), 'LABEL_OUT_OF_RANGE');
    await expectCode(async () => {
      for await (const _ of trainer.fit(bad, { epochs: 1 }));
    }, 'LABEL_OUT_OF_RANGE');
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });

  it('fails loudly where nobody listens', async () => {
    const { status, stderr } = await child(`const { ArrayDataset, losses, nn, optim, Trainer } = pollux;
      const data = new ArrayDataset({ x: { data: new Float32Array(12), shape: [3, 4] }, y: { data: Int32Array.of(0, 1, 7), shape: [3] } });
      new Trainer(new nn.Linear(4, 3), { loss: losses.crossEntropy, optimizer: optim.sgd() }).fit(data, { epochs: 1 });`);
    expect(status).toBe(1);
    expect(stderr).toContain('LABEL_OUT_OF_RANGE');
    expect(stderr.match(/label 7 of row/g)).toHaveLength(1);
  });

  it('writes plain lines in a log', async () => {
    const { status, stdout, stderr } = await child(`const { ArrayDataset, losses, nn, optim, Trainer } = pollux;
      const data = new ArrayDataset({ x: { data: new Float32Array(400), shape: [100, 4] }, y: { data: new Int32Array(100), shape: [100] } });
      const trainer = new Trainer(new nn.Linear(4, 3), { loss: losses.crossEntropy, optimizer: optim.sgd(), metrics: ['accuracy'] });
      await trainer.fit(data, { epochs: 2, batchSize: 5, validation: data, progress: true });
      await trainer.fit(data, { epochs: 1 }); console.log('end');`);
    expect(status, stderr).toBe(0);
    expect(stdout.trim()).toBe('end');
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(8);
    expect(lines[0]).toMatch(/^epoch 1\/2 {2}step +5\/20 {2}loss \d\.\d{4} {2}accuracy \d+\.\d\d % {2}[\d,]+ samples\/s/);
    expect(lines[3]).toMatch(/^epoch 1\/2 {2}loss .* validation: loss .* samples\/s$/);
    expect(stderr).not.toContain('\u001b');
  });

  it('redraws one line on a terminal', () => {
    const written: string[] = [];
    let now = 0;
    const bar = new ProgressBar({ stream: { write: (text) => written.push(text), isTTY: true, columns: 60 }, now: () => now });
    for (let step = 1; step <= 40; step++) {
      now += 25;
      bar.update({ epoch: 1, epochs: 1, step, steps: 40, loss: 1, rate: 100 });
    }
    bar.stop();
    expect(written.length).toBeGreaterThan(5);
    expect(written.length).toBeLessThan(15);
    for (const text of written) expect(text.replaceAll('\r', '').replaceAll('\u001b[K', '').length).toBeLessThan(60);
  });
});

describe('predict', () => {
  it('gives the outputs in order, for a batch, a tensor and a dataset of any length', async () => {
    const { model, trainer } = make();
    await trainer.fit(train, { epochs: 1 });
    const all = await trainer.predict(test);
    expect(all.shape).toEqual([60, 3]);
    const numbers = await all.data();
    const { x } = test.get([7, 3]);
    const two = await trainer.predict(x);
    expect(two.shape).toEqual([2, 3]);
    const some = (await two.data()) as Float32Array;
    for (let j = 0; j < 3; j++) {
      expect(some[j]).toBeCloseTo(numbers[7 * 3 + j]!, 5);
      expect(some[3 + j]).toBeCloseTo(numbers[3 * 3 + j]!, 5);
    }
    expect(await (await trainer.predict(test)).data()).toEqual(numbers);
    const small = (await (await trainer.predict(test, { batchSize: 7 })).data()) as Float32Array;
    small.forEach((value, i) => expect(value).toBeCloseTo(numbers[i]!, 5));
    expect(await (await trainer.predict(tensor(x))).data()).toEqual(some);
    expect(model.training).toBe(true);
  });
});

describe('save and load', () => {
  it('give the same bits and the same predictions', async () => {
    const { model, trainer } = make();
    await trainer.fit(train, { epochs: 2 });
    const file = join(folder, 'model.safetensors');
    await model.save(file);
    const { model: copy, trainer: other } = make({ seed: 99 });
    expect(await bits(copy)).not.toEqual(await bits(model));
    await copy.load(file);
    expect(await bits(copy)).toEqual(await bits(model));
    expect(await (await other.predict(test)).data()).toEqual(await (await trainer.predict(test)).data());
    expect([...model.stateDictionary().keys()]).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
      '1.runningMean',
      '1.runningVariance',
      '4.weight',
      '4.bias',
    ]);
  });

  it('take what fits with strict: false, and nothing of what does not', async () => {
    const { model } = make();
    const state = await model.snapshot();
    state.delete('4.bias');
    const { model: copy } = make({ seed: 99 });
    await expectCode(() => copy.loadStateDictionary(state), 'SHAPE_MISMATCH', 'Missing: 4.bias');
    copy.loadStateDictionary(state, { strict: false });
    const [one, two] = [await bits(model), await bits(copy)];
    expect(two['0.weight']).toBe(one['0.weight']);
    expect(two['4.bias']).not.toBe(one['4.bias']);
  });
});

describe('freeze', () => {
  it('keeps parameters as they are, whatever was compiled before; unfreeze lets them go', async () => {
    const { x, y } = goodBatch();
    const { model, step } = training(() => new Classifier());
    await step(x, y);
    const changed = async (): Promise<string[]> => {
      const before = await bits(model);
      await step(x, y);
      const after = await bits(model);
      return Object.keys(after).filter((path) => after[path] !== before[path]);
    };
    expect(await changed()).toEqual(['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']);
    model.freeze('hidden.weight');
    expect(await changed()).toEqual(['hidden.bias', 'out.weight', 'out.bias']);
    model.unfreeze().freeze('hidden.bias');
    expect(await changed()).toEqual(['hidden.weight', 'out.weight', 'out.bias']);
    model.unfreeze().freeze('hidden');
    expect(await changed()).toEqual(['out.weight', 'out.bias']);
    model.unfreeze().freeze(/weight$/);
    expect(await changed()).toEqual(['hidden.bias', 'out.bias']);
    model.unfreeze();
    expect(await changed()).toHaveLength(4);
  });
});

describe('an eager step', () => {
  it.each([
    ['sgd', optim.sgd({ learningRate: 0.1, momentum: 0.9 })],
    ['adam', optim.adam({ learningRate: 0.05 })],
    ['adamW with clipping', optim.adamW({ learningRate: 0.05, clipNorm: 0.1 })],
  ])('of %s does what the compiled one does', async (_, rule) => {
    const batch = goodBatch();
    const compiled = training(() => new Classifier(), rule);
    const eager = training(() => new Classifier(), rule);
    eager.model.loadStateDictionary(await compiled.model.snapshot());
    const [x, y] = [tensor(batch.x), tensor(batch.y)];
    for (let i = 0; i < 3; i++) {
      await compiled.step(batch.x, batch.y);
      await eager.optimizer.minimize(losses.crossEntropy(eager.model.forward(x), y));
    }
    const [one, two] = [await compiled.model.snapshot(), await eager.model.snapshot()];
    for (const [path, { data }] of one) {
      const other = two.get(path)!.data;
      for (let i = 0; i < data.length; i++) expect(Math.abs(Number(data[i]) - Number(other[i])), `${path}[${i}]`).toBeLessThan(2e-6);
    }
    expect(await eager.optimizer.step.data()).toEqual(await compiled.optimizer.step.data());
  });
});

describe('one step of many', () => {
  it('trains a generator against a discriminator: two models and optimizers in one state', async () => {
    seed(5);
    const generator = new nn.Linear(2, 4);
    const critic = new nn.Linear(4, 1);
    const rules = [optim.sgd({ learningRate: 0.1 }).for(generator), optim.sgd({ learningRate: 0.1 }).for(critic)] as const;
    const step = compile({ state: [generator, critic, ...rules] }, (noise: Tensor, real: Tensor) => {
      const fake = generator.forward(noise);
      const criticLoss = critic.forward(fake.detach()).mean().sub(critic.forward(real).mean());
      const generatorLoss = critic.forward(fake).mean().neg();
      void rules[1].minimize(criticLoss);
      void rules[0].minimize(generatorLoss);
      return { criticLoss, generatorLoss };
    });
    const before = [await bits(generator), await bits(critic)];
    const noise = { data: new Float32Array(6).fill(1), shape: [3, 2] };
    const real = { data: new Float32Array(12).fill(2), shape: [3, 4] };
    const first = await step(noise, real);
    const second = await step(noise, real);
    expect(await bits(generator)).not.toEqual(before[0]);
    expect(await bits(critic)).not.toEqual(before[1]);
    expect(second.criticLoss.item()).toBeLessThan(first.criticLoss.item());
  });

  it('reports profile, plans and explain', async () => {
    const { x, y } = goodBatch();
    const { step } = training(() => new Classifier());
    expect(step.explain()).toBe('');
    await step(x, y);
    expect(step.plans).toBe(1);
    expect(step.explain()).toContain('crossEntropy');
    expect(await step.profile(x, y)).toMatch(/us|ms/);
    expect(step.plans).toBe(1);
    await step({ data: x.data.subarray(0, 8), shape: [2, 4] }, { data: y.data.subarray(0, 2), shape: [2] });
    expect(step.plans).toBe(2);
  });

  it('runs of one optimizer for several steps in flight end in order', async () => {
    const { x, y } = goodBatch();
    const { model, step } = training(() => new Classifier());
    const order: number[] = [];
    await Promise.all(Array.from({ length: 8 }, (_, i) => step(x, y).then(() => order.push(i))));
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const twin = training(() => new Classifier());
    for (let i = 0; i < 8; i++) await twin.step(x, y);
    expect(await bits(model)).toEqual(await bits(twin.model));
  });
});
