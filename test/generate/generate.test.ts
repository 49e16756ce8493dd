import { describe, expect, it } from 'vitest';
import { generate, type models, tensor } from '../../src/index.js';
import { argmaxByHand, logitsByHand, toy } from './toys.js';

const prompt = [3, 1, 4, 1, 5];

describe('greedy generation is argmax over the whole text, computed anew', () => {
  it.each(['gpt2', 'llama'] as const)('%s', async (kind) => {
    const model = toy(kind);
    const [found] = await generate.generate(model, prompt, { maxTokens: 20 });
    expect(found!.ids).toEqual(await argmaxByHand(model, prompt, 20));
    expect(found).toMatchObject({ reason: 'maxTokens', prompt: 0 });
    expect('text' in found!).toBe(false);
  });

  it('an encoder and a decoder; sources of different lengths', async () => {
    const model = toy('seq2seq') as models.Seq2SeqTransformer;
    const sources = [[7, 2, 9, 3], [4], [5, 5, 6, 8, 9, 9, 2]];
    const found = await generate.generate(model, sources, { maxTokens: 10 });
    for (const [i, source] of sources.entries()) {
      const ids = [model.startToken];
      for (let n = 0; n < 10; n++) {
        const logits = model.inMode(false, () => model.forward(tensor([source], 'int32'), tensor([ids], 'int32')));
        const last = ((await logits.toArray()) as number[][][])[0]!.at(-1)!;
        ids.push(last.indexOf(Math.max(...last)));
      }
      expect(found[i]!.ids).toEqual(ids.slice(1));
    }
  });
});

describe('a batch', () => {
  const prompts = [[3, 1, 4, 1, 5], [2], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 12, 13, 14, 15, 16, 17, 18]];

  it.each(['gpt2', 'llama'] as const)('gives what its prompts give one by one, ended ones too: %s', async (kind) => {
    const model = toy(kind);
    const free = await generate.generate(model, prompts, { maxTokens: 16 });
    const options = { maxTokens: 16, stopTokens: [free[0]!.ids[4]!, free[1]!.ids[7]!] };
    const together = await generate.generate(model, prompts, options);
    const alone = await Promise.all(prompts.map(async (one) => (await generate.generate(model, one, options))[0]!));
    expect(together).toEqual(alone.map((one, i) => ({ ...one, prompt: i })));
    expect(together[0]).toMatchObject({ reason: 'stopToken' });
    expect(together[0]!.ids).toEqual(free[0]!.ids.slice(0, free[0]!.ids.findIndex((id) => options.stopTokens.includes(id)) + 1));
  });

  it('comes as encodeBatch gives it', async () => {
    const model = toy('llama');
    const encoded = {
      ids: { data: Int32Array.of(3, 1, 4, 2, 0, 0), shape: [2, 3] as const, dtype: 'int32' as const },
      lengths: { data: Int32Array.of(3, 1), shape: [2] as const, dtype: 'int32' as const },
    };
    const found = await generate.generate(model, encoded, { maxTokens: 4 });
    expect(found).toEqual(await generate.generate(model, [[3, 1, 4], [2]], { maxTokens: 4 }));
    const left = {
      ...encoded,
      ids: { ...encoded.ids, data: Int32Array.of(3, 1, 4, 0, 0, 2) },
      mask: { data: Uint8Array.of(1, 1, 1, 0, 0, 1), shape: [2, 3] as const, dtype: 'bool' as const },
    };
    expect(await generate.generate(model, left, { maxTokens: 4 })).toEqual(found);
  });
});

describe('options', () => {
  it('a seed repeats the draws; another seed, and none, gives others', async () => {
    const model = toy('gpt2');
    const draw = async (seed?: number) =>
      (await generate.generate(model, prompt, { maxTokens: 24, temperature: 3, numberOfSequences: 2, seed })).map(({ ids }) => ids.join());
    const first = await draw(4);
    expect(await draw(4)).toEqual(first);
    expect(await draw(5)).not.toEqual(first);
    expect(await draw()).not.toEqual(await draw());
    expect(first[0]).not.toEqual(first[1]);
  });

  it('minTokens holds stop tokens back, forbidden tokens never come, bias brings others', async () => {
    const model = toy('llama');
    const free = (await generate.generate(model, prompt, { maxTokens: 12 }))[0]!.ids;
    const [stopped] = await generate.generate(model, prompt, { maxTokens: 12, minTokens: 5, stopTokens: free.slice(0, 4) });
    expect(stopped!.ids.length).toBeGreaterThan(5);
    expect(stopped!.ids.slice(0, 5).some((id) => free.slice(0, 4).includes(id))).toBe(false);
    const [without] = await generate.generate(model, prompt, { maxTokens: 12, forbiddenTokens: free });
    expect(without!.ids.some((id) => free.includes(id))).toBe(false);
    const [biased] = await generate.generate(model, prompt, { maxTokens: 3, logitBias: { 6: 1e4 } });
    expect(biased!.ids).toEqual([6, 6, 6]);
  });

  it('penalties and bans on runs as a plain loop applies them', async () => {
    const model = toy('gpt2');
    const ids = [...prompt];
    const made = new Array(model.vocabularySize).fill(0);
    for (let i = 0; i < 12; i++) {
      const logits = (await logitsByHand(model, ids)).map((x, id) => {
        const y = ids.includes(id) ? (x > 0 ? x / 1.4 : x * 1.4) : x;
        const z = y - Number(made[id] > 0) * 0.5 - made[id] * 0.3;
        const runs = ids.slice(0, -1).map((first, j) => `${first},${ids[j + 1]}`);
        return runs.includes(`${ids.at(-1)},${id}`) ? Number.NEGATIVE_INFINITY : z;
      });
      ids.push(logits.indexOf(Math.max(...logits)));
      made[ids.at(-1)!]++;
    }
    const options = { maxTokens: 12, repetitionPenalty: 1.4, presencePenalty: 0.5, frequencyPenalty: 0.3, noRepeatNgram: 2 };
    expect((await generate.generate(model, prompt, options))[0]!.ids).toEqual(ids.slice(prompt.length));
  });

  it('log probabilities are those of the model', async () => {
    const model = toy('llama');
    const [found] = await generate.generate(model, prompt, { maxTokens: 5, temperature: 2, seed: 3, logProbabilities: true });
    const ids = [...prompt];
    for (const [i, id] of found!.ids.entries()) {
      const logits = await logitsByHand(model, ids);
      const top = Math.max(...logits);
      const sum = top + Math.log(logits.reduce((total, x) => total + Math.exp(x - top), 0));
      expect(found!.logProbabilities![i]).toBeCloseTo(logits[id]! - sum, 3);
      ids.push(id);
    }
  });
});

