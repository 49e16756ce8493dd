import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradientsOf, nn, Parameter, type Tensor, tensor } from '../../src/index.js';

type Function = (x: Tensor) => Tensor;

/** The functions of test/fixtures/make_functions.py. */
const functions: Record<string, Function> = {
  leakyRelu: nn.leakyRelu(0.1),
  elu: nn.elu(1.5),
  selu: nn.selu,
  celu: nn.celu(2),
  hardTanh: nn.hardTanh(-0.5, 2.5),
  relu6: nn.relu6,
  hardSigmoid: nn.hardSigmoid,
  mish: nn.mish,
  softSign: nn.softSign,
  tanhShrink: nn.tanhShrink,
  softShrink: nn.softShrink(),
  hardShrink: nn.hardShrink(),
  logSigmoid: nn.logSigmoid,
  threshold: nn.threshold(0.5, -2),
  clamp: (x) => x.clamp(-1, 2.5),
  trunc: (x) => x.trunc(),
  frac: (x) => x.frac(),
  sinc: (x) => x.sinc(),
  fmod: (x) => x.fmod(1.75),
  remainder: (x) => x.remainder(-1.75),
  copysign: (x) => x.copysign(-2),
  logAddExp: (x) => x.logAddExp(0.5),
  xlogy: (x) => x.xlogy(0),
  hypot: (x) => x.hypot(3),
  logit: (x) => x.logit(),
  logitClamped: (x) => x.logit(0.01),
  atanh: (x) => x.atanh(),
  asin: (x) => x.asin(),
  acos: (x) => x.acos(),
  erfinv: (x) => x.erfinv(),
  digamma: (x) => x.digamma(),
  lgamma: (x) => x.lgamma(),
  asinh: (x) => x.asinh(),
  sinh: (x) => x.sinh(),
  cosh: (x) => x.cosh(),
};

type Fixture = { x: number[]; y: string[]; slope: string[] };
const fixtures: Record<string, Fixture> = JSON.parse(readFileSync(new URL('../fixtures/functions.json', import.meta.url), 'utf8'));

const number = (text: string): number =>
  text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text === 'nan' ? Number.NaN : text);

/** Relative to the size of the numbers met: float32 rounding, a few times over. */
function expectAll(found: ArrayLike<number>, wanted: readonly string[], x: readonly number[], what: string): void {
  wanted.forEach((text, i) => {
    const expected = number(text);
    if (!Number.isFinite(expected)) expect(found[i], `${what} at ${x[i]}`).toBe(expected);
    else
      expect(Math.abs(found[i]! - expected), `${what} at ${x[i]}: ${found[i]}, not ${expected}`).toBeLessThanOrEqual(
        3e-6 * (1e-3 + Math.abs(expected)),
      );
  });
}

describe('elementwise functions are those of PyTorch, their derivatives too', () => {
  it('has a function for each fixture', () => {
    expect(Object.keys(functions).sort()).toEqual(Object.keys(fixtures).sort());
  });

  it.each(Object.keys(functions))('%s', async (name) => {
    const { x, y, slope } = fixtures[name]!;
    const input = tensor(x);
    const output = functions[name]!(input);
    const [gradient] = gradientsOf(output.sum(), [input]);
    expectAll(await output.data(), y, x, name);
    expectAll(await gradient!.data(), slope, x, `the slope of ${name}`);
  });
});

describe('functions of numbers that are none', () => {
  const odd = tensor([Number.NaN, Infinity, -Infinity, 1]);

  it('isInf, nanToNum, isClose', async () => {
    expect([...(await odd.isInf().data())]).toEqual([0, 1, 1, 0]);
    const largest = 2 ** 128 * (1 - 2 ** -24);
    expect([...(await odd.nanToNum().data())]).toEqual([0, largest, -largest, 1]);
    expect([...(await odd.nanToNum({ nan: 7, positive: 8, negative: 9 }).data())]).toEqual([7, 8, 9, 1]);
    expect([...(await odd.isClose(odd).data())]).toEqual([0, 1, 1, 1]);
    expect([...(await odd.isClose(odd, { equalNan: true }).data())]).toEqual([1, 1, 1, 1]);
    expect([...(await odd.isClose(1).data())]).toEqual([0, 0, 0, 1]);
    expect(
      await tensor([1, 2])
        .allClose(tensor([1.000001, 2]))
        .toArray(),
    ).toBe(true);
    expect(
      await tensor([1, 2])
        .allClose(tensor([1.1, 2]))
        .toArray(),
    ).toBe(false);
  });

  it('logAddExp of equal infinities, copysign and heaviside at zero', async () => {
    const both = tensor([Infinity, -Infinity, -Infinity]);
    expect([...(await both.logAddExp(tensor([Infinity, -Infinity, 2])).data())]).toEqual([Infinity, -Infinity, 2]);
    expect([
      ...(await tensor([3, -3, 3])
        .copysign(tensor([-0, 0, -1]))
        .data()),
    ]).toEqual([-3, 3, -3]);
    expect([...(await tensor([-1, 0, 2]).heaviside(0.5).data())]).toEqual([0, 0.5, 1]);
  });
});

describe('functions of several tensors', () => {
  it('lerp is exact at both ends; clamp takes tensors', async () => {
    const [a, b] = [tensor([1e8, -3, 0.1]), tensor([1, 5, 0.7])];
    expect([...(await a.lerp(b, 0).data())]).toEqual([...(await a.data())]);
    expect([...(await a.lerp(b, tensor([1, 1, 1])).data())]).toEqual([...(await b.data())]);
    expect([
      ...(await tensor([-5, 0, 5])
        .clamp(tensor([-1, 1, -1]), tensor([1, 2, 3]))
        .data()),
    ]).toEqual([-1, 1, 3]);
    expect([...(await tensor([-5, 5]).clamp(undefined, 0).data())]).toEqual([-5, 0]);
  });

  it('PReLU learns its slope, of all channels or of each', async () => {
    const x = tensor([
      [-2, 1],
      [-1, -4],
    ]);
    const layer = new nn.PReLU(2);
    expect(layer.weight).toBeInstanceOf(Parameter);
    const y = layer.forward(x);
    const [slope] = gradientsOf(y.sum(), [layer.weight]);
    expect([...(await y.data())]).toEqual([-0.5, 1, -0.25, -1]);
    expect([...(await slope!.data())]).toEqual([-3, -4]);
    expect([...(await new nn.PReLU().forward(x).data())]).toEqual([-0.5, 1, -0.25, -1]);
    expect(() => new nn.PReLU(3).forward(x)).toThrow(/channels/);
  });

  it('glu gates one half of an axis with the other', async () => {
    const y = await nn
      .glu()(tensor([[1, 2, 0, 100]]))
      .data();
    expect([...y]).toEqual([0.5, 2]);
    expect(() => nn.glu()(tensor([1, 2, 3]))).toThrow(/halves/);
  });
});
