import { compile, losses, nn, optim, type PolluxError, type Tensor, Trainer, ArrayDataset, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, Classifier, caught, expectCode, goodBatch, survives, training } from './support.js';

/** A classifier whose middle takes a logarithm: NaN for negative numbers. */
class Logarithmic extends nn.Module {
  hidden = new nn.Linear(4, 8);
  middle = new Log();
  out = new nn.Linear(8, 3);
  forward(x: Tensor): Tensor {
    return this.out.forward(
      this.middle.forward(
        this.hidden
          .forward(x)
          .square()
          .add(x.sum(-1, { keepDims: true })),
      ),
    );
  }
}
class Log extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.log();
  }
}

describe('labels', () => {
  it.each([3, -1, 2 ** 31 - 1])('of class %i of 3 name the label and its row, and change nothing', async (label) => {
    const { x, y } = goodBatch();
    await survives(
      () => new Classifier(),
      async ({ step }) => {
        const labels = y.data.slice();
        labels[4] = label;
        await expectCode(
          step(x, { data: labels, shape: [6] }),
          'LABEL_OUT_OF_RANGE',
          'crossEntropy',
          `label ${label}`,
          'row 4',
          'Nothing was changed',
        );
      },
    );
  });

  it('are refused in evaluate, too', async () => {
    const trainer = new Trainer(new Classifier(), { loss: losses.crossEntropy, optimizer: optim.sgd() });
    const bad = new ArrayDataset({ x: { data: new Float32Array(8), shape: [2, 4] }, y: { data: Int32Array.of(0, 9), shape: [2] } });
    await expectCode(trainer.evaluate(bad), 'LABEL_OUT_OF_RANGE', 'label 9', 'row 1');
    await expectCode(trainer.fit(bad, { epochs: 1 }), 'LABEL_OUT_OF_RANGE', 'label 9');
  });
});

describe('indices', () => {
  it('outside of their axis name index and element', async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]) as Tensor;
    await expectCode(
      () =>
        x
          .at(tensor([0, 5], 'int32'))
          .get()
          .data(),
      'INDEX_OUT_OF_RANGE',
      'Index 5',
      'element 1',
    );
    expect(() => x.at(2).get()).toThrow(RangeError);
    expect(() => x.at(2).get()).toThrow(/index 2 is outside axis 0/);
  });
});

describe('NaN and infinity', () => {
  it.each([NaN, Infinity, -Infinity])('in the data (%d): the argument and the element are named, nothing is committed', async (value) => {
    const { x, y } = goodBatch();
    const data = x.data.slice();
    data[9] = value;
    await survives(
      () => new Classifier(),
      async ({ step }) => {
        await expectCode(step({ data, shape: [6, 4] }, y), 'NOT_FINITE', 'argument [0]', String(value), '[2, 1]', 'Nothing was changed');
        await expectCode(step(tensor({ data, shape: [6, 4] }), y), 'NOT_FINITE', 'argument [0]', String(value), '[2, 1]');
      },
    );
  });

  it('made inside the model: step, op, layer and element are named, and the line that built it', async () => {
    const { y } = goodBatch();
    const good = { data: Float32Array.from({ length: 24 }, (_, i) => 1 + i / 24), shape: [6, 4] as const };
    const bad = { data: good.data.slice(), shape: [6, 4] as const };
    bad.data.fill(-1e4, 12, 16);
    await survives(
      () => new Logarithmic(),
      async ({ step }) => {
        const error = await expectCode(step(bad, y), 'NOT_FINITE', /^log in middle/, /step \d+/, 'float32[6, 8]', 'Nothing was changed');
        expect(error.message).toMatch(/element \[3, \d\]/);
        expect(error.message).toContain('badInputValues.test.ts');
      },
      { x: good, y },
    );
  });

  it('is named with debug: true as well', async () => {
    const { x } = goodBatch();
    const step = compile({ debug: true }, (input: Tensor) => input.sub(5).log().mean());
    await expectCode(step(x), 'NOT_FINITE', /^log/, 'element [0, 0]');
  });

  it('in an infinite loss of a huge learning rate stops training, with finite parameters', async () => {
    const { model, optimizer, step } = training(() => new Classifier(), optim.sgd({ learningRate: 1e38 }));
    const { x, y } = goodBatch();
    const error = await caught(async () => {
      for (let i = 0; i < 20; i++) await step(x, y);
    });
    expect((error as PolluxError).code).toBe('NOT_FINITE');
    const before = await bits(model);
    await expectCode(step(x, y), 'NOT_FINITE');
    expect(await bits(model)).toEqual(before);
    optimizer.learningRate = 0.01;
    expect(model.parameters().size).toBe(4);
  });

  it('in an eager step changes nothing', async () => {
    const { model, optimizer } = training(() => new Classifier());
    const { x, y } = goodBatch();
    const bad = x.data.slice();
    bad[0] = NaN;
    const before = await bits(model);
    await expectCode(
      optimizer.minimize(losses.crossEntropy(model.forward(tensor({ data: bad, shape: [6, 4] })), tensor(y))),
      'NOT_FINITE',
      'minimize',
      'Nothing was changed',
    );
    expect(await bits(model)).toEqual(before);
    await optimizer.minimize(losses.crossEntropy(model.forward(tensor(x)), tensor(y)));
    expect(await bits(model)).not.toEqual(before);
  });

  it('in the validation or the middle of an epoch: fit reports it and the model is as after the last good step', async () => {
    const data = Float32Array.from({ length: 40 * 4 }, (_, i) => Math.sin(i));
    data[25 * 4] = NaN;
    const make = () =>
      new ArrayDataset({ x: { data, shape: [40, 4] }, y: { data: Int32Array.from({ length: 40 }, (_, i) => i % 3), shape: [40] } });
    const model = new Classifier();
    const trainer = new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.sgd({ learningRate: 0.1 }) });
    await expectCode(trainer.fit(make(), { epochs: 1, batchSize: 10, shuffle: false }), 'NOT_FINITE', 'element [5, 0]');
    expect(await trainer.optimizer.step.data()).toEqual(Float32Array.of(2));
    const sound = make().take(20);
    await trainer.fit(sound, { epochs: 1, batchSize: 10 });
    expect(await trainer.optimizer.step.data()).toEqual(Float32Array.of(4));
  });
});

describe('steps queued behind a failed one', () => {
  it('reject with the same code, unrun; later ones run', async () => {
    const { x, y } = goodBatch();
    const bad = { data: x.data.slice(), shape: x.shape };
    bad.data[0] = NaN;
    await survives(
      () => new Classifier(),
      async ({ step }) => {
        const calls = [step(bad, y), step(x, y), step(x, y), step(x, y)];
        const errors = await Promise.all(calls.map((call) => caught(call)));
        expect(errors.map((error) => (error as PolluxError).code)).toEqual(Array(4).fill('NOT_FINITE'));
        expect(errors[0]!.message).toContain('argument [0]');
        for (const error of errors.slice(1)) {
          expect(error.message).toContain('did not run, since an earlier step on the same state failed');
          expect(error.cause).toBe(errors[0]);
        }
      },
    );
  });
});
