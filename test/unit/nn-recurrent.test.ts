import { compile, gradientsOf, nn, optim, PolluxError, scan, stack, type Tensor, tensor, zeros } from 'pollux';
import { describe, expect, it } from 'vitest';
import { readStored } from '../trajectories/read.js';

type AnyLayer = nn.Module & {
  forward(x: Tensor, input?: object): { output: Tensor; last: Tensor; state: Tensor | { h: Tensor; c: Tensor } };
};

const cases = {
  rnn: () => new nn.RNN(3, 6),
  relu: () => new nn.RNN(3, 6, { nonlinearity: 'relu', layers: 2 }),
  lstm: () => new nn.LSTM(3, 6),
  'lstm-deep': () => new nn.LSTM(3, 6, { layers: 2, bidirectional: true }),
  gru: () => new nn.GRU(3, 6, { bias: false }),
  'gru-deep': () => new nn.GRU(3, 6, { layers: 2, bidirectional: true }),
} as const;

/** A float32 result of a few dozen sums and functions beside its float64 value. */
function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>, where: string): void {
  expect(found.length, where).toBe(expected.length);
  const largest = Array.from(expected).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(found[i]! - expected[i]!), `${where}[${i}]`).toBeLessThanOrEqual(64 * 2 ** -24 * largest);
}

const dataOf = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);
const random = (shape: readonly number[], seed = 1): Tensor => {
  let state = seed;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647 - 0.5;
  });
  return tensor({ data, shape });
};
const lengthsOf = (list: readonly number[]): Tensor<readonly [number], 'int32'> =>
  tensor({ data: Int32Array.from(list), shape: [list.length], dtype: 'int32' });

describe('recurrent layers beside PyTorch', () => {
  const { tensors } = readStored('recurrent');

  it.each(Object.keys(cases) as (keyof typeof cases)[])('%s: values, last states and gradients', async (name) => {
    const layer = cases[name]() as unknown as AnyLayer;
    const of = (path: string): Tensor | undefined => {
      const stored = tensors.get(`${name}/${path}`);
      return stored && tensor({ data: stored.data, shape: stored.shape });
    };
    const start = [...tensors].flatMap(([path, { shape, data }]) =>
      path.startsWith(`${name}/start/`)
        ? [[path.slice(`${name}/start/`.length), { shape, data: data as Float32Array, dtype: 'float32' }] as const]
        : [],
    );
    layer.loadStateDictionary(new Map(start)); // strict: each name is PyTorch's by the map that the class states
    const [x, h, c, lengths] = [of('x')!, of('h')!, of('c'), of('lengths')];
    const { output, state } = layer.forward(x, { state: c ? { h, c } : h, ...(lengths && { lengths }) });
    const results = new Map<string, Tensor>([['output', output]]);
    if ('h' in state) results.set('lastH', state.h).set('lastC', (state as { c: Tensor }).c);
    else results.set('lastH', state as Tensor);

    const sum = [...results].map(([path, result]) => result.mul(of(`weight/${path}`)!).sum()).reduce((a, b) => a.add(b));
    const wanted = new Map<string, Tensor>([['x', x], ['h', h], ...(c ? [['c', c] as const] : []), ...layer.parameters()]);
    const gradients = gradientsOf(sum, [...wanted.values()]);
    for (const [path, result] of results)
      expectNear(await dataOf(result), tensors.get(`${name}/${path}`)!.data as Float64Array, `${name} ${path}`);
    for (const [i, path] of [...wanted.keys()].entries())
      expectNear(await dataOf(gradients[i]!), tensors.get(`${name}/gradient/${path}`)!.data as Float64Array, `${name} gradient of ${path}`);
  });
});

