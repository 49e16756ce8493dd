// Containers, blocks and small layers, against what their formulas give.
import { compile, evaluate, losses, nn, normal, ones, optim, seed, type Tensor, tensor, uniform, zeros } from 'pollux';
import { describe, expect, it } from 'vitest';

const numbers = async (x: unknown): Promise<number[]> => [...((await (x as Tensor).data()) as Float32Array)];
const close = (found: readonly number[], expected: readonly number[], within = 1e-5): void => {
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((x, i) => expect(Math.abs(found[i]! - x)).toBeLessThanOrEqual(within * scale));
};
const times = (factor: number) => (x: Tensor) => x.mul(factor);
const x23 = tensor([
  [1, 2, 3],
  [4, 5, 6],
]) as Tensor;

describe('lists and dictionaries', () => {
  it('hold modules by place and by name, and grow', () => {
    class Model extends nn.Module {
      steps = new nn.ModuleList<nn.Linear>([new nn.Linear(2, 2), new nn.Linear(2, 3)]);
      heads = new nn.ModuleDictionary({ left: new nn.Linear(3, 1), right: new nn.Conv1d(3, 1, 1) });
      forward(x: Tensor): Tensor {
        let y = x;
        for (const step of this.steps) y = step.forward(y);
        return this.heads.at('left').forward(y);
      }
    }
    const model = new Model();
    expect(model.forward(ones([4, 2])).shape).toEqual([4, 1]);
    model.steps.push(new nn.Linear(3, 3));
    expect([...model.parameters().keys()].filter((path) => path.endsWith('weight'))).toEqual([
      'steps.0.weight',
      'steps.1.weight',
      'steps.2.weight',
      'heads.left.weight',
      'heads.right.weight',
    ]);
    expect(model.steps.at(-1).weight.name).toBe('steps.2.weight');
    expect(model.forward(ones([4, 2])).shape).toEqual([4, 1]);
    expect(model.heads.keys()).toEqual(['left', 'right']);
    expect(() => model.steps.forward()).toThrow(/computes nothing/);
    expect(() => new nn.ModuleDictionary({ 'a.b': new nn.Linear(1, 1) })).toThrow(/names and dots/);
    expect(() => model.steps.at(5)).toThrow(RangeError);
  });
});

describe('ways around layers', () => {
  it('Residual adds', async () => {
    close(await numbers(new nn.Residual(times(3)).forward(x23)), [4, 8, 12, 16, 20, 24]);
    close(await numbers(new nn.Residual(times(3), { shortcut: times(2), scale: 0.5 }).forward(x23)), [3.5, 7, 10.5, 14, 17.5, 21]);
    expect(() => new nn.Residual(new nn.Linear(3, 2)).forward(x23)).toThrow(/float32\[2, 2\].*float32\[2, 3\].*shortcut/);
  });

  it('GatedSkip lets some of each element through', async () => {
    const layer = new nn.GatedSkip(3, times(-1), { gateBias: -2 });
    const g = await numbers((layer.gate.forward(x23) as Tensor).sigmoid());
    close(
      await numbers(layer.forward(x23)),
      [1, 2, 3, 4, 5, 6].map((x, i) => g[i]! * -x + (1 - g[i]!) * x),
    );
    expect(await numbers(layer.gate.bias)).toEqual([-2, -2, -2]);
    expect([...layer.parameters().keys()]).toEqual(['gate.weight', 'gate.bias']);
  });

  it('DenseBlock shows each layer all before it', async () => {
    const seen: number[] = [];
    const one = (x: Tensor): Tensor => {
      seen.push(x.shape.at(-1)!);
      return x.sum(-1, { keepDims: true });
    };
    const y = new nn.DenseBlock(one, one).forward(x23);
    expect(seen).toEqual([3, 4]);
    close(await numbers(y), [1, 2, 3, 6, 12, 4, 5, 6, 15, 30]);
  });

  it('Parallel joins its branches', async () => {
    const by = (merge: never) => numbers(new nn.Parallel([times(1), times(2)], { merge }).forward(tensor([[1, 2]]) as Tensor));
    expect(await by('concat' as never)).toEqual([1, 2, 2, 4]);
    expect(await by('sum' as never)).toEqual([3, 6]);
    expect(await by('mean' as never)).toEqual([1.5, 3]);
    expect(await by('product' as never)).toEqual([2, 8]);
    expect(await by(((a: Tensor, b: Tensor) => b.sub(a)) as never)).toEqual([1, 2]);
    expect(() => new nn.Parallel([times(1)], { merge: 'sun' as never })).toThrow(/concat, sum, mean/);
    expect(() => new nn.Parallel([nn.relu, new nn.Linear(3, 2)], { merge: 'sum' }).forward(x23)).toThrow(/one shape/);
  });
});

