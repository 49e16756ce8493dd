// Initialisers: values where they are fixed, statistics within five standard errors where they are drawn.
import { compile, nn, seed, type Tensor } from 'pollux';
import { describe, expect, it } from 'vitest';

const { init } = nn;
type Initializer = typeof init.zeros;

async function draw(initializer: Initializer, shape: number[], from = 7): Promise<Float32Array> {
  seed(from);
  return (await new nn.Parameter(shape, initializer).data()) as Float32Array;
}
function moments(x: ArrayLike<number>) {
  const n = x.length;
  const all = Array.from(x);
  const mean = all.reduce((a, b) => a + b) / n;
  const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  return { n, mean, variance, least: Math.min(...all), most: Math.max(...all) };
}

const shape = [100, 3, 3, 20]; // fan-in 180, fan-out 900
const uniform = (bound: number) => ({ variance: bound ** 2 / 3, fourth: bound ** 4 / 5, bound });
const bell = (std: number, bound = Number.POSITIVE_INFINITY) => ({ variance: std ** 2, fourth: 3 * std ** 4, bound });
const drawn: Record<string, [Initializer, { variance: number; fourth: number; bound: number; mean?: number }]> = {
  uniform: [init.uniform(0.3), uniform(0.3)],
  'uniform between': [init.uniform(1, 3), { ...uniform(1), mean: 2 }],
  normal: [init.normal(0.5), bell(0.5)],
  'normal beside 0': [init.normal(0.5, 2), { ...bell(0.5), mean: 2 }],
  truncatedNormal: [init.truncatedNormal(0.5), bell(0.5 * 0.8796256610342398, 1)],
  glorotUniform: [init.glorotUniform, uniform(Math.sqrt(6 / 1080))],
  glorotNormal: [init.glorotNormal, bell(Math.sqrt(2 / 1080))],
  'xavierUniform with gain': [init.xavierUniform(5 / 3), uniform((5 / 3) * Math.sqrt(6 / 1080))],
  'xavierNormal with gain': [init.xavierNormal(2), bell(2 * Math.sqrt(2 / 1080))],
  heUniform: [init.heUniform, uniform(Math.sqrt(6 / 180))],
  heNormal: [init.heNormal, bell(Math.sqrt(2 / 180))],
  'kaimingUniform by fan-out': [init.kaimingUniform({ mode: 'fanOut' }), uniform(Math.sqrt(6 / 900))],
  'kaimingNormal of a leaky relu': [init.kaimingNormal({ nonlinearity: 'leakyRelu', slope: 1 }), bell(Math.sqrt(1 / 180))],
  lecunUniform: [init.lecunUniform, uniform(Math.sqrt(3 / 180))],
  lecunNormal: [init.lecunNormal, bell(Math.sqrt(1 / 180))],
  fanInUniform: [init.fanInUniform, uniform(Math.sqrt(1 / 180))],
  'cut scaling': [
    init.varianceScaling({ distribution: 'truncatedNormal', mode: 'fanAverage' }),
    bell(Math.sqrt(1 / 540), (2 * Math.sqrt(1 / 540)) / 0.8796256610342398),
  ],
};