/** The layer run as a loop over its cell. */
const unrolled = {
  RNN: () => {
    const [layer, cell] = [new nn.RNN(3, 5), new nn.RNNCell(3, 5)];
    return { layer, cell, step: (x: Tensor, h?: Tensor) => cell.forward(x, h), h: (state: Tensor) => state };
  },
  GRU: () => {
    const [layer, cell] = [new nn.GRU(3, 5), new nn.GRUCell(3, 5)];
    return { layer, cell, step: (x: Tensor, h?: Tensor) => cell.forward(x, h), h: (state: Tensor) => state };
  },
};

describe('cells', () => {
  it.each(['RNN', 'GRU'] as const)('%sCell in a loop is the layer', async (kind) => {
    const { layer, cell, step } = unrolled[kind]();
    layer.loadStateDictionary(new Map([...(await cell.snapshot())].map(([path, value]) => [`layers.0.${path}`, value])));
    const x = random([2, 4, 3]);
    let h: Tensor | undefined;
    const outputs: Tensor[] = [];
    for (let t = 0; t < 4; t++) outputs.push((h = step(x.slice([0, t, 0], [2, t + 1, 3]).squeeze(1) as Tensor, h)));
    expectNear(await dataOf(layer.forward(x as Tensor<readonly [2, 4, 3], 'float32'>).output), await dataOf(stack(outputs, 1)), kind);
  });

  it('LSTMCell in a loop is the layer, gradients included', async () => {
    const [layer, cell] = [new nn.LSTM(3, 5), new nn.LSTMCell(3, 5)];
    layer.loadStateDictionary(new Map([...(await cell.snapshot())].map(([path, value]) => [`layers.0.${path}`, value])));
    const x = random([2, 4, 3]);
    let state: nn.LSTMState | undefined;
    const outputs: Tensor[] = [];
    for (let t = 0; t < 4; t++) {
      state = cell.forward(x.slice([0, t, 0], [2, t + 1, 3]).squeeze(1) as Tensor, state);
      outputs.push(state.h);
    }
    const { output } = (layer as nn.LSTM).forward(x);
    const unrolled = stack(outputs, 1);
    const [own] = gradientsOf(output.square().sum(), [layer.layers[0]!.hiddenWeight]);
    const [other] = gradientsOf(unrolled.square().sum(), [cell.hiddenWeight]);
    expectNear(await dataOf(output), await dataOf(unrolled), 'output');
    expectNear(await dataOf(own!), await dataOf(other!), 'gradient of hiddenWeight');
  });

  it('LSTMCell is the body of a scan', async () => {
    const [layer, cell] = [new nn.LSTM(3, 5), new nn.LSTMCell(3, 5)];
    layer.loadStateDictionary(new Map([...(await cell.snapshot())].map(([path, value]) => [`layers.0.${path}`, value])));
    const x = random([2, 4, 3]);
    const start = { h: zeros([2, 5]) as Tensor, c: zeros([2, 5]) as Tensor };
    const [end, all] = scan(
      (state: typeof start, step: Tensor) => {
        const next: typeof start = cell.forward(step, state);
        return [next, next.h];
      },
      start,
      x.transpose([1, 0, 2]) as Tensor,
    );
    const result = (layer as nn.LSTM).forward(x);
    const [own] = gradientsOf(result.last.square().sum(), [layer.layers[0]!.inputWeight]);
    const [other] = gradientsOf(end.h.square().sum(), [cell.inputWeight]);
    expectNear(await dataOf(all.transpose([1, 0, 2])), await dataOf(result.output), 'output');
    expectNear(await dataOf(other!), await dataOf(own!), 'gradient of inputWeight');
  });
});

