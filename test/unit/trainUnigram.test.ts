import { Tokenizer as Published } from '@anush008/tokenizers';
import { describe, expect, it } from 'vitest';
import { text } from '../../src/index.js';
import { randomOf } from '../references/samples/sample.js';

const stems = ['learn', 'train', 'token', 'model', 'sound', 'light', 'paint', 'count', 'walk', 'übung', '数字'];
const endings = ['', 's', 'ing', 'ed', 'er', 'ers', 'able', '-free'];
const random = randomOf(9);
const pick = (list: readonly string[]): string => list[Math.floor(random() ** 2 * list.length)]!;
const lines = Array.from({ length: 300 }, () => Array.from({ length: 8 }, () => pick(stems) + pick(endings)).join(' '));

describe('trainUnigram', () => {
  it('fits a vocabulary of the size asked for, and the library reads it', async () => {
    const rounds: { tokens: number; logLikelihood: number }[] = [];
    const tokenizer = await text.trainUnigram(lines, { vocabularySize: 60, rounds: 3, onRound: (round) => rounds.push(round) });
    expect(tokenizer.vocabularySize).toBe(60);
    // Within each stretch of equal candidates the likelihood rises; pruning lowers it.
    const rising = rounds.slice(1).filter(({ tokens }, i) => tokens === rounds[i]!.tokens);
    expect(rising.length).toBeGreaterThan(1);
    rounds.slice(1).forEach(({ tokens, logLikelihood }, i) => {
      if (tokens === rounds[i]!.tokens)
        expect(logLikelihood).toBeGreaterThanOrEqual(rounds[i]!.logLikelihood - 1e-6 * Math.abs(logLikelihood));
    });
    expect(rounds.at(-1)!.tokens).toBeLessThan(rounds[0]!.tokens);

    const theirs = Published.fromString(JSON.stringify(tokenizer.toJson()));
    for (const line of [...lines.slice(0, 50), 'modelers unlearnt', 'ü 数 ☃']) {
      const { ids } = tokenizer.encode(line);
      expect([...ids]).toEqual((await theirs.encode(line, null, {})).getIds());
    }
    const unknown = tokenizer.idOf('<unk>')!;
    for (const line of lines) {
      const { ids } = tokenizer.encode(line);
      expect([...ids]).not.toContain(unknown);
      expect(tokenizer.decode([...ids])).toBe(line);
    }
    // Stems are tokens: far fewer tokens than characters.
    const count = lines.reduce((sum, line) => sum + tokenizer.encode(line).ids.length, 0);
    expect(count).toBeLessThan(lines.join('').length / 3);
  });

  it('leaves the event loop free', async () => {
    const syllables = ['ba', 'le', 'ki', 'to', 'mu', 'san', 'ret', 'vil'];
    const words = Array.from({ length: 300 }, () => Array.from({ length: 6 }, () => pick(syllables)).join(''));
    let turns = 0;
    const clock = setInterval(() => turns++, 1);
    await text.trainUnigram(words, { vocabularySize: 80 });
    clearInterval(clock);
    expect(turns).toBeGreaterThan(3);
  });

  it('names what it cannot do', async () => {
    await expect(text.trainUnigram([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(text.trainUnigram(lines, { vocabularySize: 10 })).rejects.toThrow('characters and 3 special tokens do not fit');
    await expect(text.trainUnigram(lines, { specialTokens: ['<s>'] })).rejects.toThrow('unknown token <unk>');
    await expect(text.trainUnigram(lines, { shrinkage: 1 })).rejects.toThrow('shrinkage');
    const few = await text.trainUnigram(['ab ab'], { vocabularySize: 100 });
    expect(few.vocabularySize).toBeLessThan(15);
    expect(few.decode([...few.encode('ab ab').ids])).toBe('ab ab');
  });
});
