import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ArrayDataset,
  callbacks,
  compile,
  DataLoader,
  data,
  losses,
  metrics,
  nn,
  normal,
  optim,
  scan,
  SequenceDataset,
  seed,
  type Tensor,
  tensor,
  text,
  Trainer,
  zeros,
} from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, caught, expectCode, temporaryFolder } from './support.js';

const folder = temporaryFolder();
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const all = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of source) found.push(item);
  return found;
};
/** Twenty samples of two features in two classes. */
const samples = () =>
  new ArrayDataset({
    x: { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] },
    y: { data: Int32Array.from({ length: 20 }, (_, i) => i % 2), shape: [20] },
  });
const classifier = () => new nn.Sequential(new nn.Linear(2, 4), nn.relu, new nn.Linear(4, 2));
const trainerOf = (options: object = {}, model = classifier()) =>
  new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.adam({ learningRate: 0.05 }), ...options });
/** Expects a plain TypeError or RangeError whose message holds these words. */
async function expectPlain(action: () => unknown, kind: typeof TypeError | typeof RangeError, ...words: string[]): Promise<void> {
  const error = await caught(action);
  expect(error, error.message).toBeInstanceOf(kind);
  for (const word of words) expect(error.message).toContain(word);
}

describe('layers that are given no tensor', () => {
  it('say what came and where it comes from', async () => {
    const inARow = new nn.Sequential(new nn.LSTM(3, 4) as never, new nn.Linear(4, 2));
    await expectPlain(() => inARow.forward(zeros([2, 5, 3]) as never), TypeError, 'Linear', 'output, last, state', 'LastState');
    await expectPlain(() => new nn.Linear(2, 3).forward([[1, 2]] as never), TypeError, 'Linear', 'Array', 'tensor(...)');
    await expectPlain(() => new nn.Linear(2, 3).forward(5 as never), TypeError, 'Linear', 'number');
    await expectPlain(() => new nn.LSTM(3, 4).forward(zeros([2, 5, 3]), { lengths: [1, 2] as never }), TypeError, 'LSTM', 'lengths');
    await expectPlain(() => new nn.LearnedPosition(4, 8).forward(zeros([1, 2, 8]), { offset: 3 as never }), TypeError, 'offset');
  });
});

describe('shapes', () => {
  it('that cannot be are refused by the op that was called', async () => {
    await expectPlain(() => zeros([2 ** 31, 2 ** 31]), RangeError, '[2147483648, 2147483648]', 'more elements');
    await expectPlain(() => zeros([6]).reshape([-1, -1]), RangeError, 'reshape', '[-1, -1]', 'more than one');
    await expectPlain(() => zeros([6]).sum('0' as never), TypeError, 'sum', 'axes');
    await expectPlain(() => tensor(new Float32Array(2) as never), TypeError, 'Float32Array', 'shape: [2]');
  });

  it('of no steps, no samples and a single one are computed', async () => {
    const gru = new nn.GRU(3, 4, { bidirectional: true });
    expect(await gru.forward(zeros([2, 0, 3])).last.toArray()).toEqual([new Array(8).fill(0), new Array(8).fill(0)]);
    expect((await new nn.MultiHeadAttention(8, 2).forward(zeros([2, 0, 8])).evaluate()).shape).toEqual([2, 0, 8]);
    expect((await new nn.Conv2d(3, 4, 3).forward(zeros([0, 8, 8, 3])).evaluate()).shape).toEqual([0, 6, 6, 4]);
    expect((await gru.forward(normal([2, 1, 3])).last.evaluate()).shape).toEqual([2, 8]);
    const [end] = scan((state: Tensor, x: Tensor) => [state.add(x), state], tensor([7, 8]) as Tensor, zeros([0, 2]) as Tensor);
    expect(await end.toArray()).toEqual([7, 8]);
  });

  it('of padding alone give zeros and no gradient, never NaN', async () => {
    const mha = new nn.MultiHeadAttention(8, 2, { bias: false });
    const x = normal([2, 3, 8]);
    const hidden = tensor([
      [true, true, true],
      [true, true, true],
    ]);
    const y = mha.forward(x, undefined, undefined, { keyPaddingMask: hidden });
    expect(await y.abs().max().toArray()).toBe(0);
    const lengths = tensor([-4, 99], 'int32');
    const { last } = new nn.GRU(8, 4).forward(x, { lengths });
    expect(await last.get(0).abs().max().toArray()).toBe(0);
    expect(Number.isFinite(await last.get(1).sum().toArray())).toBe(true);
  });
});

