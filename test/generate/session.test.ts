import { describe, expect, it, vi } from 'vitest';
import { generate, type models, PolluxError, tensor, type Tensor } from '../../src/index.js';
import { argmaxByHand, toy } from './toys.js';

const prompt = [3, 1, 4, 1, 5];
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe('a session', () => {
  it('goes on where it was, with more prompt or none, and reads nothing twice', async () => {
    const model = toy('llama');
    const caches = vi.spyOn(model, 'newCaches');
    const session = new generate.Session(model);
    const first = (await session.generate(prompt, { maxTokens: 6 }))[0]!.ids;
    expect(first).toEqual(await argmaxByHand(model, prompt, 6));
    const then = [...prompt, ...first, 9, 9];
    const second = (await session.generate([9, 9], { maxTokens: 5 }))[0]!.ids;
    expect(second).toEqual(await argmaxByHand(model, then, 5));
    const third = (await session.generate(undefined, { maxTokens: 4 }))[0]!.ids;
    expect(third).toEqual(await argmaxByHand(model, [...then, ...second], 4));
    expect(session.ids).toEqual([[...then, ...second, ...third]]);
    expect(caches).toHaveBeenCalledTimes(1);
    session.reset();
    expect((await session.generate(prompt, { maxTokens: 6 }))[0]!.ids).toEqual(first);
  });

  it('has one plan for prompts and one for all tokens, whatever the settings', async () => {
    const session = new generate.Session(toy('gpt2'));
    for (const [i, given] of [
      { temperature: 0.7, topP: 0.9 },
      { temperature: 1.3, topP: 0.4, minP: 0.1 },
      { topP: 0.7, seed: 3, minTokens: 2, stopTokens: [1, 2] },
    ].entries()) {
      session.reset();
      await session.generate(
        Array.from({ length: 2 + 3 * i }, (_, j) => j),
        { ...given, maxTokens: 20 },
      );
    }
    expect(session.plans).toBe(2);
  });

  it('keeps texts of different lengths apart', async () => {
    const model = toy('gpt2');
    const session = new generate.Session(model, { batch: 2 });
    const stop = (await argmaxByHand(model, prompt, 3))[2]!;
    const texts = [prompt, [2, 7]];
    const first = await session.generate(texts, { maxTokens: 6, stopTokens: stop });
    expect(first[0]!.reason).toBe('stopToken');
    const more = [[4], [8, 8, 8]];
    const second = await session.generate(more, { maxTokens: 5 });
    for (const i of [0, 1]) {
      const so = [...texts[i]!, ...first[i]!.ids, ...more[i]!];
      expect(second[i]!.ids).toEqual(await argmaxByHand(model, so, 5));
    }
  });

  it('reads a new source each time, where the model has an encoder', async () => {
    const model = toy('seq2seq') as models.Seq2SeqTransformer;
    const session = new generate.Session(model);
    for (const source of [[7, 2, 9, 3], [4]]) {
      const [alone] = await generate.generate(model, source, { maxTokens: 8 });
      const [half] = await session.generate(source, { maxTokens: 3 });
      const [rest] = await session.generate(undefined, { maxTokens: 5 });
      expect([...half!.ids, ...rest!.ids]).toEqual(alone!.ids);
    }
  });

  it('that is broken off or aborted goes on from what was delivered, and runs one token ahead at most', async () => {
    const model = toy('gpt2');
    const made: models.Gpt2['newCaches'] = model.newCaches.bind(model) as never;
    let length = async (): Promise<number[]> => [];
    vi.spyOn(model as models.Gpt2, 'newCaches').mockImplementation((batch, capacity) => {
      const caches = made(batch, capacity);
      length = () => caches[0]!.length();
      return caches;
    });
    const expected = await argmaxByHand(model, prompt, 20);
    const session = new generate.Session(model);
    const found: number[] = [];
    for await (const { token } of session.stream(prompt, { maxTokens: 20 })) {
      found.push(token);
      await pause();
      expect((await length())[0]).toBeLessThanOrEqual(prompt.length + found.length);
      if (found.length === 4) break;
    }
    expect(session.ids[0]).toEqual([...prompt, ...expected.slice(0, 4)]);
    const stop = new AbortController();
    const aborted = (async () => {
      for await (const { token } of session.stream(undefined, { maxTokens: 20, signal: stop.signal })) {
        found.push(token);
        if (found.length === 9) stop.abort(new Error('enough'));
      }
    })();
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(session.ids[0]).toEqual([...prompt, ...found]);
    found.push(...(await session.generate(undefined, { maxTokens: 20 - found.length }))[0]!.ids);
    expect(found).toEqual(expected);
    await expect(session.generate(undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('that meets NaN fails, keeps its text, and goes on once the model is mended', async () => {
    const model = toy('llama') as models.Llama;
    const expected = await argmaxByHand(model, prompt, 14);
    const session = new generate.Session(model);
    // The first token that was not read before: feeding it is what fails.
    const at = expected.findIndex((id, i) => i >= 2 && ![...prompt, ...expected.slice(0, i)].includes(id));
    expect(at).toBeGreaterThan(0);
    const bad = expected[at]!;
    const weights = (await model.tokens.weight.data()) as Float32Array;
    const broken = weights.slice().fill(Number.NaN, bad * 16, bad * 16 + 16);
    const put = (data: Float32Array): void => model.tokens.weight.assign(tensor({ data, shape: [...model.tokens.weight.shape] }) as never);
    put(broken);
    await expect(session.generate(prompt, { maxTokens: 14 })).rejects.toMatchObject({ code: 'NOT_FINITE' });
    expect(session.ids[0]).toEqual([...prompt, ...expected.slice(0, at + 1)]);
    put(weights);
    expect((await session.generate(undefined, { maxTokens: 13 - at }))[0]!.ids).toEqual(expected.slice(at + 1));
  });

  it('sees weights that are trained or loaded between its calls', async () => {
    const model = toy('llama') as models.Llama;
    const session = new generate.Session(model);
    await session.generate(prompt, { maxTokens: 2 });
    const head = model.head!.weight;
    (head as Tensor).assign((head as Tensor).mul(-1) as never);
    session.reset();
    expect((await session.generate(prompt, { maxTokens: 5 }))[0]!.ids).toEqual(await argmaxByHand(model, prompt, 5));
  });

  it('refuses what cannot be', async () => {
    const session = new generate.Session(toy('llama'), { capacity: 12 });
    await expect(session.generate(undefined)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(session.generate([[1], [2]])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await expect(session.generate(new Array(13).fill(1))).rejects.toThrow(
      /13 tokens is too long: the capacity is 12 tokens, the model's maxLength 64/,
    );
    const running = session.generate(prompt, { maxTokens: 3 });
    await expect(session.generate(prompt)).rejects.toMatchObject({ message: expect.stringContaining('still running') });
    await running;
    await expect(session.generate([1], { maxTokens: 9 })).rejects.toMatchObject({ code: 'CAPACITY_EXCEEDED' });
    session.dispose();
    await expect(session.generate(prompt)).rejects.toBeInstanceOf(PolluxError);
    expect(() => new generate.Session(toy('llama'), { batch: 0 })).toThrow(RangeError);
  });
});
