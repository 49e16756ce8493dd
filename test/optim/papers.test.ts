// Optimizers that PyTorch 1.13 lacks, against their papers' formulas, written here in float64.
import { compile, nn, optim, Parameter, type Tensor, tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const shape = [6, 4] as const;
const size = 24;
const steps = 12;
const rate = 0.03;

/** Numbers in [-1, 1) that look random. */
const noise = (i: number): number => {
  const x = Math.sin(i * 12.9898 + 4.1) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
};
const start = Float32Array.from({ length: size }, (_, i) => noise(i));
const gradients = Array.from({ length: steps }, (_, t) => Float32Array.from({ length: size }, (_, i) => noise(1000 * (t + 1) + i) * 0.3));

class Flat extends nn.Module {
  readonly weight: Parameter<readonly number[]>;
  constructor(of: readonly number[]) {
    super();
    this.weight = new Parameter(of, nn.init.zeros);
  }
  forward(x: Tensor) {
    return x.mul(this.weight);
  }
}

/** What the optimizer makes of the weights. */
async function run(description: optim.OptimizerDescription, of: readonly number[] = shape): Promise<Float32Array> {
  const model = new Flat(of);
  model.loadStateDictionary(new Map([['weight', { shape: of, dtype: 'float32', data: start }]]));
  const optimizer = description.for(model);
  optimizer.learningRate = rate;
  const step = compile({ state: [model, optimizer] }, (g: Tensor) => {
    optimizer.apply([g]);
    return {};
  });
  for (const data of gradients) await step(tensor({ data, shape: of }));
  expect(step.plans).toBe(1);
  return (await model.weight.data()) as Float32Array;
}

function compare(found: Float32Array, expected: readonly number[], tolerance = 2e-6): void {
  expect(
    expected.some((x, i) => Math.abs(x - start[i]!) > 1e-3),
    'it moved',
  ).toBe(true);
  expected.forEach((x, i) => {
    expect(Math.abs(found[i]! - x), `[${i}]: ${found[i]} for ${x}`).toBeLessThanOrEqual(tolerance);
  });
}

type Numbers = number[];
const map2 = (a: ArrayLike<number>, b: ArrayLike<number>, f: (x: number, y: number) => number): Numbers =>
  Array.from(a, (x, i) => f(x, b[i]!));
const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, y) => sum + y * y, 0));
const zeros = (): Numbers => new Array<number>(size).fill(0);