describe('losses', () => {
  it('with swapped arguments, or labels of the wrong kind, say so', async () => {
    const logits = normal([2, 3]);
    const labels = tensor([0, 1], 'int32');
    await expectCode(() => losses.crossEntropy(labels as never, logits), 'SHAPE_MISMATCH', 'int32[2]', 'swapped');
    await expectCode(() => losses.crossEntropy(logits, labels.cast('float32')), 'DTYPE_MISMATCH', "cast('int32')");
    await expectCode(trainerOf({ loss: () => normal([3]) }).fit(samples(), { epochs: 1 }), 'SHAPE_MISMATCH', 'scalar', 'float32[3]');
    await expectPlain(
      async () => trainerOf({ loss: () => undefined }).fit(samples(), { epochs: 1 }),
      TypeError,
      'loss must return',
      'undefined',
    );
  });
});

describe('a loss that no parameter enters', () => {
  it('is refused: nothing would be learnt', async () => {
    const model = new nn.Linear(2, 2);
    const optimizer = optim.sgd({ learningRate: 0.1 }).for(model);
    const step = compile({ state: [model, optimizer] }, (x: Tensor) => {
      const loss = model.forward(x).detach().square().mean();
      optimizer.minimize(loss);
      return { loss };
    });
    await expectCode(() => step(tensor([[1, 2]])), 'NOT_DIFFERENTIABLE', 'none of the model', 'detached');
  });
});

describe('callbacks', () => {
  it('that are none, or have a hook that is never called, are refused before training', async () => {
    const fitWith = (list: unknown) => () => trainerOf().fit(samples(), { epochs: 1, callbacks: list as never });
    await expectPlain(fitWith(callbacks.earlyStopping()), TypeError, 'list');
    await expectPlain(fitWith([callbacks.earlyStopping]), TypeError, 'earlyStopping', 'call it');
    await expectPlain(fitWith(['x']), TypeError, 'callbacks[0]', 'string');
    await expectCode(fitWith([{ onEpochEnds() {} }]), 'UNKNOWN_OPTION', 'onEpochEnd"?');
    await expectPlain(() => trainerOf().fit(samples(), undefined as never), RangeError, 'epochs');
  });

  it('that reject reject the run once, whatever hook it is', async () => {
    for (const hook of ['onFitStart', 'onEpochStart', 'onStep', 'onEvaluate', 'onEpochEnd', 'onFitEnd']) {
      const callback = {
        [hook]: async () => {
          throw new Error(`thrown by ${hook}`);
        },
      };
      const trainer = trainerOf();
      const error = await caught(trainer.fit(samples(), { epochs: 2, validation: samples(), callbacks: [callback] }));
      expect(error.message).toBe(`thrown by ${hook}`);
      await trainer.fit(samples(), { epochs: 1 });
    }
  });

  it.each(['onFitStart', 'onStep', 'onEpochEnd'])('that never resolve (%s) do not outlive the signal', async (hook) => {
    const control = new AbortController();
    const callback = {
      [hook]: () => {
        setTimeout(() => control.abort(), 20);
        return new Promise<void>(() => {});
      },
    };
    const trainer = trainerOf();
    await expectCode(trainer.fit(samples(), { epochs: 2, signal: control.signal, callbacks: [callback] }), 'ABORTED', 'callback');
    await trainer.fit(samples(), { epochs: 1 });
  });

  it('that look for a figure which is not there name those that are', async () => {
    const stopping = callbacks.earlyStopping({ monitor: 'validation.los' });
    await expectCode(
      trainerOf().fit(samples(), { epochs: 1, validation: samples(), callbacks: [stopping] }),
      'INVALID_ARGUMENT',
      'validation.loss',
    );
  });
});

