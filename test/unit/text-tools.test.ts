import { describe, expect, it } from 'vitest';
import { datasets, SequenceDataset } from '../../src/data/index.js';
import {
  causalLanguageModel,
  ignoredLabel,
  maskedLanguageModel,
  ngrams,
  removeStopWords,
  stopWords,
  trainBpe,
  trainWords,
  trainWordPiece,
} from '../../src/text/index.js';

describe('words', () => {
  it('make a vocabulary, the frequent first', async () => {
    const words = await trainWords(['the cat, the dog', 'The bird'], { vocabularySize: 7 });
    expect(words.encode('A cat and THE bird!').tokens).toEqual(['<unk>', '<unk>', '<unk>', 'the', 'bird', '<unk>']);
    expect(words.vocabularySize).toBe(7);
    expect(words.idOf('the')).toBe(4);
    await expect(trainWords(['a'], { specialTokens: [] })).rejects.toThrow('<unk>');
  });
  it('lose those that say little', async () => {
    const stop = await stopWords('eng');
    expect(removeStopWords(['The', 'cat', 'is', 'on', 'the', 'mat'], stop)).toEqual(['cat', 'mat']);
    await expect(stopWords('xyz')).rejects.toThrow('no list for "xyz"');
  });
  it('come in runs', () => {
    expect(ngrams(['a', 'b', 'c'], 2)).toEqual([
      ['a', 'b'],
      ['b', 'c'],
    ]);
    expect(ngrams(['a'], 2)).toEqual([]);
    expect(() => ngrams(['a'], 0)).toThrow(RangeError);
  });
});

describe('masking', () => {
  it('hides 15 %: four fifths behind the mask, a tenth behind others; never special tokens', async () => {
    const tokenizer = await trainWordPiece(['one two three four five six seven eight nine ten'], { vocabularySize: 120 });
    const ids = Array.from({ length: 200 }, () => tokenizer.encode('one two three four five six seven eight nine ten '.repeat(5)).ids);
    const dataset = maskedLanguageModel(new SequenceDataset({ ids: { values: ids, pad: tokenizer.padId } }), tokenizer);
    const indices = ids.map((_, i) => i);
    const length = 60;
    const read = async (epoch: number) => dataset.get(indices, { seed: 1, epoch, length });
    const [first, again, later] = [await read(0), await read(0), await read(1)];
    expect(again.ids.data).toEqual(first.ids.data);
    expect(later.ids.data).not.toEqual(first.ids.data);
    const mask = tokenizer.idOf('[MASK]');
    let [hidden, masked, changed, all] = [0, 0, 0, 0];
    for (let row = 0; row < ids.length; row++) {
      for (let i = 0; i < length; i++) {
        const at = row * length + i;
        const before = ids[row]![i] ?? tokenizer.padId;
        const label = first.labels.data[at]!;
        if (tokenizer.specialIds.includes(before)) expect([label, first.ids.data[at]]).toEqual([ignoredLabel, before]);
        else all++;
        if (label === ignoredLabel) expect(first.ids.data[at]).toBe(before);
        else {
          expect(label).toBe(before);
          hidden++;
          if (first.ids.data[at] === mask) masked++;
          else if (first.ids.data[at] !== before) changed++;
        }
      }
    }
    const within = (count: number, of: number, share: number): void =>
      expect(Math.abs(count - of * share)).toBeLessThan(5 * Math.sqrt(of * share * (1 - share)));
    within(hidden, all, 0.15);
    within(masked, hidden, 0.8);
    expect(changed).toBeGreaterThan(0.05 * hidden);
    expect(changed).toBeLessThan(0.12 * hidden);
    const maskless = await trainBpe(['a b']);
    expect(() => maskedLanguageModel(new SequenceDataset({ ids }), maskless)).toThrow('no [MASK]');
  });

  it('cuts a run into windows and what follows', async () => {
    const dataset = causalLanguageModel([0, 1, 2, 3, 4, 5, 6], { length: 3, stride: 2 });
    expect(dataset.length).toBe(2);
    const { x, y } = await dataset.get([1, 0]);
    expect([...x.data]).toEqual([2, 3, 4, 0, 1, 2]);
    expect([...y.data]).toEqual([3, 4, 5, 1, 2, 3]);
    expect(() => causalLanguageModel([1, 2, 3], { length: 3 })).toThrow('no window');
  });
});

describe('corpora', () => {
  it('are whole', async () => {
    const texts = await datasets.sentiment();
    expect(texts).toHaveLength(3000);
    expect(texts.filter(({ label }) => label === 1)).toHaveLength(1500);
    const pairs = await datasets.parallelText('en', 'es');
    expect(pairs).toHaveLength(6236);
    expect(pairs[0]!.target).toContain('Dios');
    await expect(datasets.parallelText('xx' as 'en', 'es')).rejects.toThrow('no language "xx"');
    await expect(datasets.fashionMnist({ folder: 'nowhere' })).rejects.toThrow('dataset-fashion-mnist');
  });
});
