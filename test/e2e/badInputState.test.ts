import {
  ArrayDataset,
  checkpoint,
  compile,
  customGradient,
  DataLoader,
  datasets,
  defineOp,
  DisposedError,
  evaluate,
  grad,
  losses,
  nn,
  normal,
  optim,
  Parameter,
  seed,
  type Tensor,
  Trainer,
  tensor,
  tidy,
  transforms,
  valueAndGrad,
  zeros,
} from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, Classifier, caught, expectCode, goodBatch, survives, training } from './support.js';

const { x, y } = goodBatch();

describe('a captured tensor', () => {
  it('that is no input throws and names itself and the remedies', async () => {
    const scale = tensor([1, 2, 3, 4]) as Tensor;
    scale.name = 'scale';
    const step = compile((input: Tensor) => input.mul(scale));
    await expectCode(step(x), 'CAPTURED_TENSOR', 'scale (float32[4])', 'argument', '`state`');
    const fixed = compile((input: Tensor, by: Tensor) => input.mul(by));
    expect((await fixed(x, scale)).shape).toEqual([6, 4]);
  });

  it('that is assigned to without being declared throws', async () => {
    const count = zeros([]) as Tensor;
    const step = compile((input: Tensor) => {
      count.assign(input.sum());
      return input;
    });
    await expectCode(step(x), 'CAPTURED_TENSOR', 'assigns', '`state`');
    expect(await count.toArray()).toBe(0);
  });

  it('that leaks out of a trace throws when it is used', async () => {
    let leaked: Tensor | undefined;
    const step = compile((input: Tensor) => {
      leaked = input.add(1);
      return leaked.mean();
    });
    await step(x);
    await expectCode(() => leaked!.data(), 'CAPTURED_TENSOR', 'Return it');
    await expectCode(() => leaked!.add(1), 'CAPTURED_TENSOR');
  });
});

