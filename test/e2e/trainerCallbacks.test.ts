import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ArrayDataset, type Callback, callbacks, losses, nn, optim, seed, StreamLoader, Trainer } from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, caught, expectCode, temporaryFolder } from './support.js';

const folder = temporaryFolder();

function clouds(count: number, first = 0) {
  const x = new Float32Array(count * 4);
  const y = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = i % 3;
    for (let j = 0; j < 4; j++) x[i * 4 + j] = Math.sin((first + i) * 12.9898 + j * 78.233) + (j === y[i] ? 0.8 : 0);
  }
  return new ArrayDataset({ x: { data: x, shape: [count, 4] }, y: { data: y, shape: [count] } });
}
const train = clouds(60);
const test = clouds(30, 1000);

function make(rule: optim.OptimizerDescription = optim.adam({ learningRate: 0.05 })) {
  seed(1);
  const model = new nn.Sequential(new nn.Linear(4, 8), nn.relu, new nn.Dropout(0.1), new nn.Linear(8, 3));
  return new Trainer(model, { loss: losses.crossEntropy, optimizer: rule, metrics: ['accuracy'] });
}

describe('callbacks', () => {
  it('are called in order, and waited for at the ends', async () => {
    const calls: string[] = [];
    const note = (text: string): void => void calls.push(text);
    const late = (text: string) => new Promise<void>((resolve) => setTimeout(() => resolve(note(text)), 2));
    const witness: Callback = {
      onFitStart: ({ epoch, step }) => late(`start ${epoch} ${step}`),
      onEpochStart: ({ epoch }) => note(`epoch ${epoch}`),
      onStep: ({ step }, context) => note(`step ${step} ${context.step}`),
      onEvaluate: (figures) => note(`evaluate ${Object.keys(figures)}`),
      onEpochEnd: ({ epoch }, { history }) => late(`end ${epoch} ${history.epochs.length}`),
      onCheckpoint: ({ step, best }) => note(`checkpoint ${step} ${best}`),
      onFitEnd: (_, error) => late(`over ${error === undefined}`),
    };
    const checkpoint = { folder: join(folder, 'calls'), everyEpochs: 2 };
    await make().fit(train, { epochs: 2, batchSize: 30, validation: test, callbacks: [witness], checkpoint });
    expect(calls).toEqual(
      ['start 1 0', 'epoch 1', 'step 1 1', 'step 2 2', 'evaluate loss,accuracy', 'end 1 1'].concat([
        'epoch 2',
        'step 3 3',
        'step 4 4',
        'evaluate loss,accuracy',
        'end 2 2',
        'checkpoint 4 false',
        'over true',
      ]),
    );
  });

  it.each(['onFitStart', 'onEpochStart', 'onStep', 'onEvaluate', 'onEpochEnd', 'onFitEnd'] as const)(
    'that throw in %s fail the run once; the model works on',
    async (name) => {
      const trainer = make();
      const ends: unknown[] = [];
      const bad: Callback = {
        [name]: () => {
          throw new Error('mine');
        },
      };
      const witness: Callback = { onFitEnd: (_, error) => void ends.push(error) };
      const error = await caught(trainer.fit(train, { epochs: 2, batchSize: 20, validation: test, callbacks: [bad, witness] }));
      expect(error.message).toBe('mine');
      expect(ends).toEqual([error]);
      expect((await trainer.fit(train, { epochs: 1, batchSize: 20 })).steps).toBe(3);
    },
  );

  it('may end the run in the middle of an epoch', async () => {
    const stopper: Callback = { onStep: ({ step }, context) => void (step === 4 && context.stop('enough')) };
    const history = await make().fit(train, { epochs: 5, batchSize: 10, callbacks: [stopper] });
    expect(history.stopped).toBe('enough');
    // One step was in flight.
    expect(history.steps).toBe(5);
    expect(history.epochs).toHaveLength(1);
  });

  it('may change the learning rate', async () => {
    const rates: number[] = [];
    const trainer = make();
    const callback: Callback = {
      onEpochStart: ({ optimizer, epoch }) => void (optimizer.learningRate = 0.1 / epoch),
      onStep: ({ learningRate }) => void rates.push(learningRate),
    };
    await trainer.fit(train, { epochs: 3, batchSize: 60, callbacks: [callback] });
    expect(rates).toEqual([0.1, 0.05, 0.1 / 3]);
  });
});