describe('Graph', () => {
  const make = () =>
    new nn.Graph({
      inputs: ['image', 'text'],
      layers: {
        // In any order: what is read comes first when it runs.
        both: [nn.concat, 'seen', 'read'],
        seen: [new nn.Linear(3, 4), 'image'],
        read: [new nn.Linear(2, 4), 'text'],
        hidden: [nn.relu, 'both'],
        logits: [new nn.Linear(8, 2), 'hidden'],
      },
      output: ['logits', 'hidden'],
    });

  it('runs layers by what they read, and trains', async () => {
    seed(1);
    const model = make();
    expect([...model.parameters().keys()]).toEqual([
      'seen.weight',
      'seen.bias',
      'read.weight',
      'read.bias',
      'logits.weight',
      'logits.bias',
    ]);
    const [image, text] = [normal([6, 3]), normal([6, 2])] as Tensor[];
    await evaluate(image!, text!);
    const { logits, hidden } = model.forward(image!, text!);
    const [seen, read] = [model.get('seen', nn.Linear).forward(image!), model.get('read', nn.Linear).forward(text!)] as Tensor[];
    const byHand = nn.relu(nn.concat(seen!, read!)) as Tensor;
    expect(await numbers(hidden)).toEqual(await numbers(byHand));
    expect(await numbers(logits)).toEqual(await numbers(model.get('logits', nn.Linear).forward(byHand)));
    const optimizer = optim.adam({ learningRate: 0.1 }).for(model);
    const step = compile({ state: [model, optimizer] }, (a: Tensor, b: Tensor) => {
      const loss = losses.mse(model.forward(a, b).logits, ones([6, 2]) as Tensor);
      optimizer.minimize(loss);
      return loss;
    });
    const first = (await step(image!, text!)).item();
    for (let i = 0; i < 30; i++) await step(image!, text!);
    expect((await step(image!, text!)).item()).toBeLessThan(first / 10);
    const twin = await model.copy();
    expect(await numbers(twin.forward(image!, text!).logits)).toEqual(await numbers(model.forward(image!, text!).logits));
  });

  it('shares a layer that is given twice', () => {
    const shared = new nn.Linear(3, 3);
    const model = new nn.Graph({
      inputs: ['a', 'b'],
      layers: { p: [shared, 'a'], q: [shared, 'b'], d: [nn.multiply, 'p', 'q'] },
      output: 'd',
    });
    expect(model.countParameters()).toBe(12);
    expect(model.forward(x23, x23).shape).toEqual([2, 3]);
  });

  it('tells circles, unknown names and missing inputs', () => {
    const graph = (layers: Record<string, readonly [(x: Tensor) => Tensor, ...string[]]>, output = 'b') =>
      new nn.Graph({ inputs: ['x'], layers: layers as never, output: output as never });
    expect(() => graph({ a: [nn.relu, 'b'], b: [nn.relu, 'a'] } as never)).toThrow(/circle: a <- b <- a/);
    expect(() => graph({ hidden: [nn.relu, 'x'], b: [nn.relu, 'hiden'] } as never)).toThrow(/'b' reads 'hiden'.*Is it 'hidden'/);
    expect(() => graph({ b: [nn.relu, 'x'] } as never, 'c')).toThrow(/the output reads 'c'/);
    expect(() => graph({ b: [nn.relu] } as never)).toThrow(/reads nothing/);
    expect(() => graph({ x: [nn.relu, 'x'] } as never, 'x')).toThrow(/input and of a layer/);
    expect(() => make().forward(x23)).toThrow(/2 inputs \(image, text\), got 1/);
  });
});

