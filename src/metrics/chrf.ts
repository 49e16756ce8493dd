import { checkOptions } from '../errors.js';
import { checkReferences } from './bleu.js';
import { countNgrams, overlap, splitWords, totalOf } from './ngrams.js';

export interface ChrfOptions {
  /** Longest n-gram of characters. Default 6. */
  characterOrder?: number;
  /** Longest n-gram of words: 0 is chrF (default), 2 is chrF++. */
  wordOrder?: number;
  /** Recall weighs this many times as much as precision. Default 2. */
  beta?: number;
  lowercase?: boolean;
  /** Count spaces as characters too. Default false. */
  whitespace?: boolean;
}

/** For each order: n-grams of the hypothesis, of the reference, and in both. */
type Statistics = readonly (readonly [hypothesis: number, reference: number, both: number])[];

/** ASCII punctuation: Python's string.punctuation. */
const punctuation = /^[!-/:-@[-`{-~]$/;

/**
 * chrF (Popovic 2015), and with `wordOrder: 2` chrF++ (2017), from 0 to 100: F-score over n-grams of characters (and words),
 * averaged over the orders that both texts are long enough for. Equal to sacreBLEU's `corpus_chrf`: counts are summed over the
 * corpus, of several references the one with the best sentence score counts.
 *
 * @param references for each hypothesis a list of one or more references
 */
export function chrf(hypotheses: readonly string[], references: readonly (readonly string[])[], options: ChrfOptions = {}): number {
  checkOptions('chrf', options, ['characterOrder', 'wordOrder', 'beta', 'lowercase', 'whitespace']);
  checkReferences('chrf', hypotheses, references);
  const { beta = 2 } = options;
  let sums: Statistics | undefined;
  hypotheses.forEach((hypothesis, i) => {
    const own = ngramsOf(hypothesis, options);
    const candidates = references[i]!.map((reference) => compare(own, ngramsOf(reference, options)));
    const scores = candidates.map((statistics) => fScore(statistics, beta));
    const best = candidates[scores.indexOf(Math.max(...scores))]!;
    sums = sums ? sums.map(([a, b, c], n) => [a + best[n]![0], b + best[n]![1], c + best[n]![2]] as const) : best;
  });
  return fScore(sums!, beta);
}

/** chrF of one sentence. */
export const sentenceChrf = (hypothesis: string, references: readonly string[], options: ChrfOptions = {}): number =>
  chrf([hypothesis], [references], options);

function ngramsOf(text: string, options: ChrfOptions): Map<string, number>[] {
  const { characterOrder = 6, wordOrder = 0, lowercase = false, whitespace = false } = options;
  const line = lowercase ? text.toLowerCase() : text;
  const characters = [...(whitespace ? line : splitWords(line).join(''))];
  const words = splitWords(line).flatMap(separatePunctuation);
  return [
    ...Array.from({ length: characterOrder }, (_, n) => countNgrams(characters, n + 1)),
    ...Array.from({ length: wordOrder }, (_, n) => countNgrams(words, n + 1)),
  ];
}

/** One sign of punctuation at the end, or else at the beginning of a word, stands alone. */
function separatePunctuation(word: string): string[] {
  const signs = [...word];
  if (signs.length === 1) return [word];
  if (punctuation.test(signs.at(-1)!)) return [signs.slice(0, -1).join(''), signs.at(-1)!];
  if (punctuation.test(signs[0]!)) return [signs[0]!, signs.slice(1).join('')];
  return [word];
}

const compare = (hypothesis: readonly Map<string, number>[], reference: readonly Map<string, number>[]): Statistics =>
  hypothesis.map((own, n) => {
    const other = reference[n]!;
    return [other.size ? totalOf(own) : 0, totalOf(other), overlap(own, other)] as const;
  });

function fScore(statistics: Statistics, beta: number): number {
  const orders = statistics.filter(([hypothesis, reference]) => hypothesis > 0 && reference > 0);
  if (!orders.length) return 0;
  const precision = orders.reduce((sum, [hypothesis, , both]) => sum + both / hypothesis, 0) / orders.length;
  const recall = orders.reduce((sum, [, reference, both]) => sum + both / reference, 0) / orders.length;
  if (precision + recall === 0) return 0;
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall);
}
