import { compile, defineOp, grad, seed, type Tensor, tensor, uniform } from 'pollux';
import { beforeEach, describe, expect, test } from 'vitest';

const x = () => tensor([-1.5, -0.25, 0.75, 2]);
const cubeOp = defineOp({ name: 'cube', infer: ([a]) => a, decompose: ([a]) => a.mul(a).mul(a) });
const cube = (a: Tensor): Tensor => cubeOp([a]);

beforeEach(() => seed(1));

describe('defineOp', () => {
  test('gives value, gradient and gradient of the gradient by its decomposition', async () => {
    expect(await cube(x()).toArray()).toEqual([-3.375, -0.015625, 0.421875, 8]);
    const slope = grad((a: Tensor) => cube(a).sum());
    expect(await slope(x()).toArray()).toEqual([6.75, 0.1875, 1.6875, 12]);
    expect(await grad((a: Tensor) => slope(a).sum())(x()).toArray()).toEqual([-9, -1.5, 4.5, 12]);
  });

  test('has the same bits eager and compiled, and its name in the plan', async () => {
    const step = compile((a: Tensor) => ({ y: cube(a).sum(), slope: grad((b: Tensor) => cube(b).mul(0.3).sum())(a) }));
    const { slope } = await step(x());
    expect(await slope.data()).toEqual(await grad((b: Tensor) => cube(b).mul(0.3).sum())(x()).data());
    expect(step.explain()).toContain('cube');
  });

  test('takes a gradient of its own, and several outputs', async () => {
    const splitOp = defineOp<{ by: number }, Tensor[]>({
      name: 'signs',
      infer: ([a]) => [a, a],
      decompose: ([a], { by }) => [a.maximum(0).mul(by), a.minimum(0).mul(by)],
      gradient: ({ cotangents: [up], inputs: [a], attributes: { by } }) => up?.mul(by * 100).add(a.mul(0)),
    });
    const [up, down] = splitOp([x()], { by: 2 });
    expect(await up!.toArray()).toEqual([0, 0, 1.5, 4]);
    expect(await down!.toArray()).toEqual([-3, -0.5, 0, 0]);
    expect(await grad((a: Tensor) => splitOp([a], { by: 2 })[0]!.sum())(x()).toArray()).toEqual([200, 200, 200, 200]);
  });

  test('refuses a decomposition that does not give what infer says', async () => {
    const wrong = defineOp({ name: 'wrong', infer: ([a]) => a, decompose: ([a]) => a.sum() });
    await expect(wrong([x()]).evaluate()).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('wrong: infer says float32[4]'),
    });
  });

  test('refuses rules that read other tensors or draw', async () => {
    const other = tensor([1, 2, 3, 4]);
    const reads = defineOp({ name: 'reads', infer: ([a]) => a, decompose: ([a]) => a.add(other) });
    await expect(reads([x()]).evaluate()).rejects.toMatchObject({ code: 'CAPTURED_TENSOR' });
    const draws = defineOp({ name: 'draws', infer: ([a]) => a, decompose: ([a]) => a.add(uniform([4])) });
    await expect(draws([x()]).evaluate()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('draws') });
    expect(await cube(x()).toArray()).toHaveLength(4);
  });

  test('refuses a definition without its rules, and inputs that are no list', () => {
    expect(() => defineOp({ name: 'half' } as never)).toThrow(/half needs the function infer/);
    expect(() => cubeOp(x() as never)).toThrow(/cube: expected a list/);
    expect(() => cubeOp([3 as never])).toThrow(/cube: expected a tensor/);
  });
});
