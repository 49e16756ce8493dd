import { join } from 'node:path';
import {
  AbortError,
  ArrayDataset,
  compile,
  evaluate,
  losses,
  nn,
  optim,
  readSafetensors,
  seed,
  type Tensor,
  Trainer,
  tensor,
  tidy,
} from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, Classifier, caught, expectCode, goodBatch, survives, temporaryFolder, training } from './support.js';

const folder = temporaryFolder();
const { x, y } = goodBatch();

/** Wide enough that a step takes milliseconds: what happens meanwhile happens while it runs. */
class Wide extends nn.Module {
  first = new nn.Linear(256, 1024);
  second = new nn.Linear(1024, 1024);
  out = new nn.Linear(1024, 3);
  forward(input: Tensor): Tensor {
    return this.out.forward(nn.relu(this.second.forward(nn.relu(this.first.forward(input)))));
  }
}
const wideBatch = () => ({
  x: { data: Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i)), shape: [256, 256] },
  y: { data: Int32Array.from({ length: 256 }, (_, i) => i % 3), shape: [256] },
});

/** The bits after `steps` undisturbed steps of the wide model on its batch. */
async function undisturbed(steps: number): Promise<Record<string, string>> {
  const { model, step } = training(() => new Wide());
  const batch = wideBatch();
  for (let i = 0; i < steps; i++) await step(batch.x, batch.y);
  return bits(model);
}

describe('the buffer of an input', () => {
  it.each<[string, (data: Float32Array) => unknown]>([
    ['detached', (data) => structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })],
    ['overwritten', (data) => data.fill(Number.NaN)],
  ])('%s while its step runs or waits does no harm', async (_, spoil) => {
    const { model, step } = training(() => new Wide());
    for (let i = 0; i < 4; i++) {
      const batch = wideBatch();
      const calls = i
        ? [step(batch.x, batch.y)]
        : [step(batch.x, batch.y), step(batch.x, batch.y), step(batch.x, batch.y), step(batch.x, batch.y)];
      spoil(batch.x.data);
      await Promise.all(calls);
    }
    expect(await bits(model)).toEqual(await undisturbed(7));
  });

  it('resized while its step runs does no harm; too short, it is refused', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    for (let i = 0; i < 3; i++) {
      const buffer = new (ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer & { resize(bytes: number): void })(
        256 * 1024,
        {
          maxByteLength: 512 * 1024,
        },
      );
      const data = new Float32Array(buffer);
      data.set(batch.x.data);
      const running = step({ data, shape: [256, 256] }, batch.y);
      buffer.resize(4);
      await running;
      await expectCode(step({ data, shape: [256, 256] }, batch.y), 'SHAPE_MISMATCH', 'argument [0]');
    }
    expect(await bits(model)).toEqual(await undisturbed(3));
  });

  it('detached before the call is refused', async () => {
    await survives(
      () => new Classifier(),
      async ({ step }) => {
        const gone = goodBatch().x;
        structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
        await expectCode(step(gone, y), 'SHAPE_MISMATCH', 'argument [0]', '96 bytes', 'has 0');
      },
    );
  });

  it('shared between threads is read where it lies', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    const shared = new Float32Array(new SharedArrayBuffer(batch.x.data.byteLength));
    shared.set(batch.x.data);
    await step({ data: shared, shape: [256, 256] }, batch.y);
    expect(await bits(model)).toEqual(await undisturbed(1));
  });
});

