import { models, nn, seed, type Tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { bits, expectCode } from './support.js';

describe('summary', () => {
  it('lists layers, shapes, parameters and FLOPs', () => {
    const lines = models.articleCnn().summary([2, 28, 28, 1]).split('\n');
    expect(lines).toEqual([
      'path  layer            output           parameters      FLOPs',
      '0     Conv2d           [2, 26, 26, 32]         320    822,016',
      // The maximum is taken first, on a quarter as many numbers left for relu.
      '2     maxPool2d, relu  [2, 13, 13, 32]           0     54,080',
      '3     reshape          [2, 5408]                 0          0',
      '4     Linear           [2, 64]             346,176  1,384,576',
      '5     relu             [2, 64]                   0        128',
      '6     Linear           [2, 10]                 650      2,580',
      '',
      '2,263,380 FLOPs forward',
      '347,146 parameters',
      '',
    ]);
  });

  it('of a custom model names paths, counts tied weights once, and tells what is frozen and what is not used', () => {
    class Tied extends nn.Module {
      first = new nn.Linear(4, 4);
      again = this.first;
      norm = new nn.BatchNorm(4);
      spare = new nn.Linear(2, 2);
      scale = new nn.Parameter([4], nn.init.ones);
      forward(x: Tensor): Tensor {
        return this.norm.forward(this.again.forward(this.first.forward(x))).mul(this.scale);
      }
    }
    const model = new Tied();
    model.freeze('norm');
    const text = model.summary([3, 4]);
    expect(text).toMatch(/^first +Linear +\[3, 4\] +20 /m);
    expect(text).toMatch(/^norm +BatchNorm +\[3, 4\] +8 /m);
    expect(text).toMatch(/^spare +Linear +not used +6 +0$/m);
    expect(text).toMatch(/^\(model\) +Tied +\[3, 4\] +4 +12$/m);
    expect(text).toContain('38 parameters, 8 of them frozen');
    expect(model.summary()).toMatch(/^norm +BatchNorm +8$/m);
  });

  it('neither draws nor changes anything', async () => {
    const make = () => {
      seed(3);
      return models.mnistCnn();
    };
    const plain = await bits(make());
    const model = make();
    model.summary([1, 28, 28, 1]);
    expect(await bits(model)).toEqual(plain);
    expect(model.training).toBe(true);
  });

  it('refuses an input that does not fit', async () => {
    await expectCode(() => models.articleCnn().summary([2, 28, 28, 3]), 'SHAPE_MISMATCH', 'Conv2d', '[2, 28, 28, 3]');
    await expectCode(() => models.articleCnn().summary([1, 28, 28, 1], { dtpe: 'int32' } as never), 'UNKNOWN_OPTION', '"dtype"');
  });
});
