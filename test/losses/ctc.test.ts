import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradientsOf, losses, type Tensor, tensor, text, zeros } from '../../src/index.js';

interface Case {
  shape: number[];
  logits: number[];
  targets: number[][];
  inputs: number[];
  lengths: number[];
  blank: number;
  zeroInfinity: boolean;
  reduction: 'mean' | 'sum' | 'none';
  loss: number[];
  gradient: number[];
}
const cases = JSON.parse(readFileSync(new URL('../fixtures/ctc.json', import.meta.url), 'utf8')) as Case[];
const integers = (list: number[] | number[][]) => tensor(list as number[], 'int32') as Tensor;

describe('ctc', () => {
  it.each(cases)("is PyTorch's: $shape, $reduction", async ({ shape, logits, targets, inputs, lengths, loss, gradient, ...options }) => {
    const x = tensor({ data: Float32Array.from(logits), shape }) as Tensor;
    const found: Tensor = losses.ctc(x.logSoftmax(-1), integers(targets), integers(inputs), integers(lengths), {
      blank: options.blank,
      zeroInfinity: options.zeroInfinity,
      reduction: options.reduction,
    });
    const [slope] = gradientsOf(found.sum(), [x]);
    for (const [i, value] of [...(await found.data())].entries()) expect(value).toBeCloseTo(loss[i]!, 5);
    for (const [i, value] of [...(await slope!.data())].entries()) expect(value).toBeCloseTo(gradient[i]!, 5);
  });

  it('is infinite where the labels do not fit, 0 where there is nothing to say', async () => {
    const x: Tensor = zeros([2, 2, 3]).logSoftmax(-1);
    const call = (options = {}) =>
      losses.ctc(
        x,
        integers([
          [1, 1],
          [1, 2],
        ]),
        integers([2, 0]),
        integers([2, 0]),
        { reduction: 'none', ...options },
      );
    expect(await call().toArray()).toEqual([Infinity, 0]);
    expect(await call({ zeroInfinity: true }).toArray()).toEqual([0, 0]);
  });

  it('names what it cannot take', async () => {
    const x: Tensor = zeros([2, 4, 3]);
    const ones = integers([1, 1]);
    const labels = integers([[1], [2]]);
    expect(() => losses.ctc(zeros([2, 3]) as Tensor, labels, ones, ones)).toThrow('[batch, steps, classes]');
    expect(() => losses.ctc(x, labels, integers([1]), ones)).toThrow('inputLengths');
    expect(() => losses.ctc(x, zeros([2, 1]) as Tensor, ones, ones)).toThrow('targets float32[2, 1] must be integers');
    expect(() => losses.ctc(x, labels, ones, ones, { blank: 3 })).toThrow('one of the 3 classes');
    await expect(losses.ctc(x, integers([[1], [7]]), ones, ones).toArray()).rejects.toMatchObject({
      code: 'LABEL_OUT_OF_RANGE',
      message: expect.stringContaining('ctc: label 7 of row 1'),
    });
  });

  it('is what a step descends, and its labels are read back', async () => {
    let logits: Tensor = zeros([2, 8, 4]);
    const targets = [
      [1, 2, 2],
      [3, 1, 0],
    ];
    for (let step = 0; step < 40; step++) {
      const loss = losses.ctc(logits.logSoftmax(-1), integers(targets), integers([8, 8]), integers([3, 2]), { reduction: 'sum' });
      logits = await logits.sub(gradientsOf(loss, [logits])[0]!).evaluate();
    }
    expect(await text.decodeCtc(logits)).toEqual([
      [1, 2, 2],
      [3, 1],
    ]);
    expect(await text.decodeCtc(logits, { lengths: [0, 8] })).toEqual([[], [3, 1]]);
  });
});