describe('a model with steps in flight', () => {
  it('that is given other weights takes them after the steps that were called before, in the very first call too', async () => {
    for (const warm of [0, 1]) {
      seed(99);
      const other = await new Wide().snapshot();
      const { model, step } = training(() => new Wide());
      const batch = wideBatch();
      for (let i = 0; i < warm; i++) await step(batch.x, batch.y);
      const earlier = [step(batch.x, batch.y), step(batch.x, batch.y)];
      model.loadStateDictionary(other);
      const losses = await Promise.all(earlier);
      expect(await bits(model)).toEqual(await bits({ snapshot: async () => other }));
      expect(losses[1]!.loss.item()).not.toBe(losses[0]!.loss.item());
      const spared = training(() => new Wide());
      for (let i = 0; i < warm; i++) await spared.step(batch.x, batch.y);
      expect(losses[0]!.loss.item()).toBe((await spared.step(batch.x, batch.y)).loss.item());
      await step(batch.x, batch.y);
      expect(await bits(model)).not.toEqual(await bits({ snapshot: async () => other }));
    }
  });

  it('whose learning rate is set between two calls uses the rate of each call', async () => {
    const rates = [0.1, 0.5, 0.01, 0.2];
    const queued = training(() => new Classifier());
    const calls = rates.map((rate) => {
      queued.optimizer.learningRate = rate;
      return queued.step(x, y);
    });
    await Promise.all(calls);
    const awaited = training(() => new Classifier());
    for (const rate of rates) {
      awaited.optimizer.learningRate = rate;
      await awaited.step(x, y);
    }
    expect(await bits(queued.model)).toEqual(await bits(awaited.model));
  });

  it('that is saved holds one moment, the one of the call, and trains on', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    await step(batch.x, batch.y);
    const file = join(folder, 'in-flight.safetensors');
    const before = step(batch.x, batch.y);
    const saving = model.save(file);
    const after = step(batch.x, batch.y);
    await Promise.all([before, saving, after]);
    const saved = (await readSafetensors(file)).tensors;
    expect(await bits({ snapshot: async () => saved })).toEqual(await undisturbed(2));
    await step(batch.x, batch.y);
    expect(await bits(model)).toEqual(await undisturbed(4));
  });

  it('that is read, evaluated or moved keeps training', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    await step(batch.x, batch.y);
    const weight = model.first.weight as Tensor;
    const reading = [
      weight.data(),
      weight.evaluate(),
      evaluate(weight, model.out.bias!),
      step(batch.x, batch.y),
      weight.data(),
      step(batch.x, batch.y),
    ];
    await Promise.all(reading);
    await model.to('cpu');
    await step(batch.x, batch.y);
    expect(await bits(model)).toEqual(await undisturbed(4));
  });

  it('that is disposed ends the steps before, and refuses those after', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    await step(batch.x, batch.y);
    const running = [step(batch.x, batch.y), step(batch.x, batch.y)];
    model.dispose();
    for (const { loss } of await Promise.all(running)) expect(loss.item()).toBeGreaterThan(0);
    await expectCode(step(batch.x, batch.y), 'DISPOSED', 'first.weight');
    const { step: fresh } = training(() => new Wide());
    expect((await fresh(batch.x, batch.y)).loss.item()).toBeGreaterThan(0);
  });

  it('that is frozen in part, or grows a layer, is traced anew: steps keep the structure of their call', async () => {
    class Growing extends nn.Module {
      layers: nn.Linear[] = [new nn.Linear(4, 4)];
      out = new nn.Linear(4, 3);
      forward(input: Tensor): Tensor {
        return this.out.forward(this.layers.reduce((h: Tensor, layer) => nn.relu(layer.forward(h)), input));
      }
    }
    const { model, step } = training(() => new Growing());
    await step(x, y);
    const running = step(x, y);
    model.layers.push(new nn.Linear(4, 4));
    await running;
    expect([...model.parameters().keys()]).toContain('layers.1.weight');
    await step(x, y);
    const frozen = await bits(model);
    model.freeze('layers.0.weight');
    await step(x, y);
    model.unfreeze().freeze('layers.0.bias');
    await step(x, y);
    model.unfreeze();
    const after = await bits(model);
    expect(after['layers.0.weight']).not.toEqual(frozen['layers.0.weight']);
    expect(after['layers.1.weight']).not.toEqual(frozen['layers.1.weight']);
    expect(step.plans).toBeGreaterThanOrEqual(4);
  });

  it('that is first used inside tidy keeps its parameters', async () => {
    const { model, optimizer, step } = training(() => new Classifier());
    const output = await tidy(async () => {
      const y1 = model.forward(tensor(x));
      await evaluate(y1);
      const lazy = model.hidden.weight.mul(2);
      await step(x, y);
      void lazy;
      await optimizer.minimize(losses.crossEntropy(model.forward(tensor(x)), tensor(y)));
      return y1;
    });
    expect((await output.data()).length).toBe(18);
    expect((await step(x, y)).loss.item()).toBeGreaterThan(0);
    expect(Object.keys(await bits(model))).toHaveLength(4);
  });
});