describe('optimizers by their papers', () => {
  it('lion', async () => {
    let p = [...start];
    let m = zeros();
    for (const g of gradients) {
      const c = map2(m, g, (x, y) => Math.sign(0.9 * x + 0.1 * y));
      p = map2(p, c, (x, d) => x - rate * (d + 0.1 * x));
      m = map2(m, g, (x, y) => 0.99 * x + 0.01 * y);
    }
    compare(await run(optim.lion({ weightDecay: 0.1 })), p);
  });

  it.each([0, 0.1])('lamb with weight decay %d', async (weightDecay) => {
    let p = [...start];
    let m = zeros();
    let v = zeros();
    gradients.forEach((g, i) => {
      m = map2(m, g, (x, y) => 0.9 * x + 0.1 * y);
      v = map2(v, g, (x, y) => 0.999 * x + 0.001 * y * y);
      const adapted = map2(m, v, (x, y) => x / (1 - 0.9 ** (i + 1)) / (Math.sqrt(y / (1 - 0.999 ** (i + 1))) + 1e-6));
      const r = map2(adapted, p, (x, y) => x + weightDecay * y);
      const trust = norm(p) / norm(r);
      p = map2(p, r, (x, d) => x - rate * trust * d);
    });
    compare(await run(optim.lamb({ weightDecay })), p, 5e-6);
  });

  it('lamb leaves a parameter of zeros a plain step', async () => {
    const model = new Flat([2]);
    const optimizer = optim.lamb({ learningRate: 0.1 }).for(model);
    await optimizer.apply([tensor([1, 2])]);
    expect(Array.from((await model.weight.data()) as Float32Array)).toEqual([expect.closeTo(-0.1, 5), expect.closeTo(-0.1, 5)]);
  });

  it('adafactor, of a matrix', async () => {
    const [rows, columns] = shape;
    let p = [...start];
    let r = new Array<number>(rows).fill(0);
    let c = new Array<number>(columns).fill(0);
    gradients.forEach((g, i) => {
      const share = (i + 1) ** -0.8;
      const at = (y: number, x: number): number => g[y * columns + x]! ** 2;
      r = r.map((old, y) => old + share * (c.reduce((sum, _, x) => sum + at(y, x), 0) / columns - old));
      c = c.map((old, x) => old + share * (r.reduce((sum, _, y) => sum + at(y, x), 0) / rows - old));
      const mean = Math.max(r.reduce((a, b) => a + b) / rows, 2 ** -23);
      const u = Array.from(g, (x, j) => x / Math.sqrt(Math.max((r[Math.floor(j / columns)]! * c[j % columns]!) / mean, 2 ** -46)));
      const relative = Math.max(1e-3, norm(p) / Math.sqrt(size)) * Math.min(rate, 1 / Math.sqrt(i + 1));
      const tooLong = Math.max(1, norm(u) / Math.sqrt(size));
      p = map2(p, u, (x, d) => x * (1 - rate * 0.1) - (relative / tooLong) * d);
    });
    compare(await run(optim.adafactor({ weightDecay: 0.1 })), p, 5e-6);
  });

  it('adafactor, of a vector', async () => {
    let p = [...start];
    let v = zeros();
    gradients.forEach((g, i) => {
      v = map2(v, g, (old, x) => old + (i + 1) ** -0.8 * (x * x - old));
      const u = map2(g, v, (x, y) => x / Math.sqrt(Math.max(y, 2 ** -46)));
      const relative = Math.max(1e-3, norm(p) / Math.sqrt(size)) * Math.min(rate, 1 / Math.sqrt(i + 1));
      p = map2(p, u, (x, d) => x - (relative / Math.max(1, norm(u) / Math.sqrt(size))) * d);
    });
    compare(await run(optim.adafactor(), [size]), p, 5e-6);
  });

  it.each([
    [6, 4],
    [4, 6],
  ])('muon, of %d x %d', async (rows, columns) => {
    type Matrix = number[][];
    const times = (a: Matrix, b: Matrix): Matrix => a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
    const turned = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
    const shaped = (x: readonly number[]): Matrix => Array.from({ length: rows }, (_, i) => x.slice(i * columns, (i + 1) * columns));
    let p = [...start];
    let m = zeros();
    for (const g of gradients) {
      m = map2(m, g, (x, y) => 0.95 * x + 0.05 * y);
      const d = map2(m, g, (x, y) => 0.95 * x + 0.05 * y);
      let x = shaped(d.map((y) => y / norm(d)));
      for (let i = 0; i < 5; i++) {
        const a = times(x, turned(x));
        const b = map2(a.flat(), times(a, a).flat(), (y, z) => -4.775 * y + 2.0315 * z);
        const n = a.length;
        const bx = times(
          Array.from({ length: n }, (_, j) => b.slice(j * n, (j + 1) * n)),
          x,
        );
        x = x.map((row, j) => row.map((y, k) => 3.4445 * y + bx[j]![k]!));
      }
      p = map2(p, x.flat(), (w, y) => w * (1 - rate * 0.1) - rate * Math.sqrt(Math.max(1, rows / columns)) * y);
    }
    compare(await run(optim.muon(), [rows, columns]), p, 3e-5); // the iteration spreads roundings
  });

  it('muon gives AdamW what is no matrix', async () => {
    const settings = { betas: [0.9, 0.95] as const, weightDecay: 0.05 };
    const [found, expected] = await Promise.all([run(optim.muon({ adamW: settings }), [size]), run(optim.adamW(settings), [size])]);
    expect(found).toEqual(expected);
    expect(await run(optim.muon({ orthogonalize: false, adamW: settings }))).toEqual(await run(optim.adamW(settings)));
  });

  it('lookahead', async () => {
    let p = [...start];
    let slow = [...start];
    gradients.forEach((g, i) => {
      p = map2(p, g, (x, y) => x - rate * y);
      if ((i + 1) % 5) return;
      slow = map2(slow, p, (x, y) => x + 0.4 * (y - x));
      p = [...slow];
    });
    compare(await run(optim.lookahead(optim.sgd(), { alpha: 0.4 })), p);
  });

  it('with an L1 penalty, and cut by value', async () => {
    let p = [...start];
    for (const g of gradients) {
      const cut = Array.from(g, (x) => Math.min(0.1, Math.max(-0.1, x)));
      p = map2(p, cut, (x, y) => x - rate * (y + 0.02 * Math.sign(x)));
    }
    compare(await run(optim.sgd({ clipValue: 0.1, l1: 0.02 })), p);
  });
});
