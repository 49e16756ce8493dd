import { ArrayDataset, compile, concat, devices, losses, nn, optim, type Tensor, Trainer, tensor, zeros } from 'pollux';
import { describe, expect, it } from 'vitest';
import { Classifier, caught, expectCode, goodBatch, survives, training } from './support.js';

const bare = (shape: number[], dtype: 'float32' | 'int32' = 'float32'): Tensor => zeros(shape, dtype);

describe('wrong shapes, ranks and dtypes', () => {
  it('at a layer name the layer, what it takes and what came', async () => {
    await expectCode(() => new nn.Linear(4, 2).forward(bare([3, 5])), 'SHAPE_MISMATCH', 'Linear', '[..., 4]', 'float32[3, 5]');
    await expectCode(() => new nn.Linear(4, 2).forward(bare([])), 'SHAPE_MISMATCH', 'Linear', 'float32[]');
    await expectCode(() => new nn.Conv2d(3, 4, 3).forward(bare([2, 8, 8, 1])), 'SHAPE_MISMATCH', 'Conv2d', '[N, H, W, 3]', '[2, 8, 8, 1]');
    await expectCode(() => new nn.Conv2d(3, 4, 3).forward(bare([8, 8, 3])), 'SHAPE_MISMATCH', 'Conv2d', 'expandDims');
    await expectCode(() => new nn.Conv2d(3, 4, 9).forward(bare([2, 8, 8, 3])), 'SHAPE_MISMATCH', 'conv2d');
    await expectCode(() => new nn.BatchNorm(3).forward(bare([2, 4])), 'SHAPE_MISMATCH', 'BatchNorm', '[..., 3]', '[2, 4]');
    await expectCode(() => nn.maxPool2d(2)(bare([2, 4])), 'SHAPE_MISMATCH', 'maxPool2d');
    await expectCode(() => new nn.Linear(4, 2).forward(bare([3, 4], 'int32')), 'DTYPE_MISMATCH', 'matmul', 'int32');
    await expectCode(() => new nn.Conv2d(1, 2, 3).forward(bare([1, 8, 8, 1], 'int32')), 'DTYPE_MISMATCH', 'conv2d', 'int32');
  });

  it('at an expression name the op and both shapes', async () => {
    await expectCode(() => bare([2, 3]).add(bare([2])), 'SHAPE_MISMATCH', 'add', '[2, 3]', '[2]');
    await expectCode(() => bare([2, 3]).matmul(bare([4, 5])), 'SHAPE_MISMATCH', 'matmul', '[2, 3]', '[4, 5]');
    await expectCode(() => bare([2]).add(bare([2], 'int32')), 'DTYPE_MISMATCH', 'add', 'float32', 'int32');
    await expectCode(() => bare([2, 3]).reshape([4, 2]), 'SHAPE_MISMATCH', 'reshape', '[2, 3]', '[4, 2]');
    await expectCode(() => concat([bare([2, 3]), bare([2, 4])], 0), 'SHAPE_MISMATCH', 'concat', '[2, 3]', '[2, 4]');
    await expectCode(() => tensor([[1, 2], [3]]), 'SHAPE_MISMATCH', 'ragged');
    await expectCode(() => tensor({ data: new Float32Array(5), shape: [2, 3] }), 'SHAPE_MISMATCH', '[2, 3]', '24 bytes', '20');
  });

  it('inside a model name the path of the layer', async () => {
    const model = new nn.Sequential(new nn.Linear(4, 8), nn.relu, new nn.Linear(8, 3)) as nn.Module;
    const { step } = training(() => model);
    const { y } = goodBatch();
    await expectCode(step({ data: new Float32Array(30), shape: [6, 5] }, y), 'SHAPE_MISMATCH', "Linear '0'", '[6, 5]');
    const named = training(() => new Classifier());
    await expectCode(named.step({ data: new Float32Array(30), shape: [6, 5] }, y), 'SHAPE_MISMATCH', "'hidden'");
  });

  it('at a loss name both and the remedy', async () => {
    const logits = bare([6, 3]);
    await expectCode(() => losses.crossEntropy(logits, bare([5], 'int32')), 'SHAPE_MISMATCH', 'crossEntropy', '[6, 3]', '[5]');
    await expectCode(() => losses.crossEntropy(logits, bare([6, 3], 'int32')), 'SHAPE_MISMATCH', 'argmax(-1)');
    await expectCode(() => losses.crossEntropy(logits, bare([6])), 'DTYPE_MISMATCH', 'crossEntropy', 'float32');
    await expectCode(() => losses.mse(logits, bare([6, 1])), 'SHAPE_MISMATCH', 'mse', '[6, 3]', '[6, 1]');
    const model = new Classifier();
    await expectCode(
      () =>
        optim
          .sgd()
          .for(model)
          .minimize(model.forward(bare([6, 4]))),
      'SHAPE_MISMATCH',
      'scalar',
    );
    expect(await caught(() => losses.crossEntropy([1, 2] as never, logits))).toBeInstanceOf(TypeError);
  });

  it('at a step leave everything as it was', async () => {
    const { x, y } = goodBatch();
    await survives(
      () => new Classifier(),
      async ({ step }) => {
        await expectCode(step({ data: new Float32Array(30), shape: [6, 5] }, y), 'SHAPE_MISMATCH', 'Linear');
        await expectCode(step({ data: new Float32Array(24), shape: [24] }, y), 'SHAPE_MISMATCH', 'Linear');
        await expectCode(step({ data: new Int32Array(24), shape: [6, 4] }, y), 'DTYPE_MISMATCH', 'int32');
        await expectCode(step(x, { data: new Float32Array(6), shape: [6] }), 'DTYPE_MISMATCH', 'crossEntropy');
        await expectCode(step(x, { data: new Int32Array(5), shape: [5] }), 'SHAPE_MISMATCH', 'crossEntropy');
        await expectCode(step({ data: new Float32Array(23), shape: [6, 4] }, y), 'SHAPE_MISMATCH', 'argument [0]', '96 bytes', '92');
        for (const wrong of ['x', null, undefined, Promise.resolve(1), { data: new Float32Array(24), shape: [6, -4] }]) {
          expect(await caught(step(wrong as never, y))).toBeInstanceOf(TypeError);
        }
        expect((await caught(step(Promise.resolve(1) as never, y))).message).toContain('await it first');
      },
    );
  });

  it('at evaluate and predict leave the trainer usable', async () => {
    const trainer = new Trainer(new Classifier(), { loss: losses.crossEntropy, optimizer: optim.sgd(), metrics: ['accuracy'] });
    const make = (width: number) =>
      new ArrayDataset({ x: { data: new Float32Array(6 * width), shape: [6, width] }, y: { data: new Int32Array(6), shape: [6] } });
    await expectCode(trainer.evaluate(make(5)), 'SHAPE_MISMATCH', 'Linear', '[6, 5]');
    await expectCode(trainer.predict(make(3)), 'SHAPE_MISMATCH', 'Linear', '[6, 3]');
    await expectCode(trainer.fit(make(5), { epochs: 1 }), 'SHAPE_MISMATCH', 'Linear', '[6, 5]');
    expect(await caught(() => trainer.fit({} as never, { epochs: 1 }))).toBeInstanceOf(TypeError);
    expect((await trainer.evaluate(make(4))).loss).toBeGreaterThan(0);
    expect((await trainer.predict(make(4))).shape).toEqual([6, 3]);
    await trainer.fit(make(4), { epochs: 1 });
  });

  it('of a layer or an optimizer are range errors', () => {
    expect(() => new nn.Linear(0, 3)).toThrow(RangeError);
    expect(() => new nn.Linear(4, 2.5)).toThrow(RangeError);
    expect(() => new nn.Conv2d(1, 2, 0)).toThrow(RangeError);
    expect(() => new nn.Dropout(1)).toThrow(RangeError);
    expect(() => optim.sgd({ momentum: 2 })).toThrow(RangeError);
    expect(() => optim.adam({ learningRate: -1 }).for(new nn.Linear(1, 1))).toThrow(RangeError);
    expect(() => optim.adam({ clipNorm: 0 }).for(new nn.Linear(1, 1))).toThrow(RangeError);
    expect(() => new nn.Sequential(undefined as never)).toThrow(/layer 0 is undefined/);
  });
});

