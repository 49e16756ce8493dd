import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  bernoulli,
  checkpoint,
  compile,
  concat,
  grad,
  noGrad,
  normal,
  ones,
  Parameter,
  scan,
  seed,
  stack,
  type Stateful,
  type Tensor,
  tensor,
  uniform,
  valueAndGrad,
  where,
  zeros,
} from '../../src/tensor/index.js';

const rows = (x: Tensor): Tensor[] => Array.from({ length: x.shape[0]! }, (_, i) => x.at(i).get());

const w = tensor([
  [0.5, -0.3],
  [0.2, 0.8],
]);
const xs = tensor([[[1, 2]], [[-1, 0.5]], [[0.3, 0.1]], [[2, -2]]]);
const h0 = tensor([[0.1, -0.1]]);
const cell = (h: Tensor, x: Tensor): Tensor => h.matmul(w).add(x).tanh();
const looped = (h: Tensor, x: Tensor): Tensor => scan((c: Tensor, s: Tensor) => [cell(c, s), cell(c, s).square()], h, x)[1].sum();
const written = (h: Tensor, x: Tensor): Tensor => {
  let c = h;
  const ys = rows(x).map((s) => {
    c = cell(c, s);
    return c.square();
  });
  return stack(ys).sum();
};

describe('scan', () => {
  it('carries and stacks trees', async () => {
    const [{ total, steps }, [sums, both]] = scan(
      ({ total, steps }, { a, b }) => {
        const next = total.add(a.mul(b[0]!));
        return [{ total: next, steps: steps.add(1) }, [next, { x: steps, nothing: undefined }]] as const;
      },
      { total: tensor(0), steps: zeros([], 'int32') },
      { a: tensor([1, 2, 3]), b: [tensor([4, 5, 6])] },
    );
    expect(await total.toArray()).toBe(32);
    expect(await steps.toArray()).toBe(3);
    expect(await sums.toArray()).toEqual([4, 14, 32]);
    expect(both.nothing).toBeUndefined();
    expect(await both.x.toArray()).toEqual([0, 1, 2]);
  });

  it('runs without sequences, backwards, over one slice and over none', async () => {
    const doubled = scan((x: Tensor) => [x.mul(2), x], tensor(1), undefined, { length: 5 });
    expect(await doubled[0].toArray()).toBe(32);
    expect(await doubled[1].toArray()).toEqual([1, 2, 4, 8, 16]);
    const back = scan((c: Tensor, x: Tensor) => [c.add(x), c.add(x)], tensor(0), tensor([1, 2, 3]), { reverse: true });
    expect(await back[1].toArray()).toEqual([6, 5, 3]);
    const one = scan((c: Tensor, x: Tensor) => [c.add(x), x], tensor(1), tensor([7]));
    expect([await one[0].toArray(), await one[1].toArray()]).toEqual([8, [7]]);
    const none = scan((c: Tensor, x: Tensor) => [c.add(x), x.mul(2)], tensor(1), zeros([0, 3]).sum([1]));
    expect([await none[0].toArray(), none[1].shape]).toEqual([1, [0]]);
    const only = scan((c: Tensor) => [c.add(1)], tensor(1), undefined, { length: 3 });
    expect([await only[0].toArray(), only[1]]).toEqual([4, undefined]);
  });

  it('has the bits of the loop in JavaScript, eager and compiled, and its gradients within rounding', async () => {
    const bits = async (x: Tensor): Promise<number[]> => [...((await x.data()) as Float32Array)];
    expect(await bits(looped(h0, xs))).toEqual(await bits(written(h0, xs)));
    const compiled = compile((h: Tensor, x: Tensor, weight: Tensor) =>
      scan((c: Tensor, s: Tensor) => [c.matmul(weight).add(s).tanh(), c.matmul(weight).add(s).tanh().square()], h, x)[1].sum(),
    );
    expect(await bits(await compiled(h0, xs, w))).toEqual(await bits(written(h0, xs)));
    for (const argnums of [0, 1]) {
      const [found, expected] = [await bits(grad(looped, { argnums })(h0, xs)), await bits(grad(written, { argnums })(h0, xs))];
      found.forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 6));
    }
    const twice = (f: typeof looped) => grad((h: Tensor) => grad(f)(h, xs).square().sum());
    const [found, expected] = [await bits(twice(looped)(h0)), await bits(twice(written)(h0))];
    found.forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 6));
  });

  it('is recomputed as a whole inside a checkpoint, and may hold one', async () => {
    const expected = await grad(looped)(h0, xs).data();
    expect(await grad((h: Tensor) => checkpoint(looped)(h, xs))(h0).data()).toEqual(expected);
    const inner = (h: Tensor): Tensor => scan((c: Tensor, s: Tensor) => [checkpoint(cell)(c, s), cell(c, s).square()], h, xs)[1].sum();
    const found = await grad(inner)(h0).data();
    expected.forEach((x, i) => expect(found[i]).toBeCloseTo(x as number, 6));
    expect(await grad((h: Tensor) => noGrad(() => looped(h, xs)).add(h.sum()))(h0).toArray()).toEqual([[1, 1]]);
  });

  it('takes gradients inside of its body', async () => {
    // Newton-free descent: x' = x - 0.1 d/dx (x - 3)^2, ten times.
    const [x] = scan((x: Tensor) => [x.sub(grad((v: Tensor) => v.sub(3).square().sum())(x).mul(0.1))], tensor(0), undefined, {
      length: 10,
    });
    expect(await x.toArray()).toBeCloseTo(3 * (1 - 0.8 ** 10), 5);
  });

  it('draws other numbers in each iteration, the same for the same seed', async () => {
    const draws = () =>
      scan((c: Tensor) => [c, concat([uniform([3]), normal([3]), bernoulli([2]).cast('float32')])], tensor(0), undefined, { length: 4 })[1];
    seed(5);
    const first = (await draws().toArray()) as number[][];
    const again = (await draws().toArray()) as number[][];
    seed(5);
    expect(await draws().toArray()).toEqual(first);
    const uniforms = [...first, ...again].flatMap((row) => row.slice(0, 6));
    expect(new Set(uniforms).size).toBe(48);
    const step = compile((x: Tensor) => scan((c: Tensor) => [c.add(uniform([])), uniform([])], x, undefined, { length: 50 })[1]);
    seed(1);
    const a = await (await step(tensor(0))).data();
    const b = await (await step(tensor(0))).data();
    seed(1);
    expect(await (await step(tensor(0))).data()).toEqual(a);
    expect(new Set([...a, ...b]).size).toBe(100);
  });

  it('draws other numbers in a loop in a loop too', async () => {
    const [, ys] = scan(
      (c: Tensor) => {
        const [, inner] = scan((d: Tensor) => [d, uniform([2])], c, undefined, { length: 3 });
        return [c, concat([inner.reshape([6]), uniform([2])])];
      },
      tensor(0),
      undefined,
      { length: 4 },
    );
    expect(new Set(await ys.data()).size).toBe(32);
  });

  it('keeps the mask of dropout for the gradient', async () => {
    const [value, slope] = valueAndGrad((x: Tensor) =>
      scan((c: Tensor, s: Tensor) => [c, where(uniform([4]).less(0.5), s, 0)], tensor(0), x)[1].sum(),
    )(tensor(Array.from({ length: 8 }, () => [1, 1, 1, 1])));
    const mask = await slope.data();
    expect(mask.every((x) => x === 0 || x === 1)).toBe(true);
    expect(await value.toArray()).toBe(mask.reduce((a, b) => Number(a) + Number(b), 0));
  });

  it('trains parameters of declared state in one plan', async () => {
    class Model implements Stateful {
      readonly weight = new Parameter(
        [2, 2],
        () =>
          tensor([
            [0.1, 0.2],
            [0.3, 0.4],
          ]).value,
      );
      visitState(visit: (path: string, tensor: Tensor) => void): void {
        visit('weight', this.weight);
      }
      stateKey(): string {
        return '';
      }
    }
    const model = new Model();
    const step = compile({ state: model }, (xs: Tensor) => {
      const loss = scan((h: Tensor, x: Tensor) => [h.matmul(model.weight).add(x).tanh(), h], h0, xs)[0]
        .square()
        .mean();
      return loss;
    });
    await expect(step(xs)).rejects.toThrow(/h0|CAPTURED|from outside/);
    const good = compile({ state: model }, (xs: Tensor, h: Tensor) =>
      scan((c: Tensor, x: Tensor) => [c.matmul(model.weight).add(x).tanh()], h, xs)[0]
        .square()
        .mean(),
    );
    expect((await good(xs, h0)).item()).toBeGreaterThan(0);
    const bad = compile({ state: model }, (xs: Tensor, h: Tensor) =>
      scan(
        (c: Tensor, x: Tensor) => {
          model.weight.assign(model.weight.mul(2));
          return [c.add(x)];
        },
        h,
        xs,
      )[0].sum(),
    );
    await expect(bad(xs, h0)).rejects.toThrow(/the body assigns to weight/);
  });

  it('shows the loop, and measures its body', async () => {
    const step = compile((x: Tensor) => scan((c: Tensor, s: Tensor) => [c.add(s).tanh()], zeros([2]), x)[0]);
    const table = await step.profile(normal([100, 2]));
    expect(table).toMatch(/scan +100 iterations of what follows/);
    expect(table).toMatch(/\n2 {4}elementwise +add\+tanh/);
  });

  it('names what goes wrong in an iteration', async () => {
    const picked = scan(
      (c: Tensor, i: Tensor<readonly [], 'int32'>) => [c, tensor([1, 2, 3]).gather(i)],
      tensor(0),
      tensor([0, 1, 9], 'int32'),
    );
    await expect(picked[1].toArray()).rejects.toThrow(/Index 9/);
  });

  it('names the op that makes the first NaN in an iteration', async () => {
    const step = compile({ debug: true }, (x: Tensor) => scan((c: Tensor, s: Tensor) => [c.sub(s).log()], tensor(3), x)[0]);
    await expect(step(ones([4]))).rejects.toThrow(/log.* made the first NaN or infinity/);
  });

  it('takes slices of no elements', async () => {
    const [last, all] = scan((c: Tensor, s: Tensor) => [c.add(s.sum()), s.mul(2)], tensor(1), zeros([3, 0, 2]));
    expect([await last.toArray(), all.shape]).toEqual([1, [3, 0, 2]]);
    expect(await all.sum().toArray()).toBe(0);
  });

  it('lists the numbers that are part of its body', async () => {
    const step = compile((x: Tensor) => scan((c: Tensor, s: Tensor) => [c.add(s.mul(1.25))], zeros([]), x)[0]);
    await step(ones([4]));
    expect(step.explain()).toMatch(/frozen numbers: .*1\.25/);
  });

  it('stops between two steps of an iteration when it is told to, and blocks nothing', async () => {
    const step = compile((x: Tensor) => scan((c: Tensor) => [c.matmul(c).tanh()], x, undefined, { length: 100_000 })[0]);
    const controller = new AbortController();
    const running = step.run([zeros([64, 64])], { signal: controller.signal });
    const late = performance.now();
    setTimeout(() => controller.abort(), 30);
    await expect(running).rejects.toThrow(/aborted/);
    expect(performance.now() - late).toBeLessThan(2000);
  });

  it('makes no plan for what it has seen', async () => {
    const known = compile((x: Tensor) => scan((c: Tensor, s: Tensor) => [c.add(s)], zeros([2]), x)[0]);
    await known(normal([7, 2]));
    await known(normal([7, 2]));
    expect(known.plans).toBe(1);
  });
});