describe('sequences', () => {
  it('bidirectional: two runs, one of them from the end', async () => {
    const both = new nn.GRU(3, 4, { bidirectional: true }) as unknown as AnyLayer;
    const x = random([2, 5, 3]);
    const values = await both.snapshot();
    const part = (stackName: string) => {
      const layer = new nn.GRU(3, 4) as unknown as AnyLayer;
      layer.loadStateDictionary(
        new Map(
          [...values].filter(([path]) => path.startsWith(`${stackName}.`)).map(([path, v]) => [path.replace(stackName, 'layers'), v]),
        ),
      );
      return layer;
    };
    const { output, last } = both.forward(x);
    const forward = part('layers').forward(x);
    const reverse = part('reverseLayers').forward(x.flip(1));
    const output2 = await dataOf(output);
    const [left, right] = [await dataOf(forward.output), await dataOf(reverse.output.flip(1))];
    for (let at = 0; at < 10; at++) {
      expect(output2.slice(8 * at, 8 * at + 4)).toEqual(left.slice(4 * at, 4 * at + 4));
      expect(output2.slice(8 * at + 4, 8 * at + 8)).toEqual(right.slice(4 * at, 4 * at + 4));
    }
    const ends = await dataOf(last);
    expect(ends.slice(4, 8)).toEqual((await dataOf(reverse.last)).slice(0, 4));
  });

  it.each([false, true])('lengths 0, 1, all and between are sequences of their own (bidirectional: %s)', async (bidirectional) => {
    const layer = new nn.LSTM(3, 4, { layers: 2, bidirectional }) as unknown as AnyLayer;
    const x = random([4, 5, 3]);
    const rows = bidirectional ? 4 : 2;
    const state = { h: random([rows, 4, 4], 7), c: random([rows, 4, 4], 8) };
    const lengths = [0, 1, 5, 3];
    const result = layer.forward(x, { lengths: lengthsOf(lengths), state });
    const output = await dataOf(result.output);
    const width = result.output.shape[2]!;
    const h = await dataOf((result.state as { h: Tensor }).h);
    for (const [i, length] of lengths.entries()) {
      const own = { h: state.h.slice([0, i, 0], [rows, i + 1, 4]), c: state.c.slice([0, i, 0], [rows, i + 1, 4]) };
      const alone = layer.forward(x.slice([i, 0, 0], [i + 1, length, 3]), { state: own });
      const expected = [...(await dataOf(alone.output)), ...new Array<number>((5 - length) * width).fill(0)];
      expect(output.slice(i * 5 * width, (i + 1) * 5 * width)).toEqual(expected);
      const last = await dataOf((alone.state as { h: Tensor }).h);
      for (let row = 0; row < rows; row++)
        expect(h.slice((row * 4 + i) * 4, (row * 4 + i + 1) * 4)).toEqual(last.slice(row * 4, row * 4 + 4));
    }
    // A sequence of no steps gives what it began with.
    const first = await dataOf(state.h);
    expect(h.slice(0, 4)).toEqual(first.slice(0, 4));
  });

  it('all padding, and no steps at all', async () => {
    const layer = new nn.GRU(3, 4);
    const h = random([1, 2, 4]) as Tensor<readonly [1, 2, 4], 'float32'>;
    const padded = layer.forward(zeros([2, 3, 3]), { lengths: lengthsOf([0, 0]), state: h });
    expect(await dataOf(padded.output)).toEqual(new Array(24).fill(0));
    expect(await dataOf(padded.last)).toEqual(await dataOf(h));
    const none = layer.forward(zeros([2, 0, 3]), { state: h });
    expect(none.output.shape).toEqual([2, 0, 4]);
    expect(await dataOf(none.state)).toEqual(await dataOf(h));
  });

  it('lengths are data: other lengths, the same plan', async () => {
    const layer = new nn.LSTM(3, 4);
    const last = compile({ state: layer }, (x: Tensor, lengths: Tensor<readonly [number], 'int32'>) => layer.forward(x, { lengths }).last);
    const x = random([2, 3, 3]);
    const [one, other] = [await last(x, lengthsOf([1, 3])), await last(x, lengthsOf([3, 1]))];
    expect(last.plans).toBe(1);
    const [a, b] = [await dataOf(one), await dataOf(other)];
    expect(a.slice(0, 4)).not.toEqual(b.slice(0, 4));
    expect(a).toEqual(await dataOf(layer.forward(x, { lengths: lengthsOf([1, 3]) }).last));
  });
});

