// What every module can: be walked, hooked, copied, changed.
import { compile, evaluate, losses, nn, normal, optim, seed, type Tensor, tensor, zeros } from 'pollux';
import { describe, expect, it } from 'vitest';

const numbers = async (x: unknown): Promise<number[]> => [...((await (x as Tensor).data()) as Float32Array)];
const close = (found: readonly number[], expected: readonly number[], within = 1e-5): void => {
  expect(found.length).toBe(expected.length);
  expected.forEach((x, i) => {
    expect(Math.abs(found[i]! - x)).toBeLessThanOrEqual(within * Math.max(1, Math.abs(x)));
  });
};

class Block extends nn.Module {
  readonly list = [new nn.Linear(4, 4), nn.tanh, new nn.BatchNorm(4)] as const;
  readonly named = new Map<string, nn.Module>([['last', new nn.Linear(4, 2)]]);
  readonly mean = nn.buffer(zeros([4]), { persistent: false });
  forward(x: Tensor): Tensor {
    const [linear, activation, norm] = this.list;
    return (this.named.get('last') as nn.Linear).forward(norm.forward(activation(linear.forward(x as never)) as Tensor).sub(this.mean));
  }
}
const make = () => new nn.Sequential(new Block(), nn.relu, new nn.Linear(2, 3));

describe('paths', () => {
  it('name children, modules and tensors', () => {
    const model = make();
    expect([...model.children().keys()]).toEqual(['0', '2']);
    expect([...(model.get('0', Block) as Block).children().keys()]).toEqual(['list.0', 'list.2', 'named.last']);
    expect(model.get('0.list.0.weight', nn.Parameter).shape).toEqual([4, 4]);
    expect(model.get('0.list.2.runningMean')).toBe(model.buffers().get('0.list.2.runningMean'));
    expect(model.get('')).toBe(model);
    expect(() => model.get('0.list.0.wieght')).toThrow(/'0\.list\.0\.weight'/);
    expect(() => model.get('0.list.0', nn.Conv2d)).toThrow(/is a Linear, not a Conv2d/);
    expect(new nn.LSTM(2, 3).get('layers.0.inputWeight', nn.Parameter).shape).toEqual([12, 2]);
  });

  it('are visited children first by apply, and counted', () => {
    const order: string[] = [];
    const model = make().apply((module, path) => void order.push(`${path}:${module.constructor.name}`));
    expect(order).toEqual(['2:Linear', '0.named.last:Linear', '0.list.2:BatchNorm', '0.list.0:Linear', '0:Block', ':Sequential']);
    expect(model.countParameters()).toBe(20 + 8 + 10 + 9);
    model.freeze('0.list');
    expect(model.countParameters({ trainable: true })).toBe(19);
    expect(model.countParameters({ trainable: false })).toBe(28);
  });

  it('take other layers: a compiled step follows', async () => {
    const model = make().eval();
    const predict = compile({ state: model }, (x: Tensor) => model.forward(x));
    const x = normal([5, 4]);
    const before = await numbers(await predict(x));
    model.replace('2', new nn.Linear(2, 6));
    expect((await predict(x)).shape).toEqual([5, 6]);
    model.replace('1', (h: Tensor) => h.mul(0));
    model.replace('2', nn.sigmoid);
    close(await numbers(await predict(x)), Array(10).fill(0.5));
    model.replace('0.named.last', new nn.Linear(4, 2)).replace('0.list.0', new nn.Linear(4, 4));
    expect(model.get('0.list.0.weight', nn.Parameter).name).toBe('0.list.0.weight');
    expect((await predict(x)).shape).toEqual([5, 2]);
    expect(before.length).toBe(15);
    expect(() => model.replace('7', nn.relu)).toThrow(/nothing stands at '7'/);
    expect(() => model.replace('0.mean', nn.relu)).toThrow(/nothing stands/);
  });
});