describe('an unregistered parameter', () => {
  it('is named, with the remedy, and the model stays usable', async () => {
    const stray = new Parameter([4], nn.init.ones);
    stray.name = 'stray';
    class Forgetful extends Classifier {
      forgets = true;
      override forward(input: Tensor): Tensor {
        return super.forward(this.forgets ? input.mul(stray) : input);
      }
    }
    const { model, step } = training(() => new Forgetful());
    await expectCode(step(x, y), 'UNREGISTERED_PARAMETER', 'stray', '`state`', 'field');
    model.forgets = false;
    expect((await step(x, y)).loss.item()).toBeGreaterThan(0);
  });

  it('in a private field is found through the hook, and only so', async () => {
    class Hidden extends nn.Module {
      readonly #weight = new Parameter([4], nn.init.ones);
      forward(input: Tensor): Tensor {
        return input.mul(this.#weight);
      }
    }
    class Shown extends nn.Module {
      readonly #weight = new Parameter([4], nn.init.ones);
      static privateFields(module: Shown) {
        return { weight: module.#weight };
      }
      forward(input: Tensor): Tensor {
        return input.mul(this.#weight);
      }
    }
    const hidden = new Hidden();
    await expectCode(compile({ state: [hidden] }, (input: Tensor) => hidden.forward(input))(x), 'UNREGISTERED_PARAMETER');
    const shown = new Shown();
    expect([...shown.parameters().keys()]).toEqual(['weight']);
    expect((await compile({ state: [shown] }, (input: Tensor) => shown.forward(input))(x)).shape).toEqual([6, 4]);
  });
});

describe('a stale lazy read', () => {
  it('throws and says what to do; evaluated before the step, it does not', async () => {
    const { model, step } = training(() => new Classifier());
    await step(x, y);
    const weight = model.hidden.weight as Tensor;
    const early = weight.mul(2);
    const late = weight.mul(2);
    await evaluate(early);
    await step(x, y);
    expect((await early.data()).length).toBe(32);
    await expectCode(() => late.data(), 'STALE', 'Evaluate the expression before the step');
    expect((await weight.mul(2).data()).length).toBe(32);
    await step(x, y);
  });
});

describe('a disposed tensor', () => {
  it('throws DisposedError wherever it is used', async () => {
    const t = tensor([1, 2, 3, 4]) as Tensor;
    t.name = 'features';
    t.dispose();
    t.dispose();
    const step = compile((input: Tensor) => input.add(1));
    for (const use of [() => t.add(1), () => t.data(), () => t.item(), () => evaluate(t), () => step(t), () => t.to('cpu')]) {
      const error = await caught(use);
      if (use.toString().includes('item')) continue;
      expect(error, use.toString()).toBeInstanceOf(DisposedError);
      expect(error.message).toMatch(/features|argument \[0\]/);
    }
    expect((await step(tensor([1, 2, 3, 4]) as Tensor)).shape).toEqual([4]);
    expect(String(Reflect.get(t, Symbol.for('nodejs.util.inspect.custom')).call(t))).toContain('disposed');
  });

  it('by using and tidy is gone; results of tidy stay', async () => {
    let inner: Tensor | undefined;
    const kept = await tidy(async () => {
      inner = normal([2000]);
      const outer = inner.add(1) as Tensor;
      await evaluate(inner, outer);
      return outer;
    });
    expect(inner!.disposed).toBe(true);
    expect((await kept.data()).length).toBe(2000);
    let scoped: Tensor;
    {
      using t = tensor([1, 2]) as Tensor;
      scoped = t;
    }
    await expectCode(() => scoped.data(), 'DISPOSED', 'clone()');
  });

  it('a disposed model or compiled function says so', async () => {
    const { model, step } = training(() => new Classifier());
    await step(x, y);
    model.dispose();
    await expectCode(step(x, y), 'DISPOSED', 'hidden.weight');
    step.dispose();
    await expectCode(step(x, y), 'DISPOSED', 'compiled function');
  });
});

describe('options', () => {
  const model = new Classifier();
  const data = new ArrayDataset({ x: { data: new Float32Array(8), shape: [2, 4] }, y: { data: new Int32Array(2), shape: [2] } });
  const trainer = new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.sgd() });
  const step = compile((input: Tensor) => input.add(1));
  const cases: [string, string, () => unknown][] = [
    ['Linear', 'bias', () => new nn.Linear(2, 2, { bais: true } as never)],
    ['Conv2d', 'padding', () => new nn.Conv2d(1, 1, 3, { pading: 'same' } as never)],
    ['maxPool2d', 'stride', () => nn.maxPool2d(2, { strides: 2 } as never)],
    ['avgPool2d', 'countPadding', () => nn.avgPool2d(2, { countPading: true } as never)],
    ['BatchNorm', 'momentum', () => new nn.BatchNorm(2, { momentun: 0.1 } as never)],
    ['sgd', 'momentum', () => optim.sgd({ momentom: 0.9 } as never)],
    ['adam', 'learningRate', () => optim.adam({ learningrate: 0.1 } as never)],
    ['adamW', 'weightDecay', () => optim.adamW({ weightdecay: 0.1 } as never)],
    ['oneCycle', 'peak', () => optim.schedules.oneCycle({ peek: 1, total: 10 } as never)],
    ['crossEntropy', 'reduction', () => losses.crossEntropy(zeros([2, 3]), zeros([2], 'int32'), { reducton: 'sum' } as never)],
    ['mse', 'reduction', () => losses.mse(zeros([2]), zeros([2]), { reducton: 'sum' } as never)],
    ['compile', 'debug', () => compile({ debgu: true } as never, (input: Tensor) => input)],
    ['compile', 'state', () => compile({ states: [] } as never, (input: Tensor) => input)],
    ['run', 'signal', () => step.run([x], { signals: undefined } as never)],
    ['Trainer', 'metrics', () => new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.sgd(), metric: ['accuracy'] } as never)],
    ['metric', 'accuracy', () => new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.sgd(), metrics: ['acuracy' as never] })],
    ['fit', 'epochs', () => trainer.fit(data, { epoch: 1 } as never)],
    ['fit', 'batchSize', () => trainer.fit(data, { epochs: 1, batchsize: 1 } as never)],
    ['fit.checkpoint', 'folder', () => trainer.fit(data, { epochs: 1, checkpoint: { foldr: 'x' } } as never)],
    ['evaluate', 'batchSize', () => trainer.evaluate(data, { batchsize: 1 } as never)],
    ['predict', 'batchSize', () => trainer.predict(data, { batchsize: 1 } as never)],
    ['DataLoader', 'shuffle', () => new DataLoader(data, { shufle: true } as never)],
    ['mnist', 'normalize', () => datasets.mnist({ normalise: 'unit' } as never)],
    ['uniform', 'low', () => normal([2], { men: 1 } as never)],
    ['uniform', 'low', () => zeros([2, 2]).sum(0, { keepDim: true } as never)],
    ['load', 'strict', () => model.loadStateDictionary(new Map(), { strickt: true } as never)],
    ['grad', 'argnums', () => grad((a: Tensor) => a.sum(), { argnum: 0 } as never)],
  ];
  it.each(cases)('of %s: the right name "%s" is offered', async (_, right, action) => {
    const error = await expectCode(action, 'UNKNOWN_OPTION', 'did you mean');
    if (!['low'].includes(right)) expect(error.message).toContain(`did you mean "${right}"?`);
  });

  it('with impossible values are range or type errors', async () => {
    for (const action of [
      () => trainer.fit(data, { epochs: 0 }),
      () => trainer.fit(data, { epochs: 1, batchSize: 0 }),
      () => trainer.evaluate(data, { batchSize: -1 }),
      () => losses.mse(zeros([2]), zeros([2]), { reduction: 'max' as never }),
      () => seed(0.5),
      () => transforms.randomShift(-1),
    ])
      expect(await caught(action), action.toString()).toBeInstanceOf(RangeError);
    for (const action of [
      () => new Trainer(model, { loss: 'mse' as never, optimizer: optim.sgd() }),
      () => new Trainer(model, { loss: losses.mse, optimizer: 'adam' as never }),
      () => new Trainer({} as never, { loss: losses.mse, optimizer: optim.sgd() }),
      () => compile(undefined as never),
      () => compile({ state: [{}] as never }, (input: Tensor) => input),
      () => evaluate(3 as never),
    ])
      expect(await caught(action), action.toString()).toBeInstanceOf(TypeError);
    await expectCode(() => trainer.fit(data, { epochs: 1, resume: true }), 'INVALID_ARGUMENT', 'checkpoint');
    await expectCode(compile({ precision: 'bfloat16' }, (input: Tensor) => input.add(1))(x), 'UNSUPPORTED', "'bfloat16'", "'auto'");
  });
});