describe('blocks of image networks', () => {
  const image = () => uniform([2, 8, 8, 16]) as Tensor;

  it('have the sizes and the numbers of parameters of their papers', () => {
    const cases: [nn.Module & { forward(x: Tensor): Tensor }, number, number[]][] = [
      [new nn.ResNetBasicBlock(64, 128, { stride: 2 }) as never, 230_144, [1, 4, 4, 128]],
      [new nn.ResNetBasicBlock(64, 64) as never, 73_984, [1, 8, 8, 64]],
      [new nn.ResNetBottleneckBlock(64, 256) as never, 75_008, [1, 8, 8, 256]],
      [
        new nn.ResNetBottleneckBlock(64, 64, { stride: 2, groups: 4, width: 32 }) as never,
        64 * 32 + 8 * 32 * 9 + 32 * 64 + 64 * 64 + 4 * 32 + 256,
        [1, 4, 4, 64],
      ],
      [new nn.InvertedResidual(64, 24, { stride: 2 }) as never, 64 * 384 + 768 + 9 * 384 + 768 + 384 * 24 + 48, [1, 4, 4, 24]],
      [
        new nn.InvertedResidual(64, 64, { expansion: 1, squeeze: 4 }) as never,
        9 * 64 + 128 + (64 * 4 + 4 + 4 * 64 + 64) + 64 * 64 + 128,
        [1, 8, 8, 64],
      ],
    ];
    for (const [block, count, shape] of cases) {
      expect(block.countParameters()).toBe(count);
      expect(block.forward(zeros([1, 8, 8, 64]) as Tensor).shape).toEqual(shape);
    }
  });

  it('add what goes around them', async () => {
    const x = image();
    await evaluate(x);
    const basic = new nn.ResNetBasicBlock(16, 16, { zeroLast: true }).eval();
    expect(await numbers(basic.forward(x as never))).toEqual(await numbers(x)); // relu of positive numbers
    const inverted = new nn.InvertedResidual(16, 16).eval();
    close(await numbers(inverted.forward(x as never)), await numbers(x.add(inverted.body.forward(x))));
    const changed = new nn.ResNetBasicBlock(16, 8, { stride: 2 }).eval();
    close(await numbers(changed.forward(x as never)), await numbers(nn.relu(changed.shortcut!.forward(x).add(changed.body.forward(x)))));
  });

  it('SqueezeExcitation weighs channels by their means', async () => {
    const layer = new nn.SqueezeExcitation(16, 3);
    const x = image();
    await evaluate(x);
    const [w1, b1, w2, b2] = await Promise.all(
      [layer.reduce.weight, layer.reduce.bias, layer.expand.weight, layer.expand.bias].map(numbers),
    );
    const [data, y] = [await numbers(x), await numbers(layer.forward(x))];
    const expected = data.map((value, i) => {
      const [n, c] = [Math.floor(i / 1024), i % 16];
      const mean = (k: number): number => Array.from({ length: 64 }, (_, p) => data[n * 1024 + p * 16 + k]!).reduce((a, b) => a + b) / 64;
      return { value, n, c, mean };
    });
    const means = [0, 1].map((n) => Array.from({ length: 16 }, (_, k) => expected[n * 1024]!.mean(k)));
    const gates = means.map((m) => {
      const hidden = b1!.map((b, j) =>
        Math.max(
          0,
          m.reduce((sum, v, k) => sum + v * w1![j * 16 + k]!, b),
        ),
      );
      return b2!.map((b, c) => 1 / (1 + Math.exp(-hidden.reduce((sum, h, j) => sum + h * w2![c * 3 + j]!, b))));
    });
    close(
      y,
      expected.map(({ value, n, c }) => value * gates[n]![c]!),
    );
  });

  it('FeaturePyramid adds coarse maps to fine ones', async () => {
    const pyramid = new nn.FeaturePyramid([8, 16, 4], 6);
    const levels = [uniform([1, 9, 8, 8]), uniform([1, 5, 4, 16]), uniform([1, 3, 2, 4])] as Tensor[];
    await evaluate(...levels);
    const maps = pyramid.forward(levels);
    expect(maps.map(({ shape }) => shape)).toEqual([
      [1, 9, 8, 6],
      [1, 5, 4, 6],
      [1, 3, 2, 6],
    ]);
    const middle = pyramid.lateral[1]!.forward(levels[1]!).add(
      nn.upsample({ size: [5, 4] })(pyramid.lateral[2]!.forward(levels[2]!) as Tensor),
    ) as Tensor;
    close(await numbers(maps[1]), await numbers(pyramid.smooth[1]!.forward(middle)));
    expect(() => pyramid.forward(levels.slice(1))).toThrow(/3 levels, got 2/);
  });

  it('SpatialPyramidPooling gives one size for images of any', async () => {
    const x = tensor([
      [
        [[1], [2]],
        [[3], [5]],
      ],
    ]) as Tensor;
    expect(await numbers(new nn.SpatialPyramidPooling([2, 1]).forward(x))).toEqual([1, 2, 3, 5, 5]);
    expect(await numbers(new nn.SpatialPyramidPooling([1], { mode: 'average' }).forward(x))).toEqual([2.75]);
    const layer = new nn.SpatialPyramidPooling();
    for (const side of [5, 11]) expect(layer.forward(zeros([2, side, side + 2, 3]) as Tensor).shape).toEqual([2, 63]);
  });
});