describe('early stopping', () => {
  it('ends after the patience, and puts the best weights back', async () => {
    const trainer = make(optim.sgd({ learningRate: 0.5 }));
    const kept: Record<string, string>[] = [];
    const spoil: Callback = {
      async onEpochEnd({ epoch }, { model, optimizer }) {
        kept.push(await bits(model));
        // From epoch 3 on it climbs.
        if (epoch === 2) optimizer.learningRate = 30;
      },
    };
    const history = await trainer.fit(train, {
      epochs: 50,
      batchSize: 20,
      validation: test,
      callbacks: [spoil, callbacks.earlyStopping({ patience: 3 })],
    });
    const losses_ = history.epochs.map(({ validation }) => validation!.loss);
    const best = losses_.indexOf(Math.min(...losses_));
    expect(history.epochs).toHaveLength(best + 1 + 3);
    expect(history.stopped).toContain(`the best was epoch ${best + 1}`);
    expect(await bits(trainer.model)).toEqual(kept[best]);
    expect((await trainer.evaluate(test)).loss).toBe(losses_[best]);
  });

  it('follows any figure, up or down, by minDelta', async () => {
    const run = (options: callbacks.EarlyStoppingOptions) =>
      make().fit(train, { epochs: 6, batchSize: 20, validation: test, callbacks: [callbacks.earlyStopping(options)] });
    // An improvement of 2 is out of reach: the first epoch is the best, and two follow.
    expect((await run({ monitor: 'validation.accuracy', minDelta: 2, patience: 2 })).epochs).toHaveLength(3);
    expect((await run({ monitor: 'loss', mode: 'max', patience: 1 })).epochs.length).toBeLessThan(6);
    await expectCode(
      run({ monitor: 'validation.acuracy' }),
      'INVALID_ARGUMENT',
      'Known: loss, accuracy, validation.loss, validation.accuracy',
    );
    expect(() => callbacks.earlyStopping({ patience: 0 })).toThrow(/patience/);
    expect(() => callbacks.earlyStopping({ pateince: 1 } as never)).toThrow(/did you mean "patience"/);
  });
});

describe('checkpoints', () => {
  it('keep the best beside the last', async () => {
    const run = join(folder, 'best');
    const trainer = make();
    const history = await trainer.fit(train, {
      epochs: 5,
      batchSize: 20,
      validation: test,
      checkpoint: { folder: run, keep: 2, best: { monitor: 'validation.accuracy' } },
    });
    const accuracies = history.epochs.map(({ validation }) => validation!['accuracy']!);
    const best = accuracies.indexOf(Math.max(...accuracies)) + 1;
    expect(readdirSync(join(run, 'best'))).toEqual([`step-${String(best * 3).padStart(8, '0')}`]);
    expect(readdirSync(run).sort()).toEqual(['best', 'step-00000012', 'step-00000015']);
    const other = make();
    expect(await other.restore(join(run, 'best'))).toBe(best * 3);
    expect((await other.evaluate(test))['accuracy']).toBe(accuracies[best - 1]);
    expect(await make().restore(join(folder, 'none'))).toBeUndefined();
  });

  it('check their options', () => {
    expect(() => make().fit(train, { epochs: 1, checkpoint: { folder, every: 0 } })).toThrow(/every must be an integer/);
    expect(() => make().fit(train, { epochs: 1, checkpoint: { folder: '' } })).toThrow(/path of a folder/);
    expect(() => make().fit(train, { epochs: 1, checkpoint: { folder, evry: 1 } as never })).toThrow(/did you mean "every"/);
  });
});

