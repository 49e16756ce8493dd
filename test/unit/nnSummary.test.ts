// The table of a model: every kind of layer, several inputs, levels, totals counted by hand.
import { nn, type Tensor, zeros } from 'pollux';
import { describe, expect, it } from 'vitest';

/** path: [layer, output, parameters, FLOPs]. */
function rows(text: string): Record<string, [string, string, number, number]> {
  const lines = text.split('\n');
  const table = lines.slice(1, lines.indexOf(''));
  return Object.fromEntries(
    table.map((line) => {
      const cells = line.split(/ {2,}/);
      const [path, layer, output, parameters, flops] = cells as [string, string, string, string, string];
      return [path, [layer, output, Number(parameters.replaceAll(',', '')), Number(flops.replaceAll(',', ''))]];
    }),
  );
}
const total = (text: string): number => Number(/^([\d,]+) FLOPs/m.exec(text)![1]!.replaceAll(',', ''));

describe('summary', () => {
  it('of recurrent layers shows what they give, and their products', () => {
    const text = new nn.Sequential(new nn.LastState(new nn.RNN(8, 16)), new nn.Linear(16, 3)).summary([2, 5, 8]);
    const found = rows(text);
    expect(found['0.layer']![0]).toBe('RNN');
    expect(found['0.layer']![2]).toBe(16 * 8 + 16 * 16 + 2 * 16);
    // Both products of each step; what else there is (biases, tanh) is a dozen operations for each number.
    const products = 2 * 10 * (16 * 8 + 16 * 16);
    expect(found['0.layer']![3]).toBeGreaterThanOrEqual(products);
    expect(found['0.layer']![3]).toBeLessThan(products + 12 * 10 * 16);
    expect(found['1']).toEqual(['Linear', '[2, 3]', 51, 2 * 2 * 16 * 3 + 6]);
  });

  it('of transformers: products of attention and feed-forward, to any depth', () => {
    const model = new nn.TransformerEncoder(2, 16, 4, { hiddenSize: 32, dropout: 0 });
    const found = rows(model.summary([1, 10, 16]));
    expect(found['layers.0.selfAttention.query']).toEqual(['Linear', '[1, 10, 16]', 272, 2 * 10 * 16 * 16 + 160]);
    expect(found['layers.1.selfAttention']![3]).toBeGreaterThanOrEqual(2 * 2 * 4 * 10 * 10 * 4);
    expect(found['layers.1.feedForward.up']).toEqual(['Linear', '[1, 10, 32]', 16 * 32 + 32, 2 * 10 * 16 * 32 + 320]);
    const shallow = rows(model.summary([1, 10, 16], { depth: 1 }));
    expect(Object.keys(shallow)).toEqual(['layers.0', 'layers.1']);
    const [, output, parameters, flops] = shallow['layers.0']!;
    expect([output, parameters]).toEqual(['[1, 10, 16]', 4 * 272 + 544 + 528 + 64]);
    const deep = Object.entries(found).filter(([path]) => path.startsWith('layers.0'));
    expect(deep.reduce((sum, [, row]) => sum + row[3], 0)).toBe(flops);
    expect(total(model.summary([1, 10, 16], { depth: 1 }))).toBe(total(model.summary([1, 10, 16])));
  });

  it('of models with several inputs, and with inputs of other kinds', () => {
    const decoder = rows(
      new nn.TransformerDecoder(1, 8, 2, { hiddenSize: 8 }).summary([
        [1, 5, 8],
        [1, 3, 8],
      ]),
    );
    expect(decoder['layers.0.crossAttention.key']).toEqual(['Linear', '[1, 3, 8]', 72, 2 * 3 * 64 + 24]);
    const graph = new nn.Graph({
      inputs: ['a', 'b'],
      layers: { left: [new nn.Linear(3, 4), 'a'], right: [new nn.Linear(2, 4), 'b'], both: [nn.add, 'left', 'right'] },
      output: 'both',
    });
    const wired = rows(
      graph.summary([
        [5, 3],
        [5, 2],
      ]),
    );
    expect(Object.keys(wired)).toEqual(['left', 'right', 'both']);
    expect(wired['both']).toEqual(['add', '[5, 4]', 0, 20]);
    const pyramid = rows(new nn.FeaturePyramid([8, 16], 4).summary(() => [[zeros([1, 8, 8, 8]), zeros([1, 4, 4, 16])]]));
    expect(pyramid['lateral.1']).toEqual(['Conv2d', '[1, 4, 4, 4]', 68, 2 * 16 * 16 * 4 + 64]);
    expect(pyramid['smooth.0']).toEqual(['Conv2d', '[1, 8, 8, 4]', 148, expect.any(Number)]);
    const words = rows(new nn.Sequential(new nn.Embedding(10, 4), new nn.Linear(4, 2)).summary([2, 7], { dtype: 'int32' }));
    expect(words['0']).toEqual(['Embedding', '[2, 7, 4]', 40, expect.any(Number)]);
  });

  it('of blocks, containers and parts that were added shows their paths', () => {
    const model = new nn.Sequential(
      nn.weightNorm(new nn.Linear(4, 4)),
      new nn.Residual(new nn.Sequential(new nn.Linear(4, 4), nn.relu), { scale: 0.5 }),
      new nn.Parallel([new nn.Linear(4, 3), nn.tanh]),
      new nn.DenseBlock(new nn.Linear(7, 2)),
      new nn.Linear(9, 1),
    );
    nn.lora(model, { rank: 2, match: '4' });
    const text = model.summary([3, 4]);
    const found = rows(text);
    for (const path of ['0', '1.body.0', '1.body.1', '2.0', '2.1', '3.0', '4', '4.lora.down', '4.lora.up'])
      expect(Object.keys(found)).toContain(path);
    expect(found['0.weight']![2]).toBe(16 + 4);
    expect(found['4.lora.down']).toEqual(['Linear', '[3, 2]', 18, 2 * 3 * 9 * 2]);
    const frozen = 16 + 4 + 4 + 20 + 15 + 16 + 10;
    expect(text).toContain(`${frozen + 20} parameters, ${frozen} of them frozen`);
  });

  it('leaves no trace: hooks are gone, nothing is drawn', () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const key = model.stateKey();
    model.summary([1, 2]);
    expect(model.stateKey()).toBe(key);
    expect((model.get('0.weight') as Tensor).storage()).toBeUndefined();
  });
});