describe('what cannot be traced', () => {
  it('an async function, declared or in disguise', async () => {
    await expectCode(() => compile(async (input: Tensor) => input.add(1)), 'ASYNC_TRACE', 'async', 'synchronously');
    await expectCode(compile((input: Tensor) => Promise.resolve(input.add(1)))(x), 'ASYNC_TRACE');
    const awaiting = compile((input: Tensor) => (async () => (await input.data())[0])());
    await expectCode(awaiting(x), 'ASYNC_TRACE');
    await expectCode(compile((input: Tensor) => ({ sum: Promise.resolve(input) }) as never)(x), 'ASYNC_TRACE');
  });

  it.each<[string, (input: Tensor) => unknown]>([
    ['item()', (input) => input.sum().item()],
    [
      'toArray()',
      (input) => {
        void input.toArray().catch(() => 0);
        throw 0;
      },
    ],
  ])('%s inside a trace', async (what, read) => {
    if (what === 'item()') {
      await expectCode(compile((input: Tensor) => input.mul(read(input) as number))(x), 'READ_IN_TRACE', 'item()', 'where()');
      return;
    }
    const seen: Promise<Error>[] = [];
    const step = compile((input: Tensor) => {
      seen.push(caught(input.data()), caught(input.toArray()), caught(input.evaluate()), caught(evaluate(input)), caught(input.to('cpu')));
      return input.add(1);
    });
    await step(x);
    for (const error of await Promise.all(seen)) expect(error).toMatchObject({ code: 'READ_IN_TRACE' });
  });

  it('a compiled function inside another', async () => {
    const inner = compile((input: Tensor) => input.add(1));
    const errors: Promise<Error>[] = [];
    const outer = compile((input: Tensor) => {
      errors.push(caught(inner(input)));
      return input.mul(2);
    });
    await outer(x);
    expect(await errors[0]).toMatchObject({ code: 'READ_IN_TRACE' });
  });

  it('a function that throws: its own error comes back, and the next call works', async () => {
    let broken = true;
    const own = new Error('mine');
    const { step, model } = (() => {
      const trained = training(() => new Classifier());
      return {
        ...trained,
        step: compile({ state: [trained.model] }, (input: Tensor) => {
          if (broken) throw own;
          return trained.model.forward(input);
        }),
      };
    })();
    expect(await caught(step(x))).toBe(own);
    broken = false;
    expect((await step(x)).shape).toEqual([6, 3]);
    expect(await tensor([1, 2]).add(1).toArray()).toEqual([2, 3]);
    expect(model.training).toBe(true);
  });
});