describe('bad input', () => {
  const model = toy('llama', { maxLength: 16 });
  const cases: [string, () => Promise<unknown>, object][] = [
    ['an empty prompt', () => generate.generate(model, []), { code: 'INVALID_ARGUMENT' }],
    ['an empty prompt among others', () => generate.generate(model, [[1], []]), { message: expect.stringContaining('prompt 1 is empty') }],
    [
      'a token outside',
      () => generate.generate(model, [1, 23]),
      { message: expect.stringContaining('prompt 0: token 23 lies outside the vocabulary of 23') },
    ],
    ['no integer', () => generate.generate(model, [1.5]), { code: 'INDEX_OUT_OF_RANGE' }],
    [
      'a prompt that is too long',
      () => generate.generate(model, new Array(17).fill(1)),
      { code: 'CAPACITY_EXCEEDED', message: expect.stringMatching(/17 tokens.*capacity is 16.*maxLength 16/) },
    ],
    [
      'too many tokens',
      () => generate.generate(model, [1, 2], { maxTokens: 16 }),
      { code: 'CAPACITY_EXCEEDED', message: expect.stringContaining('at most 15') },
    ],
    ['a text without a tokenizer', () => generate.generate(model, 'text'), { message: expect.stringContaining('tokenizer') }],
    ['no prompt at all', () => generate.generate(model, null as never), { message: expect.stringContaining('a prompt is a string') }],
    ['a tensor', () => generate.generate(model, tensor([1, 2]) as never), { message: expect.stringContaining('a prompt is a string') }],
    ['topK 0', () => generate.generate(model, [1], { topK: 0 }), { message: expect.stringContaining('topK') }],
    ['topP 0', () => generate.generate(model, [1], { topP: 0 }), { message: expect.stringContaining('topP must be in (0, 1]') }],
    ['topP above 1', () => generate.generate(model, [1], { topP: 1.1 }), { message: expect.stringContaining('topP') }],
    ['minP', () => generate.generate(model, [1], { minP: -1 }), { message: expect.stringContaining('minP') }],
    [
      'a temperature below 0',
      () => generate.generate(model, [1], { temperature: -1 }),
      { message: expect.stringContaining('temperature') },
    ],
    [
      'a penalty of 0',
      () => generate.generate(model, [1], { repetitionPenalty: 0 }),
      { message: expect.stringContaining('repetitionPenalty') },
    ],
    [
      'beams with a temperature',
      () => generate.generate(model, [1], { beams: 2, temperature: 1 }),
      { message: expect.stringContaining('takes no temperature') },
    ],
    ['a length penalty without beams', () => generate.generate(model, [1], { lengthPenalty: 2 }), { code: 'INVALID_ARGUMENT' }],
    ['equal sequences', () => generate.generate(model, [1], { numberOfSequences: 2 }), { code: 'INVALID_ARGUMENT' }],
    ['a stop token outside', () => generate.generate(model, [1], { stopTokens: 40 }), { code: 'INDEX_OUT_OF_RANGE' }],
    ['an unknown option', () => generate.generate(model, [1], { topk: 2 } as never), { code: 'UNKNOWN_OPTION' }],
    ['all tokens forbidden', () => generate.generate(model, [1], { forbiddenTokens: [...Array(23).keys()] }), { code: 'NOT_FINITE' }],
  ];
  it.each(cases)('%s', async (_, run, expected) => {
    await expect(run()).rejects.toMatchObject(expected);
  });

  it('goes as far as the model can', async () => {
    const [found] = await generate.generate(model, [1, 2], { maxTokens: 15 });
    expect(found!.ids).toEqual(await argmaxByHand(model, [1, 2], 15));
    expect((await generate.generate(model, [1, 2]))[0]!.ids).toEqual(found!.ids);
  });
});