describe('metrics', () => {
  it('of one name, or that give no number, are refused', async () => {
    await expectCode(() => trainerOf({ metrics: ['accuracy', 'accuracy'] }), 'INVALID_ARGUMENT', '"accuracy"');
    await expectCode(() => trainerOf({ metrics: [{ name: 'loss', sum: (x: Tensor) => x.sum() }] }), 'INVALID_ARGUMENT', '"loss"');
    const vector = trainerOf({ metrics: [{ name: 'all', sum: (x: Tensor) => x }] });
    await expectPlain(async () => vector.fit(samples(), { epochs: 1 }), TypeError, '"all"', 'float32[20, 2]');
    await expectPlain(() => metrics.bleu('a' as never, 'a' as never), TypeError, 'bleu', '[[reference]]');
  });
});

describe('streams', () => {
  it('that never give the next batch do not outlive the signal', async () => {
    const control = new AbortController();
    const stuck = async function* () {
      yield samples().get([0, 1]);
      setTimeout(() => control.abort(new Error('enough')), 20);
      await new Promise(() => {});
    };
    const trainer = trainerOf();
    const error = await expectCode(trainer.fit(stuck as never, { epochs: 3, signal: control.signal }), 'ABORTED', 'batch');
    expect((error.cause as Error).message).toBe('enough');
    await trainer.fit(samples(), { epochs: 1 });
  });

  it('that throw end the run with their own error', async () => {
    const broken = async function* () {
      yield samples().get([0, 1]);
      throw new Error('the cable was cut');
    };
    expect((await caught(trainerOf().fit(broken as never, { epochs: 1 }))).message).toBe('the cable was cut');
  });
});

describe('datasets of your own', () => {
  const schema = { x: { shape: [2], dtype: 'float32' } } as const;
  class Own extends data.Dataset<typeof schema> {
    readonly length: number = 3;
    readonly schema = schema;
    constructor(readonly answer: (count: number) => unknown) {
      super();
    }
    override get(indices: data.Indices): never {
      return this.answer(indices.length) as never;
    }
  }
  const rows = (count: number) => ({ x: { data: new Float32Array(2 * count).fill(5), shape: [count, 2], dtype: 'float32' } });

  it('may make arrays of their own instead of filling those that are given', async () => {
    const [batch] = await all(new DataLoader(new Own(rows), { batchSize: 3 }));
    expect([...batch!.x.data]).toEqual([5, 5, 5, 5, 5, 5]);
    const later = new Own(async (count) => rows(count));
    expect([...(await all(new DataLoader(later, { batchSize: 2 }))).map(({ x }) => x.data.length)]).toEqual([4, 2]);
    const mapped = new Own(rows).map(schema, ((_: unknown, out: { x: { data: Float32Array } }) => rows(out.x.data.length / 2)) as never);
    expect([...(await mapped.get([0])).x.data]).toEqual([5, 5]);
  });

  it('that give no batch, a shorter one or another type are named', async () => {
    const read = (answer: (count: number) => unknown) => () => all(new DataLoader(new Own(answer), { batchSize: 3 }));
    await expectCode(
      read(() => undefined),
      'SHAPE_MISMATCH',
      'Own.get',
      '"x"',
    );
    await expectCode(
      read(() => rows(1)),
      'SHAPE_MISMATCH',
      'Own.get',
      'float32[3, 2]',
      '6 elements',
      '2',
    );
    await expectCode(
      read(() => ({ x: { data: new Float64Array(6) } })),
      'DTYPE_MISMATCH',
      'Own.get',
      'Float64Array',
    );
    class Endless extends Own {
      override readonly length = undefined as never;
    }
    await expectPlain(() => new DataLoader(new Endless(rows)), TypeError, 'Endless', 'length');
  });
});