describe('a resumed run', () => {
  /** Everything with a memory at once: early stopping, plateau, accumulation, unfreezing, a best checkpoint. */
  const attempt = async (name: string, options: { stopAt?: number; resume?: boolean; every?: number }) => {
    const trainer = make(
      optim.adamW({ learningRate: optim.schedules.reduceOnPlateau({ rate: 0.4, patience: 0, factor: 0.5 }), accumulate: 2, clipNorm: 1 }),
    );
    trainer.model.freeze('0');
    const controller = new AbortController();
    const killer: Callback = { onStep: ({ step }) => void (step === options.stopAt && controller.abort()) };
    const run = trainer.fit(train, {
      epochs: 30,
      batchSize: 13,
      seed: 5,
      validation: test,
      signal: controller.signal,
      callbacks: [callbacks.earlyStopping({ patience: 3, minDelta: 0.05 }), callbacks.progressiveUnfreezing({ 2: '0' }), killer],
      checkpoint: { folder: join(folder, name), best: true, ...(options.every && { every: options.every }) },
      resume: options.resume ?? false,
    });
    const history = await run.then(
      (value) => value,
      () => undefined,
    );
    return { history, model: await bits(trainer.model), optimizer: await bits(trainer.optimizer), rate: trainer.optimizer.learningRate };
  };
  const plain = ({ history, ...rest }: Awaited<ReturnType<typeof attempt>>) => ({
    ...rest,
    steps: history!.steps,
    stopped: history!.stopped,
    epochs: history!.epochs.map(({ epoch, figures, validation, learningRate }) => ({ epoch, figures, validation, learningRate })),
  });

  let uninterrupted: ReturnType<typeof attempt> | undefined;

  it.each([
    ['in the middle of an epoch', 4, 3],
    ['at the end of an epoch', 10, 5],
    ['from the ends of epochs', 17, undefined],
    ['late', 28, 2],
  ])('broken off %s ends with the bits of the whole one', async (_, stopAt, every) => {
    const whole = await (uninterrupted ??= attempt('whole', {}));
    expect(whole.history!.steps).toBeGreaterThan(stopAt);
    expect(whole.history!.stopped).toContain('has not improved');
    expect(whole.rate).toBeLessThan(0.4);
    const name = `broken ${stopAt}`;
    expect((await attempt(name, { stopAt, ...(every && { every }) })).history).toBeUndefined();
    const resumed = await attempt(name, { resume: true, ...(every && { every }) });
    expect(plain(resumed)).toEqual(plain(whole));
  });

  it('of a list skips the batches that were read', async () => {
    const list = Array.from({ length: 6 }, (_, i) => train.get(Array.from({ length: 10 }, (__, j) => 10 * i + j)));
    const run = async (name: string, resume: boolean, stopAt?: number) => {
      const trainer = make();
      const stopper: Callback = {
        onStep: ({ step }) => {
          if (step === stopAt) throw new Error('killed');
        },
      };
      const options = { epochs: 3, stepsPerEpoch: 4, callbacks: [stopper], checkpoint: { folder: join(folder, name), every: 3 }, resume };
      await trainer.fit(list, options).then(undefined, () => undefined);
      return bits(trainer.model);
    };
    const whole = await run('list whole', false);
    await run('list', false, 7);
    expect(await run('list', true)).toEqual(whole);
  });

  it('of a stream goes on in its epoch, and of a finished epoch with the next', async () => {
    const rows = (epoch: number) =>
      Array.from({ length: 24 }, (_, i) => ({ x: [0, 1, 2, 3].map((j) => Math.sin(epoch + 7 * i + j)), y: (i + epoch) % 3 }));
    const schema = { x: { shape: [4], dtype: 'float32' }, y: { shape: [], dtype: 'int32' } } as const;
    const run = async (name: string, every: number | undefined, stopAt?: number, resume = false) => {
      const trainer = make();
      const stopper: Callback = {
        onStep: ({ step }) => {
          if (step === stopAt) throw new Error('killed');
        },
      };
      const checkpoint = { folder: join(folder, name), ...(every && { every }) };
      const stream = new StreamLoader(schema, rows, { batchSize: 6, shuffleBuffer: 8, seed: 2 });
      await trainer.fit(stream, { epochs: 4, callbacks: [stopper], checkpoint, resume }).then(undefined, () => undefined);
      return bits(trainer.model);
    };
    const whole = await run('stream whole', undefined);
    for (const every of [3, undefined]) {
      await run(`stream ${every}`, every, 11);
      expect(await run(`stream ${every}`, every, undefined, true)).toEqual(whole);
    }
  });

  it('that had stopped stays stopped', async () => {
    const name = join(folder, 'stopped');
    const options = { epochs: 20, batchSize: 20, checkpoint: { folder: name } };
    const stopping = () => [callbacks.earlyStopping({ monitor: 'loss', minDelta: 5, patience: 2 })];
    const first = make();
    const history = await first.fit(train, { ...options, callbacks: stopping() });
    const second = make();
    const again = await second.fit(train, { ...options, callbacks: stopping(), resume: true });
    expect(again.steps).toBe(history.steps);
    expect(again.stopped).toBe(history.stopped);
    expect(await bits(second.model)).toEqual(await bits(first.model));
  });
});