describe('devices', () => {
  it('that are not there say why and what to do', async () => {
    await expectCode(() => new nn.Linear(2, 2).to('gpu'), 'BACKEND_UNAVAILABLE', 'gpu');
    const cuda = (await devices()).find(({ name }) => name === 'cuda')!;
    if (!cuda.available) await expectCode(() => tensor([1]).to('cuda'), 'BACKEND_UNAVAILABLE', 'cuda');
    const step = compile({ device: 'nowhere' }, (x: Tensor) => x.add(1));
    await expectCode(step(tensor([1])), 'BACKEND_UNAVAILABLE', 'nowhere');
  });

  it('that are mixed name both, and the remedy', async () => {
    const here = await (tensor([1, 2]) as Tensor).to('cpu');
    const there = await (tensor([3, 4]) as Tensor).to('async');
    await expectCode(() => here.add(there).data(), 'DEVICE_MISMATCH', "'cpu'", "'async'", '.to(');
    const model = new nn.Linear(2, 2);
    await model.to('async');
    const forward = compile({ state: [model], device: 'cpu' }, (x: Tensor) => model.forward(x));
    await expectCode(forward(tensor([[1, 2]])), 'DEVICE_MISMATCH', 'async', 'cpu');
    await model.to('cpu');
    expect((await forward(tensor([[1, 2]]))).shape).toEqual([1, 2]);
    expect(await (await there.to('cpu')).add(here).toArray()).toEqual([4, 6]);
  });
});
