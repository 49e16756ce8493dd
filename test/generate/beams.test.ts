import { describe, expect, it } from 'vitest';
import { generate, type models, tensor, type Tensor } from '../../src/index.js';
import { logitsByHand, toy } from './toys.js';

const logSoftmax = (row: readonly number[]): number[] => {
  const top = Math.max(...row);
  const sum = top + Math.log(row.reduce((total, x) => total + Math.exp(x - top), 0));
  return row.map((x) => x - sum);
};

/** Logs of the probabilities of the tokens behind each text; all texts are of one length. */
type Ask = (texts: number[][]) => Promise<number[][]>;

const lastRows = async (logits: Tensor): Promise<number[][]> =>
  ((await logits.toArray()) as number[][][]).map((rows) => logSoftmax(rows.at(-1)!));

/** All texts that end with the stop token or have `maxTokens`, best first. */
async function allTexts(ask: Ask, vocabulary: number, stop: number, maxTokens: number, lengthPenalty: number) {
  let growing: { ids: number[]; sum: number }[] = [{ ids: [], sum: 0 }];
  const ended: { ids: number[]; score: number }[] = [];
  for (let length = 1; length <= maxTokens; length++) {
    const logs = await ask(growing.map(({ ids }) => ids));
    const next = growing.flatMap(({ ids, sum }, i) =>
      Array.from({ length: vocabulary }, (_, id) => ({ ids: [...ids, id], sum: sum + logs[i]![id]! })),
    );
    const ends = ({ ids }: { ids: number[] }): boolean => ids.at(-1) === stop || length === maxTokens;
    ended.push(...next.filter(ends).map(({ ids, sum }) => ({ ids, score: sum / length ** lengthPenalty })));
    growing = next.filter((text) => !ends(text));
  }
  return ended.sort((a, b) => b.score - a.score);
}

/** Flatter answers, so that the best texts are not those of greedy search alone. */
function small(kind: 'llama' | 'gpt2' | 'seq2seq'): generate.LanguageModel {
  const model = toy(kind, { vocabularySize: 5, maxLength: 32 });
  for (const [path, parameter] of model.parameters())
    if (path.includes('head') || (kind !== 'llama' && path.startsWith('tokens'))) parameter.assign(parameter.mul(0.15) as never);
  return model;
}

describe('a beam search', () => {
  it.each([
    ['llama', 0.7],
    ['gpt2', 0.4],
    ['llama', 0],
  ] as const)('that follows all texts finds the best: %s, length penalty %f', async (kind, lengthPenalty) => {
    const model = small(kind);
    const prompt = [2, 4, 1];
    const ask: Ask = (texts) =>
      lastRows(
        model.inMode(false, () =>
          model.forward(
            tensor(
              texts.map((ids) => [...prompt, ...ids]),
              'int32',
            ),
          ),
        ),
      );
    const best = await allTexts(ask, 5, 0, 4, lengthPenalty);
    const found = await generate.generate(model, prompt, { beams: 64, numberOfSequences: 8, lengthPenalty, maxTokens: 4, stopTokens: 0 });
    expect(found.map(({ ids }) => ids)).toEqual(best.slice(0, 8).map(({ ids }) => ids));
    found.forEach(({ score }, i) => expect(score).toBeCloseTo(best[i]!.score, 4));
    expect(new Set(found.map(({ ids }) => ids.length)).size).toBeGreaterThan(lengthPenalty === 0 ? 0 : 1);
  });

  it('that follows few gives texts with their true scores, for each prompt of a batch', async () => {
    const model = small('llama');
    const prompts = [[2, 4, 1], [3]];
    const found = await generate.generate(model, prompts, { beams: 3, numberOfSequences: 2, maxTokens: 7, stopTokens: 0 });
    expect(found.map(({ prompt }) => prompt)).toEqual([0, 0, 1, 1]);
    for (const { ids, score, prompt } of found) {
      let sum = 0;
      for (const [i, id] of ids.entries()) sum += logSoftmax(await logitsByHand(model, [...prompts[prompt]!, ...ids.slice(0, i)]))[id]!;
      expect(score).toBeCloseTo(sum / ids.length, 4);
    }
    for (const [i, prompt] of prompts.entries()) {
      const alone = await generate.generate(model, prompt, { beams: 3, numberOfSequences: 2, maxTokens: 7, stopTokens: 0 });
      expect(found.slice(2 * i, 2 * i + 2).map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids));
    }
  });

  it('of an encoder and a decoder', async () => {
    const model = small('seq2seq') as models.Seq2SeqTransformer;
    const source = [3, 1, 2, 4, 4];
    const ask: Ask = (texts) =>
      lastRows(
        model.inMode(false, () =>
          model.forward(
            tensor(
              texts.map(() => source),
              'int32',
            ),
            tensor(
              texts.map((ids) => [model.startToken, ...ids]),
              'int32',
            ),
          ),
        ),
      );
    const best = await allTexts(ask, 5, 0, 3, 1);
    const found = await generate.generate(model, source, { beams: 16, numberOfSequences: 4, maxTokens: 3, stopTokens: 0 });
    expect(found.map(({ ids }) => ids)).toEqual(best.slice(0, 4).map(({ ids }) => ids));
  });

  it('with one beam is greedy search; bans hold in every beam', async () => {
    const model = small('llama');
    const [greedy] = await generate.generate(model, [2, 4], { maxTokens: 8 });
    const [one] = await generate.generate(model, [2, 4], { maxTokens: 8, beams: 1 });
    expect(one!.ids).toEqual(greedy!.ids);
    const found = await generate.generate(model, [2, 4], { maxTokens: 8, beams: 4, numberOfSequences: 4, noRepeatNgram: 2 });
    for (const { ids } of found) {
      const runs = [2, 4, ...ids].slice(1).map((id, i) => `${[2, 4, ...ids][i]},${id}`);
      expect(new Set(runs).size).toBe(runs.length);
    }
  });
});