describe('initialisers', () => {
  it.each(Object.keys(drawn))('%s has its mean, variance and bounds', async (name) => {
    const [initializer, { variance, fourth, bound, mean = 0 }] = drawn[name]!;
    const found = moments(await draw(initializer, shape));
    expect(Math.abs(found.mean - mean)).toBeLessThan(5 * Math.sqrt(variance / found.n));
    expect(Math.abs(found.variance - variance)).toBeLessThan(5 * Math.sqrt((fourth - variance ** 2) / found.n));
    expect(found.most - mean).toBeLessThanOrEqual(bound * (1 + 1e-6));
    expect(mean - found.least).toBeLessThanOrEqual(bound * (1 + 1e-6));
  });

  it('truncate between any bounds', async () => {
    const x = moments(await draw(init.truncatedNormal(1, { low: 1, high: 30 }), [5000]));
    expect(x.least).toBeGreaterThanOrEqual(1);
    // The mean of the tail beyond 1 is phi(1) / (1 - Phi(1)).
    expect(Math.abs(x.mean - 1.5251352761609807)).toBeLessThan(5 * Math.sqrt(0.1991 / x.n));
    expect(() => init.truncatedNormal(1, { low: 2, high: 1 })).toThrow(/below high/);
  });

  it.each([[[6, 4]], [[4, 6]], [[40, 40]], [[5, 2, 2, 3]], [[20, 2, 2, 3]]])(
    'orthogonal of %j is orthonormal, times its gain',
    async (sizes) => {
      const [rows, columns] = [sizes[0]!, sizes.slice(1).reduce((a, b) => a * b)];
      const w = await draw(init.orthogonal(2), sizes);
      const at = (i: number, k: number): number => (rows <= columns ? w[i * columns + k]! : w[k * columns + i]!);
      const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
      for (let i = 0; i < count; i++)
        for (let j = 0; j <= i; j++) {
          let dot = 0;
          for (let k = 0; k < length; k++) dot += at(i, k) * at(j, k);
          expect(Math.abs(dot - (i === j ? 4 : 0))).toBeLessThan(2e-6);
        }
    },
  );

  it('orthogonal comes from the seed, and is that of the normal draw', async () => {
    const one = await draw(init.orthogonal(), [3, 5], 11);
    expect(await draw(init.orthogonal(), [3, 5], 11)).toEqual(one);
    expect(await draw(init.orthogonal(), [3, 5], 12)).not.toEqual(one);
    expect(await draw(init.orthogonal(), [3, 5], -11)).not.toEqual(one);
    // Gram-Schmidt leaves the direction of the first row.
    const normals = (await draw(init.normal(), [3, 5], 11)).slice(0, 5);
    const norm = Math.hypot(...normals);
    normals.forEach((x, i) => expect(one[i]!).toBeCloseTo(x / norm, 6));
    expect(() => init.orthogonal()([4], { state: undefined as never, stream: 0 })).toThrow(/two axes/);
  });

  it('identity, dirac, constants', async () => {
    expect([...(await draw(init.identity(3), [2, 3]))]).toEqual([3, 0, 0, 0, 3, 0]);
    expect([...(await draw(init.constant(0.5), [2]))]).toEqual([0.5, 0.5]);
    const conv = new nn.Conv2d(3, 3, [3, 1], { padding: 'same', weightInit: init.dirac(), bias: false });
    const x = nn.unfold(1)((await import('pollux')).arange(0, 24).reshape([1, 4, 2, 3]) as never) as Tensor;
    const image = x.reshape([1, 4, 2, 3]);
    expect(await (conv.forward(image) as Tensor).data()).toEqual(await image.data());
    // Each of two groups of outputs hands on the inputs from the first on.
    const grouped = await draw(init.dirac(2), [4, 3, 2]);
    const ones = [...grouped].flatMap((value, i) => (value ? [[Math.floor(i / 6), Math.floor(i / 2) % 3, i % 2]] : []));
    expect(ones).toEqual([
      [0, 1, 0],
      [1, 1, 1],
      [2, 1, 0],
      [3, 1, 1],
    ]);
    expect(() => init.dirac()([2, 2], { state: undefined as never, stream: 0 })).toThrow(/window/);
  });

  it('sparse sets a share of each column to 0', async () => {
    const w = await draw(init.sparse(0.35, 2), [40, 25]);
    for (let j = 0; j < 25; j++) expect(Array.from({ length: 40 }, (_, i) => w[i * 25 + j]).filter((x) => x === 0).length).toBe(14);
    const rest = moments([...w].filter((x) => x !== 0));
    expect(Math.abs(rest.mean)).toBeLessThan((5 * 2) / Math.sqrt(rest.n));
    expect(Math.abs(rest.variance - 4)).toBeLessThan(5 * 4 * Math.sqrt(2 / rest.n));
    const first = (column: number) => Array.from({ length: 40 }, (_, i) => w[i * 25 + column] === 0);
    expect(first(0)).not.toEqual(first(1));
  });

  it('gains are PyTorch’s', () => {
    expect(init.calculateGain('linear')).toBe(1);
    expect(init.calculateGain('tanh')).toBe(5 / 3);
    expect(init.calculateGain('relu')).toBe(Math.SQRT2);
    expect(init.calculateGain('leakyRelu', 0.2)).toBeCloseTo(Math.sqrt(2 / 1.04), 12);
    expect(init.calculateGain('selu')).toBe(0.75);
    expect(() => init.calculateGain('swish' as never)).toThrow(/Known: linear/);
    expect(() => init.varianceScaling({ mode: 'fan' as never })).toThrow(/fanAverage/);
  });
});

describe('initialize', () => {
  it('draws matching parameters anew, from the seed', async () => {
    const make = () => new nn.Sequential(new nn.Linear(4, 8), nn.relu, new nn.Linear(8, 2));
    const drawAll = async () => {
      seed(5);
      const model = nn.initialize(nn.initialize(make(), /weight$/, init.orthogonal()), '2.bias', init.constant(3));
      return model.snapshot();
    };
    const found = await drawAll();
    expect([...found.get('2.bias')!.data]).toEqual([3, 3]);
    expect([...found.get('0.bias')!.data].some((x) => x !== 0)).toBe(true);
    const first = found.get('0.weight')!.data as Float32Array;
    expect(Math.hypot(...[0, 4, 8, 12, 16, 20, 24, 28].map((i) => first[i]!))).toBeCloseTo(1, 6);
    expect(await drawAll()).toEqual(found);
    expect(() => nn.initialize(make(), /scale/, init.ones)).toThrow(/no parameter matches/);
  });

  it('reaches a step that is compiled', async () => {
    const model = new nn.Linear(2, 2, { bias: false });
    const step = compile({ state: model }, (x: Tensor) => model.forward(x));
    const x = new nn.Parameter([1, 2], init.ones);
    await step(x as Tensor);
    nn.initialize(model, 'weight', init.identity());
    expect([...(await (await step(x as Tensor)).data())]).toEqual([1, 1]);
    expect(step.plans).toBe(1);
  });
});