describe('buffers', () => {
  it('that are not persistent are state, but not saved', async () => {
    const model = make();
    expect([...model.buffers().keys()]).toContain('0.mean');
    expect([...model.stateDictionary().keys()]).not.toContain('0.mean');
    expect([...(await model.snapshot()).keys()]).not.toContain('0.mean');
    const block = model.get('0', Block);
    const step = compile({ state: model }, () => block.mean.assign(block.mean.add(1)));
    await step();
    await step();
    expect(await numbers(block.mean)).toEqual([2, 2, 2, 2]);
  });
});

describe('hooks', () => {
  it('see the calls of the modules that are meant, with what goes in and comes out', () => {
    const model = make();
    const seen: string[] = [];
    const handle = model.onForward(/^(0|2)/, {
      before: ({ path, inputs }) => void seen.push(`>${path} ${(inputs[0] as Tensor).shape}`),
      after: ({ path, output, module }) => void seen.push(`<${path} ${(output as Tensor).shape} ${module.constructor.name}`),
    });
    model.forward(normal([5, 4]));
    expect(seen).toEqual([
      '>0 5,4',
      '>0.list.0 5,4',
      '<0.list.0 5,4 Linear',
      '>0.list.2 5,4',
      '<0.list.2 5,4 BatchNorm',
      '>0.named.last 5,4',
      '<0.named.last 5,2 Linear',
      '<0 5,2 Block',
      '>2 5,2',
      '<2 5,3 Linear',
    ]);
    handle.remove();
    model.forward(normal([5, 4]));
    expect(seen.length).toBe(10);
    expect(() => model.onForward(/nowhere/, () => undefined)).toThrow(/no module matches/);
    expect(() => model.onForward('0.lst', () => undefined)).toThrow(/nothing stands at '0\.lst'/);
  });

  it('replace inputs and outputs, each as the one before left them', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2, { weightInit: nn.init.identity(), bias: false }));
    const x = tensor([[1, 2]]);
    const first = model.onForward('0', {
      before: ({ inputs }) => [(inputs[0] as Tensor).add(1)],
      after: ({ output }) => (output as Tensor).mul(10),
    });
    using _ = model.onForward('0', ({ output }) => (output as Tensor).add(5));
    expect(await numbers(model.forward(x))).toEqual([25, 35]);
    first.remove();
    expect(await numbers(model.forward(x))).toEqual([6, 7]);
  });

  it('enter compiled steps, bring values out of them, and leave no plan behind when they go', async () => {
    const model = make();
    let inner: Tensor | undefined;
    const step = compile({ state: model }, (x: Tensor) => {
      inner = undefined;
      const y = model.forward(x);
      return inner ? { y, inner } : { y };
    });
    const x = normal([5, 4]);
    await step(x);
    expect(step.plans).toBe(1);
    const handle = model.onForward('0', ({ output }) => {
      inner = output as Tensor;
    });
    const result = await step(x);
    expect((result as { inner: Tensor }).inner.shape).toEqual([5, 2]);
    await step(x);
    expect(step.plans).toBe(2);
    handle.remove();
    expect(Object.keys(await step(x))).toEqual(['y']);
    expect(step.plans).toBe(2);
    model.onForward('0', () => undefined);
    await step(x);
    expect(step.plans).toBe(3);
  });
});

