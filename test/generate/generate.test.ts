import { describe, expect, it } from 'vitest';
import { generate, type models, seed, tensor } from '../../src/index.js';
import { argmaxByHand, toy } from './toys.js';

describe('greedy generation is argmax over the whole text, computed anew', () => {
  it.each(['gpt2', 'llama'] as const)('%s', async (kind) => {
    const model = toy(kind);
    const prompt = [3, 1, 4, 1, 5];
    const [found] = await generate.generate(model, prompt, { maxTokens: 20 });
    expect(found!.ids).toEqual(await argmaxByHand(model, prompt, 20));
    expect(found).toMatchObject({ reason: 'maxTokens', prompt: 0 });
    expect('text' in found!).toBe(false);
  });

  it('an encoder and a decoder', async () => {
    const model = toy('seq2seq') as models.Seq2SeqTransformer;
    const source = [7, 2, 9, 3];
    const ids = [model.startToken];
    for (let i = 0; i < 12; i++) {
      const logits = model.inMode(false, () => model.forward(tensor([source], 'int32'), tensor([ids], 'int32')));
      const last = ((await logits.toArray()) as number[][][])[0]!.at(-1)!;
      ids.push(last.indexOf(Math.max(...last)));
    }
    const [found] = await generate.generate(model, source, { maxTokens: 12 });
    expect(found!.ids).toEqual(ids.slice(1));
    void seed;
  });
});