describe('fusion of modalities', () => {
  it('ConcatFusion and GatedFusion join vectors of any widths', async () => {
    const [a, b] = [tensor([[1, 2]]), tensor([[3, 4, 5]])] as Tensor[];
    const fused = new nn.ConcatFusion([2, 3], 2);
    close(await numbers(fused.forward(a!, b!)), await numbers(fused.output.forward(tensor([[1, 2, 3, 4, 5]]))));
    const gated = new nn.GatedFusion([2, 3], 2);
    const [h0, h1] = [
      await numbers((gated.projections[0]!.forward(a!) as Tensor).tanh()),
      await numbers((gated.projections[1]!.forward(b!) as Tensor).tanh()),
    ];
    const scores = await numbers(gated.gates.forward(tensor([[1, 2, 3, 4, 5]])));
    const expected = [0, 1].map((i) => {
      const share = 1 / (1 + Math.exp(scores[2 * i + 1]! - scores[2 * i]!));
      return share * h0[i]! + (1 - share) * h1[i]!;
    });
    close(await numbers(gated.forward(a!, b!)), expected);
    expect(() => gated.forward(a!)).toThrow(/2 inputs/);
  });

  it('CrossAttentionFusion reads a context of another width', async () => {
    const layer = new nn.CrossAttentionFusion(8, 2, { contextSize: 5 }).eval();
    const [x, context] = [normal([2, 3, 8]), normal([2, 7, 5])] as Tensor[];
    await evaluate(x!, context!);
    const y = layer.forward(x!, context!);
    close(await numbers(y), await numbers(layer.norm.forward(x!.add(layer.attention.forward(x!, context!, context!)))));
    expect(y.shape).toEqual([2, 3, 8]);
  });
});

