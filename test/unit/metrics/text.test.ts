import { metrics } from 'pollux';
import { describe, expect, it } from 'vitest';

const { bleu, chrf, rougeL, rougeN, sentenceBleu, tokenize13a } = metrics;

/** The example of sacreBLEU's README, with the results printed there. */
const hypotheses = ['The dog bit the man.', "It wasn't surprising.", 'The man had just bitten him.'];
const first = ['The dog bit the man.', 'It was not unexpected.', 'The man bit him first.'];
const second = ['The dog had bit the man.', 'No one was surprised.', 'The man had bitten the dog.'];
const both = first.map((text, i) => [text, second[i]!]);

describe('BLEU', () => {
  it('of a corpus is that of sacreBLEU', () => {
    const found = bleu(hypotheses, both);
    expect(found.score.toFixed(2)).toBe('48.53');
    expect(found.precisions.map((p) => p.toFixed(1)).join('/')).toBe('82.4/50.0/45.5/37.5');
    expect(found.brevityPenalty.toFixed(3)).toBe('0.943');
    expect([found.hypothesisLength, found.referenceLength]).toEqual([17, 18]);
    const one = bleu(
      hypotheses,
      first.map((text) => [text]),
    );
    expect(one.score.toFixed(2)).toBe('45.07');
    expect(one.precisions.map((p) => p.toFixed(1)).join('/')).toBe('70.6/42.9/36.4/37.5');
  });

  it('clips hits as Papineni et al. count them', () => {
    // "the" seven times against "the cat is on the mat": 2 of 7 (section 2.1 of the paper).
    const { precisions } = sentenceBleu('the the the the the the the', ['the cat is on the mat', 'there is a cat on the mat'], {
      tokenize: 'whitespace',
      maxOrder: 1,
    });
    expect(precisions[0]).toBeCloseTo((100 * 2) / 7, 12);
  });

  it('smooths orders without a hit', () => {
    // 4 tokens: unigrams 3/4, bigrams 2/3, trigrams 1/2, four-grams 0/1.
    const options = { tokenize: 'whitespace', effectiveOrder: false } as const;
    const precisions = (more: object) => sentenceBleu('a b c x', ['a b c d'], { ...options, ...more }).precisions;
    expect(precisions({})).toEqual([75, 200 / 3, 50, 50]);
    expect(precisions({ smoothing: 'floor' })).toEqual([75, 200 / 3, 50, 10]);
    expect(precisions({ smoothing: 'addK' })).toEqual([75, 75, (100 * 2) / 3, 50]);
    expect(sentenceBleu('a b c x', ['a b c d'], { ...options, smoothing: 'none' }).score).toBe(0);
    expect(sentenceBleu('a b c x', ['a b c d'], options).score).toBeCloseTo((75 * (200 / 3) * 50 * 50) ** 0.25, 10);
    // Of two words only two orders count; whole, they count 100.
    expect(sentenceBleu('a b', ['a b']).score).toBeCloseTo(100, 10);
    expect(sentenceBleu(['a', 'b'], [['a', 'b']], { effectiveOrder: false }).score).toBeLessThan(100);
  });

  it('of nothing in common, or nothing at all, is 0', () => {
    expect(sentenceBleu('a', ['b']).score).toBe(0);
    expect(sentenceBleu('', ['b'])).toMatchObject({ score: 0, brevityPenalty: 0 });
    expect(() => bleu([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => bleu(['a'], [[]])).toThrow(/needs a list of at least one reference/);
    expect(() => bleu(['a'], ['a' as never])).toThrow(/needs a list/);
    expect(() => bleu(['a'], [])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(() => bleu(['a'], [['a']], { tokenise: '13a' } as never)).toThrow(/did you mean "tokenize"/);
  });

  it('splits as mteval-v13a', () => {
    expect(tokenize13a('Costs 1,000.50 &quot;dollars&quot;, 5-year (well-known) A.B.')).toEqual([
      'Costs',
      '1,000.50',
      '"',
      'dollars',
      '"',
      ',',
      '5',
      '-',
      'year',
      '(',
      'well-known',
      ')',
      'A',
      '.',
      'B',
      '.',
    ]);
    expect(bleu(['El perro'], [['el PERRO']], { lowercase: true, maxOrder: 2 }).score).toBeCloseTo(100, 10);
  });
});

describe('chrF', () => {
  it('of a corpus is that of sacreBLEU', () => {
    expect(chrf(hypotheses, both).toFixed(2)).toBe('59.73');
  });

  it('counts by hand', () => {
    // "abc" against "abd": unigrams 2/3, bigrams 1/2, trigrams 0/1, no longer ones; precision = recall = 7/18.
    expect(chrf(['abc'], [['abd']])).toBeCloseTo((100 * (2 / 3 + 1 / 2 + 0)) / 3, 10);
    // chrF++ adds words: "the cat." has the, cat and the sign; 3 characters orders and 2 word orders.
    const plain = metrics.sentenceChrf('a b.', ['a c.'], { characterOrder: 1, wordOrder: 2 });
    // Characters a b . against a c .: 2/3. Words a b . against a c .: 2/3; pairs (a b)(b .) against (a c)(c .): 0.
    expect(plain).toBeCloseTo((100 * (2 / 3 + 2 / 3 + 0)) / 3, 10);
    expect(chrf([''], [['a']])).toBe(0);
  });
});

describe('error rates', () => {
  it('count edits over the corpus', () => {
    expect(metrics.editDistance([...'kitten'], [...'sitting'])).toBe(3);
    // One substitution and one deletion of 6 + 2 words.
    expect(metrics.wordErrorRate(['the cat sat on mat', 'hello there'], ['the cat sat on the mat', 'hello world'])).toBe(2 / 8);
    expect(metrics.characterErrorRate(['abd'], ['abc'])).toBe(1 / 3);
    expect(metrics.wordErrorRate(['a b c'], ['x'])).toBe(3);
    expect(metrics.exactMatch([' a ', 'b'], ['a', 'c'])).toBe(0.5);
    expect(() => metrics.wordErrorRate(['a'], [''])).toThrow(/nothing to divide by/);
    expect(() => metrics.wordErrorRate([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('ROUGE', () => {
  it('has the values of Lin (2004), section 3.1', () => {
    // Candidates against "police killed the gunman": LCS 3 of 4 words, and 2 of 4.
    const reference = ['police killed the gunman'];
    expect(rougeL(['police kill the gunman'], reference).f1).toBeCloseTo(0.75, 12);
    expect(rougeL(['the gunman kill police'], reference).f1).toBeCloseTo(0.5, 12);
    // Both have one bigram of three, "the gunman".
    expect(rougeN(['police kill the gunman'], reference, 2)).toEqual({ precision: 1 / 3, recall: 1 / 3, f1: expect.closeTo(1 / 3, 12) });
    expect(rougeN(['the gunman kill police'], reference, 2).recall).toBe(1 / 3);
    expect(rougeN([''], reference, 1)).toEqual({ precision: 0, recall: 0, f1: 0 });
  });
});

describe('perplexity', () => {
  it('weighs batches by their tokens', () => {
    // A uniform guess among 50 words has perplexity 50.
    expect(metrics.perplexity(Math.log(50))).toBeCloseTo(50, 10);
    expect(new metrics.Perplexity().update(Math.log(2), 3).update(Math.log(16), 1).value).toBeCloseTo(2 ** (7 / 4), 12);
    expect(() => new metrics.Perplexity().value).toThrow(/nothing was added/);
  });
});