describe('samplers', () => {
  it('that are none are told from those that give nothing', async () => {
    await expectPlain(() => new DataLoader(samples(), { sampler: [0, 1] as never }), TypeError, 'sampler', 'order');
    await expectCode(
      () => new DataLoader(samples(), { sampler: { length: 0, order: () => new Uint32Array() } }),
      'INVALID_ARGUMENT',
      'no samples',
    );
  });
});

describe('sequences, tables and files', () => {
  it('with fractions where whole numbers belong are refused, not cut', async () => {
    await expectCode(() => new SequenceDataset({ ids: [[1], [2, 0.5]] }), 'DTYPE_MISMATCH', 'step 1 of sample 1 of ids', '0.5');
    await expectCode(() => new SequenceDataset({ ids: [[1], [2]], y: [0, 0.5] }), 'DTYPE_MISMATCH', 'sample 1 of y', 'Float32Array');
    await expectCode(() => new SequenceDataset({ ids: ['ab'] as never }), 'DTYPE_MISMATCH', 'is a,');
  });

  it('with two columns of one name, lists in cells, no features, or NaN as text', async () => {
    await expectCode(all(data.readCsv(file('twice.csv', 'a,a\n1,2\n'))), 'FILE_CORRUPT', 'twice.csv', '"a"');
    await expectCode(data.fitTable([{ a: [1], b: 'x' }], { target: 'b' }), 'INVALID_ARGUMENT', 'row 1', 'a list in a');
    await expectCode(data.fitTable([{ b: 'x' }], { target: 'b' }), 'INVALID_ARGUMENT', '"b"', 'no column');
    await expectCode(data.fitTable([{ a: 'nan', b: 'x' }], { target: 'b' }), 'INVALID_ARGUMENT', 'row 1 has no a');
    const filled = await data.fitTable(
      [
        { a: 'NaN', b: 'x' },
        { a: '3', b: 'y' },
      ],
      { target: 'b', missing: 'mean' },
    );
    expect(filled.features[0]).toMatchObject({ name: 'a', mean: 3 });
  });

  it('of images that are none, without a size, or of size 0', async () => {
    for (const name of ['a', 'b']) mkdirSync(join(folder, 'images', name), { recursive: true });
    file('images/a/1.png', 'no image');
    file('images/b/1.png', '');
    const images = await data.imageFolder(join(folder, 'images'), { size: [4, 4] });
    await expectCode(all(new DataLoader(images)), 'FILE_CORRUPT', '1.png', 'no image');
    await expectPlain(() => data.imageFolder(join(folder, 'images'), undefined as never), TypeError, 'size: [height, width]');
    await expectPlain(() => data.imageFolder(join(folder, 'images'), { size: [0, 4] }), RangeError, 'height');
  });

  it('of texts that are none', async () => {
    await expectPlain(() => text.trainBpe([5] as never, { vocabularySize: 300 }), TypeError, 'trainBpe', 'strings', 'number');
  });
});

describe('logs and checkpoints', () => {
  it('on a device or on a disk that is full reject the run; the model and what stands there stay', async () => {
    const trainer = trainerOf();
    const fitWith = (options: object) => trainer.fit(samples(), { epochs: 1, ...options });
    const log = callbacks.csvLogger('/dev/full');
    await expectCode(fitWith({ callbacks: [log] }), 'IO_FAILED', '/dev/full', 'no regular file');
    await expectCode(fitWith({ callbacks: [callbacks.jsonLinesLogger(folder)] }), 'IO_FAILED', folder);
    const inTheWay = file('in-the-way', '');
    await expectCode(fitWith({ checkpoint: { folder: inTheWay } }), 'IO_FAILED', inTheWay);
    await expectCode(fitWith({ callbacks: [callbacks.tensorBoard(join(inTheWay, 'board'))] }), 'IO_FAILED', inTheWay);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
    await trainer.fit(samples(), { epochs: 1 });
  });
});