describe('averaged weights', () => {
  const averaging = () => {
    seed(1);
    const model = new nn.Sequential(new nn.Linear(4, 8), nn.relu, new nn.Linear(8, 3));
    const optimizer = optim.adam({ learningRate: 0.05 });
    return new Trainer(model, { loss: losses.crossEntropy, optimizer, average: (of) => optim.ema(of, { decay: 0.8 }) });
  };

  it('are what validation, evaluate and predict see', async () => {
    const trainer = averaging();
    // Nothing is averaged yet: the weights themselves.
    expect(await trainer.evaluate(test)).toEqual(await trainer.evaluate(test, { averaged: false }));
    const { epochs } = await trainer.fit(train, { epochs: 3, batchSize: 20, validation: test });
    const raw = await bits(trainer.model);
    const held = await trainer.evaluate(test);
    expect(held).toEqual(epochs.at(-1)!.validation);
    expect(await trainer.evaluate(test, { averaged: false })).not.toEqual(held);
    const predicted = await (await trainer.predict(test)).data();
    expect(await bits(trainer.model)).toEqual(raw);
    await trainer.average!.swap();
    expect(await (await trainer.predict(test, { averaged: false })).data()).toEqual(predicted);
  });

  it('stay out of a run that is under way, and are in its checkpoints', async () => {
    const options = { batchSize: 20, validation: test, checkpoint: { folder: join(folder, 'averages'), every: 4 } };
    const trainer = averaging();
    const run = trainer.fit(train, { ...options, epochs: 4 });
    let refused: unknown;
    for await (const event of run) if (event.type === 'step') refused ??= trainer.evaluate(test).then(undefined, (error: unknown) => error);
    expect(await refused).toMatchObject({ code: 'INVALID_ARGUMENT' });
    const resumed = averaging();
    await resumed.fit(train, { ...options, epochs: 4, resume: true });
    expect(await bits(resumed.average!)).toEqual(await bits(trainer.average!));
    expect(await resumed.evaluate(test)).toEqual(await trainer.evaluate(test));
  });

  it('are what early stopping puts back', async () => {
    const trainer = averaging();
    const history = await trainer.fit(train, {
      epochs: 6,
      validation: test,
      callbacks: [callbacks.earlyStopping({ mode: 'max', patience: 2 })],
    });
    const best = Math.max(...history.epochs.map(({ validation }) => validation!.loss));
    expect((await trainer.evaluate(test)).loss).toBe(best);
  });
});

describe('progressive unfreezing', () => {
  it('trains parts from their epoch on', async () => {
    const trainer = make();
    trainer.model.freeze('0');
    const seen: string[] = [(await bits(trainer.model))['0.weight']!];
    const watch: Callback = { onEpochEnd: async (_, { model }) => void seen.push((await bits(model))['0.weight']!) };
    await trainer.fit(train, { epochs: 3, batchSize: 20, callbacks: [callbacks.progressiveUnfreezing({ 3: /^0/ }), watch] });
    expect(seen[1]).toBe(seen[0]);
    expect(seen[2]).toBe(seen[0]);
    expect(seen[3]).not.toBe(seen[0]);
    expect(() => callbacks.progressiveUnfreezing({ 0: 'x' })).toThrow(/count from 1/);
    await expectCode(
      make().fit(train, { epochs: 1, callbacks: [callbacks.progressiveUnfreezing({ 1: 'head' })] }),
      'INVALID_ARGUMENT',
      'head',
    );
  });

  it('goes with learning rates by layer', async () => {
    const rule = optim.sgd({ learningRate: 0.1, groups: [{ match: '0', learningRateFactor: 0 }] } as never);
    const trainer = make(rule);
    const before = await bits(trainer.model);
    await trainer.fit(train, { epochs: 1 });
    const after = await bits(trainer.model);
    expect(after['0.weight']).toBe(before['0.weight']);
    expect(after['3.weight']).not.toBe(before['3.weight']);
  });
});