describe('layers', () => {
  it('name their parameters by layer and direction, drawn within 1 / sqrt(hidden)', async () => {
    const layer = new nn.LSTM(3, 4, { layers: 2, bidirectional: true });
    const shapes = [...layer.parameters()].map(([path, { shape }]) => `${path} ${shape.join('x')}`);
    expect(shapes).toEqual([
      ...['layers', 'reverseLayers'].flatMap((name) =>
        [3, 8].flatMap((width, i) => [
          `${name}.${i}.inputWeight 16x${width}`,
          `${name}.${i}.hiddenWeight 16x4`,
          `${name}.${i}.inputBias 16`,
          `${name}.${i}.hiddenBias 16`,
        ]),
      ),
    ]);
    for (const parameter of layer.parameters().values()) {
      const data = await dataOf(parameter as Tensor);
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(0.5);
      expect(Math.max(...data.map(Math.abs))).toBeGreaterThan(0.3);
    }
    expect([...new nn.RNN(3, 4, { bias: false }).parameters().keys()]).toEqual(['layers.0.inputWeight', 'layers.0.hiddenWeight']);
  });

  it('drop between layers in training alone', async () => {
    const layer = new nn.GRU(3, 8, { layers: 2, dropout: 0.5 });
    const x = random([2, 3, 3]);
    const trained = await dataOf(layer.forward(x).output);
    layer.eval();
    const evaluated = await dataOf(layer.forward(x).output);
    expect(trained).not.toEqual(evaluated);
    expect(evaluated).toEqual(await dataOf(layer.forward(x).output));
  });

  it('stand in a Sequential and learn: which of two steps was larger', async () => {
    const model = new nn.Sequential(new nn.Outputs(new nn.GRU(1, 8)), new nn.LastState(new nn.LSTM(8, 8)), new nn.Linear(8, 1));
    expect(model.summary([4, 2, 1])).toMatch(/0\.layer\s+GRU\s+\[4, 2, 8\]/);
    expect([...model.parameters().keys()][0]).toBe('0.layer.layers.0.inputWeight');
    const optimizer = optim.adam({ learningRate: 0.05 }).for(model);
    const x = random([32, 2, 1]);
    const step = compile({ state: [model, optimizer] }, (batch: Tensor) => {
      const difference = batch
        .slice([0, 1, 0], [32, 2, 1])
        .sub(batch.slice([0, 0, 0], [32, 1, 1]))
        .reshape([32, 1]);
      const loss = model.forward(batch).sub(difference).square().mean();
      optimizer.minimize(loss);
      return { loss };
    });
    const first = (await step(x)).loss.item();
    for (let i = 0; i < 60; i++) await step(x);
    expect((await step(x)).loss.item()).toBeLessThan(first / 20);
  });

  it('refuse what does not fit, and name the remedy', () => {
    const layer = new nn.LSTM(3, 4) as unknown as AnyLayer;
    expect(() => layer.forward(zeros([5, 3]))).toThrow('For one sequence: x.expandDims(0)');
    expect(() => layer.forward(zeros([2, 5, 2]))).toThrow(PolluxError);
    expect(() => layer.forward(zeros([2, 5, 3]), { state: { h: zeros([1, 3, 4]), c: zeros([1, 2, 4]) } })).toThrow(
      'takes a state [1, 2, 4]',
    );
    expect(() => layer.forward(zeros([2, 5, 3]), { lengths: zeros([3], 'int32') })).toThrow('takes lengths int32[2]');
    expect(() => layer.forward(zeros([2, 5, 3]), { length: 1 })).toThrow('length');
    expect(() => new nn.RNN(3, 4, { nonlinearity: 'sine' as 'relu' })).toThrow(TypeError);
    expect(() => new nn.GRU(0, 4)).toThrow('inputSize');
    expect(() => new nn.GRU(3, 4, { dropout: 1 })).toThrow(RangeError);
    expect(() => new nn.GRUCell(3, 4).forward(zeros([2, 5, 3]) as Tensor)).toThrow('takes one step');
  });
});
