import { PolluxError } from '../errors.js';
import { splitWords } from './ngrams.js';
import { checkLengths } from './numbers.js';

/** Levenshtein distance: the fewest insertions, deletions and substitutions that turn one list into the other. */
export function editDistance(from: readonly unknown[], to: readonly unknown[]): number {
  let row = Uint32Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = new Uint32Array(to.length + 1);
    next[0] = i;
    for (let j = 1; j <= to.length; j++) {
      const swap = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next[j] = Math.min(swap, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[to.length]!;
}

function errorRate(where: string, hypotheses: readonly string[], references: readonly string[], split: (text: string) => string[]): number {
  checkLengths(where, hypotheses, references);
  let edits = 0;
  let length = 0;
  references.forEach((reference, i) => {
    const truth = split(reference);
    edits += editDistance(split(hypotheses[i]!), truth);
    length += truth.length;
  });
  if (length === 0) throw new PolluxError('INVALID_ARGUMENT', `${where}: the references are empty, so there is nothing to divide by.`);
  return edits / length;
}

/** Word error rate: word edits over the whole corpus / words of the references. Above 1 where much is inserted. */
export const wordErrorRate = (hypotheses: readonly string[], references: readonly string[]): number =>
  errorRate('wordErrorRate', hypotheses, references, splitWords);

/** Character error rate: the same over characters (code points), spaces included. */
export const characterErrorRate = (hypotheses: readonly string[], references: readonly string[]): number =>
  errorRate('characterErrorRate', hypotheses, references, (text) => [...text]);

/** The share of texts that equal their references, after trimming. */
export function exactMatch(hypotheses: readonly string[], references: readonly string[]): number {
  checkLengths('exactMatch', hypotheses, references);
  return hypotheses.filter((text, i) => text.trim() === references[i]!.trim()).length / references.length;
}