describe('abort in the middle', () => {
  /** Aborts calls at several moments; the state holds the bits of whole steps only, and the next step works. */
  async function keepsWhole<A extends unknown[]>(
    make: () => {
      state: { snapshot(): Promise<Map<string, { data: ArrayBufferView }>> }[];
      step: { run(args: A, options?: object): Promise<unknown> };
      args: A;
    },
  ): Promise<void> {
    const digest = async (state: Parameters<typeof bits>[0][]) => Promise.all(state.map(bits));
    const spared = make();
    const steps = [await digest(spared.state)];
    for (let i = 0; i < 6; i++) {
      await spared.step.run(spared.args);
      steps.push(await digest(spared.state));
    }
    const { state, step, args } = make();
    // First use in the same order: weights are drawn by the number of their model.
    expect(await digest(state)).toEqual(steps[0]);
    let done = 0;
    for (const delay of [0, 0.2, 1, 3]) {
      const control = new AbortController();
      const running = step.run(args, { signal: control.signal });
      const behind = step.run(args, { signal: control.signal });
      setTimeout(() => control.abort(), delay);
      for (const { status, reason } of (await Promise.allSettled([running, behind])) as PromiseRejectedResult[]) {
        if (status === ('fulfilled' as string)) done++;
        else expect(reason.code).toBe('ABORTED');
      }
      if (done > 4) break;
      expect(await digest(state)).toEqual(steps[done]);
    }
    await step.run(args);
    if (done < 6) expect(await digest(state)).toEqual(steps[done + 1]);
  }

  it('of a loop, forward and backward, keeps whole steps', () =>
    keepsWhole(() => {
      seed(3);
      const cell = new nn.GRUCell(8, 32);
      const optimizer = optim.adam().for(cell);
      const step = compile({ state: [cell, optimizer] }, (x: Tensor) => {
        const [end] = scan((h: Tensor, at: Tensor) => [cell.forward(at as never, h as never) as Tensor, h], zeros([16, 32]) as Tensor, x);
        const loss = end.square().mean();
        void optimizer.minimize(loss);
        return loss;
      });
      return { state: [cell, optimizer], step: step as never, args: [normal([200, 16, 8])] };
    }));

  it('of attention that writes into a cache keeps its rows and its position', () =>
    keepsWhole(() => {
      seed(3);
      const model = new nn.TransformerEncoder(2, 32, 4, { causal: true, rotary: true, hiddenSize: 64 }).eval();
      const caches = model.newCaches(1, 512);
      const step = compile({ state: [model, ...caches] }, (x: Tensor) => model.forward(x as never, { caches }) as Tensor);
      // What lies behind the position is no content: a step that was stopped may have begun to write there.
      const state = caches.map((cache) => ({
        async snapshot() {
          const rows = Number((await cache.length())[0]);
          const content = [...(await cache.snapshot())].filter(([name]) => name !== 'position');
          const pairs = content.map(([name, { data, shape }]) => {
            const [batch, capacity] = shape as [number, number];
            const row = data.byteLength / batch / capacity;
            const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
            return [name, { data: bytes.slice(0, rows * row) }] as const;
          });
          return new Map<string, { data: ArrayBufferView }>([...pairs, ['rows', { data: Int32Array.of(rows) }]]);
        },
      }));
      return { state: state as never, step: step as never, args: [normal([1, 60, 32])] };
    }));

  it('of accumulated gradients keeps those of whole steps', () =>
    keepsWhole(() => {
      seed(3);
      const model = new nn.Sequential(new nn.Linear(64, 256), nn.relu, new nn.Linear(256, 4));
      const optimizer = optim.adamW({ accumulate: 3, clipNorm: 1 }).for(model);
      const step = compile({ state: [model, optimizer] }, (x: Tensor) => {
        const loss = (model.forward(x as never) as Tensor).square().mean();
        void optimizer.minimize(loss);
        return loss;
      });
      return { state: [model, optimizer], step: step as never, args: [normal([256, 64])] };
    }));
});