describe('small layers', () => {
  it('Bilinear and Maxout', async () => {
    const layer = new nn.Bilinear(2, 3, 2, { weightInit: nn.init.uniform(0, 1) });
    const [w, bias] = [await numbers(layer.weight), await numbers(layer.bias)];
    const [a, b] = [
      [1, -2],
      [0.5, 1, 3],
    ];
    const expected = [0, 1].map(
      (o) => bias[o]! + a.reduce((sum, p, i) => sum + b.reduce((s, q, j) => s + p * w[o * 6 + i * 3 + j]! * q, 0), 0),
    );
    close(await numbers(layer.forward(tensor([a]) as Tensor, tensor([b]) as Tensor)), expected);
    expect(layer.forward(ones([4, 5, 2]) as Tensor, ones([4, 5, 3]) as Tensor).shape).toEqual([4, 5, 2]);
    const max = new nn.Maxout(3, 2, 4);
    const y = await numbers(max.linear.forward(x23));
    expect(await numbers(max.forward(x23 as never))).toEqual([0, 4, 8, 12].map((at) => Math.max(...y.slice(at, at + 4))));
  });

  it('FeatureDropout drops whole channels, DropPath whole samples', async () => {
    seed(4);
    const features = await numbers(new nn.FeatureDropout(0.25).forward(ones([50, 3, 2, 40]) as Tensor));
    const share = (kept: number, n: number, p: number) => expect(Math.abs(kept / n - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n));
    let kept = 0;
    for (let n = 0; n < 50; n++)
      for (let c = 0; c < 40; c++) {
        const column = Array.from({ length: 6 }, (_, p) => features[n * 240 + p * 40 + c]!);
        expect(new Set(column).size).toBe(1);
        if (column[0]) expect(column[0]).toBeCloseTo(4 / 3, 6);
        kept += Number(column[0] !== 0);
      }
    share(kept, 2000, 0.75);
    const paths = await numbers(new nn.DropPath(0.5).forward(ones([1000, 2]) as Tensor));
    paths.forEach((x, i) => expect(x).toBe(paths[i & ~1]));
    share(paths.filter((x) => x === 2).length / 2, 1000, 0.5);
    const x = normal([4, 4]) as Tensor;
    await evaluate(x);
    for (const layer of [new nn.FeatureDropout(), new nn.DropPath(0.9), new nn.AlphaDropout()])
      expect(await numbers(layer.eval().forward(x))).toEqual(await numbers(x));
    expect(() => new nn.DropPath(1)).toThrow(/\[0, 1\)/);
  });

  it('AlphaDropout keeps mean and variance of a standard normal input', async () => {
    seed(4);
    const y = await numbers(new nn.AlphaDropout(0.3).forward(normal([20_000]) as Tensor));
    const mean = y.reduce((a, b) => a + b) / y.length;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(y.length));
    expect(Math.abs(y.reduce((a, b) => a + (b - mean) ** 2, 0) / y.length - 1)).toBeLessThan(0.05);
    expect(new Set(y.filter((v, i) => y.indexOf(v) !== i)).size).toBe(1); // the dropped ones are all equal
  });

  it('rearrange axes', async () => {
    const x = zeros([2, 3, 4, 5]) as Tensor;
    expect(nn.flattenAxes(1, 2)(x).shape).toEqual([2, 12, 5]);
    expect(nn.flattenAxes()(x).shape).toEqual([2, 60]);
    expect(nn.unflatten(-1, [5, 1])(x).shape).toEqual([2, 3, 4, 5, 1]);
    expect(nn.unflatten(1, [-1, 3])(x).shape).toEqual([2, 1, 3, 4, 5]);
    expect(await numbers(nn.channelShuffle(2)(tensor([[1, 2, 3, 4, 5, 6]])))).toEqual([1, 4, 2, 5, 3, 6]);
    expect(() => nn.channelShuffle(4)(x23)).toThrow(/3 channels/);
    const steps = new nn.TimeDistributed(new nn.Sequential(new nn.Conv2d(1, 2, 3), nn.globalAvgPool));
    expect(steps.forward(zeros([2, 5, 6, 6, 1]) as Tensor).shape).toEqual([2, 5, 2]);
    expect([...steps.parameters().keys()]).toEqual(['layer.0.weight', 'layer.0.bias']);
    expect(new nn.Sequential(new nn.Identity(), new nn.Lambda((x: Tensor) => x.add(1), 'one') as never).forward(x).shape).toEqual(x.shape);
  });
});
