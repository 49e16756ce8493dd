import { countNgrams, overlap, totalOf } from './ngrams.js';
import { checkLengths } from './numbers.js';

/** A ROUGE score. */
export interface Rouge {
  precision: number;
  recall: number;
  f1: number;
}

/** Words as the usual ROUGE scripts take them: lower case, letters and digits only (of any script), no stemming. */
const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function scores(hits: number, hypothesis: number, reference: number): Rouge {
  const precision = ratio(hits, hypothesis);
  const recall = ratio(hits, reference);
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall) };
}

function meanOf(
  where: string,
  hypotheses: readonly string[],
  references: readonly string[],
  of: (a: string[], b: string[]) => Rouge,
): Rouge {
  checkLengths(where, hypotheses, references);
  const sums: Rouge = { precision: 0, recall: 0, f1: 0 };
  hypotheses.forEach((text, i) => {
    const found = of(wordsOf(text), wordsOf(references[i]!));
    for (const key of ['precision', 'recall', 'f1'] as const) sums[key] += found[key] / hypotheses.length;
  });
  return sums;
}

/** ROUGE-N (Lin 2004): overlap of n-grams of words with the reference, the mean over the pairs. */
export function rougeN(hypotheses: readonly string[], references: readonly string[], n: number): Rouge {
  if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`rougeN: n must be a whole number of at least 1, got ${n}.`);
  return meanOf('rougeN', hypotheses, references, (a, b) => {
    const [own, other] = [countNgrams(a, n), countNgrams(b, n)];
    return scores(overlap(own, other), totalOf(own), totalOf(other));
  });
}

/** ROUGE-L: the longest common subsequence of words, the mean over the pairs. */
export function rougeL(hypotheses: readonly string[], references: readonly string[]): Rouge {
  return meanOf('rougeL', hypotheses, references, (a, b) => scores(commonSubsequence(a, b), a.length, b.length));
}

function commonSubsequence(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let j = 1; j <= b.length; j++) next[j] = word === b[j - 1] ? row[j - 1]! + 1 : Math.max(row[j]!, next[j - 1]!);
    row = next;
  }
  return row[b.length]!;
}