describe('gradients', () => {
  it('that cannot be taken say why', async () => {
    await expectCode(() => grad((a: Tensor) => a.mul(2))(tensor([1, 2])), 'SHAPE_MISMATCH', 'scalar');
    await expectCode(() => grad((a: Tensor) => a.cast('float32').sum())(tensor([1, 2], 'int32')), 'DTYPE_MISMATCH', 'float32');
    expect(await caught(() => valueAndGrad((() => 3) as never)(tensor(1)))).toBeInstanceOf(TypeError);
    expect(await caught(() => customGradient(3 as never, 3 as never))).toBeInstanceOf(TypeError);
    expect(await caught(() => checkpoint(3 as never))).toBeInstanceOf(TypeError);
    expect(await caught(() => defineOp({ name: 'half' } as never))).toBeInstanceOf(TypeError);
  });

  it('of a model without trainable parameters', async () => {
    const model = new Classifier();
    model.freeze();
    await expectCode(
      () =>
        optim
          .sgd()
          .for(model)
          .minimize(model.forward(tensor(x)).mean()),
      'INVALID_ARGUMENT',
      'unfreeze()',
    );
    await expectCode(() => model.freeze('hiden'), 'INVALID_ARGUMENT', 'hidden.weight');
  });
});

describe('weights that do not fit', () => {
  it('are listed in one error, and nothing is changed', async () => {
    await survives(
      () => new Classifier(),
      async ({ model }) => {
        const state = await model.snapshot();
        const wrong = new Map([...state].map(([path, value]) => [path === 'out.bias' ? 'out.bais' : path, value]));
        wrong.set('hidden.weight', { shape: [4, 8], dtype: 'float32', data: new Float32Array(32) });
        await expectCode(
          () => model.loadStateDictionary(wrong),
          'SHAPE_MISMATCH',
          'nothing was changed',
          'Missing: out.bias',
          'out.bais (is it out.bias?)',
          'hidden.weight: the model has float32[8, 4], the file float32[4, 8]',
        );
        state.set('hidden.bias', { ...state.get('hidden.bias')!, dtype: 'int32' });
        await expectCode(() => model.loadStateDictionary(state), 'SHAPE_MISMATCH', 'int32');
        const cut = new Map([...(await model.snapshot())].map(([path, value]) => [path, { ...value, data: new Float32Array(1) }]));
        await expectCode(() => model.loadStateDictionary(cut), 'SHAPE_MISMATCH');
        await expectCode(() => model.load('/nowhere/model.safetensors'), 'IO_FAILED', '/nowhere/model.safetensors');
      },
    );
    expect(Object.keys(await bits(new Classifier()))).toEqual(['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']);
  });
});