describe('abort', () => {
  it('before, during and behind a step changes nothing, names itself and its reason', async () => {
    const batch = wideBatch();
    await survives(
      () => new Wide(),
      async ({ step }) => {
        const early = await caught(step.run([batch.x, batch.y], { signal: AbortSignal.abort('too late') }));
        expect(early).toBeInstanceOf(AbortError);
        expect(early).toMatchObject({ code: 'ABORTED', cause: 'too late' });
        let stopped = 0;
        for (let i = 0; i < 5; i++) {
          const control = new AbortController();
          const running = [0, 1, 2, 3].map(() => caught(step.run([batch.x, batch.y], { signal: control.signal })));
          control.abort(new Error('enough'));
          for (const error of await Promise.all(running)) {
            expect(error, error.message).toBeInstanceOf(AbortError);
            expect((error.cause as Error).message).toBe('enough');
            stopped++;
          }
        }
        expect(stopped).toBe(20);
      },
      batch,
    );
  });

  it('in mid-step either stops the step whole or comes too late', async () => {
    const { model, step } = training(() => new Wide());
    const batch = wideBatch();
    await step(batch.x, batch.y);
    let done = 1;
    for (let i = 0; i < 12; i++) {
      const control = new AbortController();
      const running = step.run([batch.x, batch.y], { signal: control.signal });
      setTimeout(() => control.abort(), i);
      await running.then(
        () => done++,
        (error: unknown) => expect(error).toBeInstanceOf(AbortError),
      );
    }
    expect(await bits(model)).toEqual(await undisturbed(done));
  });

  it('of fit rejects with AbortError, leaves whole steps, and the trainer goes on', async () => {
    const batch = wideBatch();
    const data = new ArrayDataset({ x: { data: batch.x.data, shape: [256, 256] }, y: { data: batch.y.data, shape: [256] } });
    const model = new Wide();
    const trainer = new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.sgd() });
    const control = new AbortController();
    const run = trainer.fit(data, { epochs: 50, batchSize: 32, signal: control.signal });
    const error = await caught(async () => {
      for await (const event of run) if (event.type === 'step' && event.step >= 5) control.abort('seen enough');
    });
    expect(error).toBeInstanceOf(AbortError);
    expect(error.cause).toBe('seen enough');
    const steps = (await trainer.optimizer.step.data())[0]!;
    expect(steps).toBeGreaterThanOrEqual(5);
    expect(steps).toBeLessThan(400);
    await expectCode(trainer.fit(data, { epochs: 1, signal: AbortSignal.abort() }), 'ABORTED');
    expect((await trainer.optimizer.step.data())[0]).toBe(steps);
    await trainer.fit(data, { epochs: 1, batchSize: 32 });
    expect((await trainer.optimizer.step.data())[0]).toBe(steps + 8);
    await expectCode(trainer.evaluate(data, { signal: AbortSignal.abort() }), 'ABORTED');
  });
});

describe('out of memory', () => {
  it('is an error like any other: nothing is lost', async () => {
    const { model, step } = training(() => new Classifier());
    await step(x, y);
    const before = await bits(model);
    const big = compile((input: Tensor) =>
      input
        .sum()
        .broadcastTo([2 ** 22, 2 ** 22])
        .exp(),
    );
    await expectCode(big(x), 'OUT_OF_MEMORY', /bytes|GiB/);
    await expectCode(
      () =>
        tensor(1)
          .broadcastTo([2 ** 22, 2 ** 22])
          .exp()
          .data(),
      'OUT_OF_MEMORY',
      /bytes|GiB/,
    );
    expect(await bits(model)).toEqual(before);
    expect((await step(x, y)).loss.item()).toBeGreaterThan(0);
  });
});