describe('copy', () => {
  const models: Record<string, [() => nn.Module, () => unknown[]]> = {
    'a block': [make, () => [normal([3, 4])]],
    images: [
      () => new nn.Sequential(new nn.Conv2d(2, 4, 3), new nn.GroupNorm(2, 4), new nn.MaxPool2d(2), nn.globalAvgPool),
      () => [normal([2, 6, 6, 2])],
    ],
    sequences: [
      () => new nn.Sequential(new nn.Conv1d(2, 4, 3, { padding: 'causal' }), new nn.Outputs(new nn.LSTM(4, 3, { layers: 2 }))),
      () => [normal([2, 5, 2])],
    ],
    attention: [() => new nn.TransformerEncoder(2, 8, 2, { hiddenSize: 8, rotary: true }), () => [normal([2, 5, 8])]],
    decoder: [() => new nn.TransformerDecoder(1, 8, 2, { hiddenSize: 8 }), () => [normal([2, 5, 8]), normal([2, 4, 8])]],
    'normed weights': [
      () => new nn.Sequential(nn.weightNorm(new nn.Linear(3, 4)), nn.spectralNorm(new nn.Linear(4, 2))),
      () => [normal([2, 3])],
    ],
    'an adapted layer': [() => nn.lora(new nn.Sequential(new nn.Linear(3, 4)), { rank: 2 }), () => [normal([2, 3])]],
  };
  it.each(Object.keys(models))('of %s gives the same, and goes its own way', async (name) => {
    const [build, inputs] = models[name]!;
    const model = build().eval();
    const given = inputs() as Tensor[];
    await evaluate(...given);
    const twin = await model.copy();
    expect(twin.constructor).toBe(model.constructor);
    expect(twin.training).toBe(false);
    expect([...twin.stateDictionary().keys()]).toEqual([...model.stateDictionary().keys()]);
    const before = await numbers(model.forward(...given));
    expect(await numbers(twin.forward(...given))).toEqual(before);
    for (const parameter of twin.parameters().values()) parameter.assign(parameter.mul(0.5).add(0.1));
    expect(await numbers(model.forward(...given))).toEqual(before);
    expect(await numbers(twin.forward(...given))).not.toEqual(before);
  });

  it('keeps ties, what is frozen and what is not saved', async () => {
    class Tied extends nn.Module {
      words = new nn.Embedding(5, 4);
      head = new nn.Linear(4, 5, { bias: false });
      table = nn.buffer(zeros([2]), { persistent: false });
      constructor() {
        super();
        (this.head as { weight: unknown }).weight = this.words.weight;
      }
      forward(ids: Tensor): Tensor {
        return this.head.forward(this.words.forward(ids as never) as Tensor);
      }
    }
    const model = new Tied().freeze('words');
    const twin = await model.copy();
    expect(twin.head.weight).toBe(twin.words.weight);
    expect(twin.words.weight).not.toBe(model.words.weight);
    expect(twin.words.weight.trainable).toBe(false);
    expect([...twin.stateDictionary().keys()]).toEqual(['words.weight']);
    expect([...twin.buffers().keys()]).toEqual(['table']);
  });

  it('of a class with #private members needs its renew', async () => {
    class Hidden extends nn.Module {
      weight = new nn.Parameter([2], nn.init.ones);
      #scale = 3;
      forward(x: Tensor): Tensor {
        return x.mul(this.weight).mul(this.#scale);
      }
    }
    await expect(new Hidden().copy()).rejects.toThrow(/Hidden has #private members.*renew/);
    class Renewed extends Hidden {
      protected override renew(): nn.Module {
        return new Renewed();
      }
    }
    const twin = await new nn.Sequential(new Renewed()).copy();
    expect(await numbers(twin.forward(tensor([1, 2])))).toEqual([3, 6]);
  });

  it('trains apart from its original', async () => {
    seed(3);
    const model = new nn.Sequential(new nn.Linear(4, 2));
    const twin = await model.copy();
    const before = await numbers(model.get('0.weight'));
    const optimizer = optim.sgd({ learningRate: 0.1 }).for(twin);
    const step = compile({ state: [twin, optimizer] }, (x: Tensor) => {
      optimizer.minimize(losses.mse(twin.forward(x), zeros([3, 2])));
    });
    await step(normal([3, 4]));
    expect(await numbers(model.get('0.weight'))).toEqual(before);
    expect(await numbers(twin.get('0.weight'))).not.toEqual(before);
  });
});