describe('scan refuses', () => {
  const x = tensor([1, 2, 3]);
  it.each([
    [
      'a carry of another shape',
      () => scan((c: Tensor, s: Tensor) => [c.add(s).reshape([1])], tensor(0), x),
      /the carry is float32\[\] at first, but the body returns float32\[1\]/,
    ],
    [
      'a carry of another dtype, by its path',
      () => scan((c: { n: Tensor; h: Tensor[] }) => [{ n: c.n, h: [c.h[0]!.cast('int32')] }], { n: tensor(0), h: [tensor(0)] }, x),
      /carry h\[0\] is float32\[\] at first, but the body returns int32\[\]/,
    ],
    [
      'a carry that is lost',
      () => scan((c: { a: Tensor; b?: Tensor }) => [{ a: c.a }], { a: tensor(0), b: tensor(0) }, x),
      /carry b .* nothing in its place/,
    ],
    [
      'sequences of different lengths',
      () => scan((c: Tensor) => [c], tensor(0), { a: x, b: tensor([1, 2]) }),
      /sequence b is float32\[2\], but the loop runs over a first axis of size 3/,
    ],
    ['a scalar as a sequence', () => scan((c: Tensor) => [c], tensor(0), tensor(1)), /first axis/],
    ['a length that differs', () => scan((c: Tensor) => [c], tensor(0), x, { length: 4 }), /size 4/],
    ['no length at all', () => scan((c: Tensor) => [c], tensor(0)), /number of iterations must be given/],
    ['a length that is no number', () => scan((c: Tensor) => [c], tensor(0), undefined, { length: -1 }), /length -1/],
    ['an unknown option', () => scan((c: Tensor) => [c], tensor(0), x, { backwards: true } as object), /backwards/],
    ['an async body', () => scan((async (c: Tensor) => [c]) as never, tensor(0), x), /synchronous/],
    ['a body that returns no pair', () => scan(((c: Tensor) => c) as never, tensor(0), x), /must return \[carry, y\]/],
    ['numbers', () => scan(((c: Tensor) => [c, 1]) as never, tensor(0), x), /number/],
    ['no function', () => scan(3 as never, tensor(0), x), /expected a function/],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});

it('what stands for a value inside of a loop has none outside', async () => {
  const leaked: Tensor[] = [];
  scan((c: Tensor) => [c, leaked.push(c.mul(2)) ? c : c], tensor(1), undefined, { length: 3 });
  await expect(leaked[0]!.toArray()).rejects.toThrow(expect.objectContaining({ code: 'CAPTURED_TENSOR' }));
});

it('keeps shapes and dtypes in types', () => {
  const [state, ys] = scan(
    (c, x) => {
      expectTypeOf(x).toEqualTypeOf<Tensor<readonly [2, 3], 'float32'>>();
      return [
        { h: x.add(c.h), n: c.n.add(1) },
        { y: x.transpose(), all: [c.n] },
      ];
    },
    { h: zeros([2, 3]), n: zeros([], 'int32') },
    zeros([5, 2, 3]),
  );
  expectTypeOf(state.h).toEqualTypeOf<Tensor<readonly [2, 3], 'float32'>>();
  expectTypeOf(state.n.dtype).toEqualTypeOf<'int32'>();
  expectTypeOf(ys.all[0]!).toEqualTypeOf<Tensor<readonly [number], 'int32'>>();
  expect([ys.y.shape, ys.all[0]!.shape]).toEqual([[5, 3, 2], [5]]);
});

it('a long loop compiles and runs as fast as its steps', async () => {
  const begin = performance.now();
  const [last] = scan((c: Tensor, s: Tensor) => [c.add(s)], tensor(0), ones([20_000]));
  expect(await last.toArray()).toBe(20_000);
  expect(performance.now() - begin).toBeLessThan(2000);
});
