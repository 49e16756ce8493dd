import { checkOptions, PolluxError } from '../errors.js';
import { countNgrams, overlap, splitWords } from './ngrams.js';
import { tokenize13a } from './tokenize13a.js';

/** A text, which is split into tokens, or the tokens. */
export type Text = string | readonly string[];

export interface BleuOptions {
  /** How texts are split. Default '13a', as sacreBLEU. Ignored for lists of tokens. */
  tokenize?: '13a' | 'whitespace' | 'characters' | ((text: string) => readonly string[]);
  lowercase?: boolean;
  /** Longest n-gram. Default 4. */
  maxOrder?: number;
  /**
   * What an order without a hit counts: 'exponential' (default; NIST: halved for each such order), 'floor' (`smoothing value`
   * hits), 'addK' (a constant added to hits and total from bigrams on), 'none' (the score is 0). Chen and Cherry 2014.
   */
  smoothing?: 'exponential' | 'floor' | 'addK' | 'none';
  /** For 'floor' (default 0.1) and 'addK' (default 1). */
  smoothingValue?: number;
  /** Leave out orders longer than the hypothesis. Default: for `sentenceBleu` only. */
  effectiveOrder?: boolean;
}

/** A BLEU score and what it is made of. */
export interface Bleu {
  /** From 0 to 100. */
  score: number;
  /** Of each order, in percent, smoothed. */
  precisions: number[];
  brevityPenalty: number;
  hypothesisLength: number;
  referenceLength: number;
}

const optionNames = ['tokenize', 'lowercase', 'maxOrder', 'smoothing', 'smoothingValue', 'effectiveOrder'];

/** Splits a text as asked; shared by the metrics over words. */
export function tokensOf(text: Text, options: Pick<BleuOptions, 'tokenize' | 'lowercase'>): readonly string[] {
  const { tokenize = '13a', lowercase = false } = options;
  if (typeof text !== 'string') return lowercase ? text.map((token) => token.toLowerCase()) : text;
  const line = lowercase ? text.toLowerCase() : text;
  if (typeof tokenize === 'function') return tokenize(line);
  if (tokenize === 'whitespace') return splitWords(line);
  if (tokenize === 'characters') return [...line].filter((sign) => sign.trim() !== '');
  if (tokenize === '13a') return tokenize13a(line.trimEnd());
  throw new PolluxError(
    'UNKNOWN_OPTION',
    `bleu: unknown tokenize "${String(tokenize)}". Known: 13a, whitespace, characters, or a function.`,
  );
}

/** @throws unless there is a non-empty list of references for each hypothesis. */
export function checkReferences(where: string, hypotheses: readonly unknown[], references: readonly (readonly unknown[])[]): void {
  if (!Array.isArray(hypotheses) || !Array.isArray(references))
    throw new TypeError(`${where}: give a list of texts, and for each a list of references: ${where}([text], [[reference]]).`);
  if (hypotheses.length !== references.length)
    throw new PolluxError('SHAPE_MISMATCH', `${where}: ${hypotheses.length} hypotheses for ${references.length} lists of references.`);
  if (hypotheses.length === 0) throw new PolluxError('INVALID_ARGUMENT', `${where}: there are no texts to compare.`);
  const bare = references.findIndex((list) => typeof list === 'string' || list.length === 0);
  if (bare >= 0)
    throw new PolluxError('INVALID_ARGUMENT', `${where}: hypothesis ${bare} needs a list of at least one reference, such as ['...'].`);
}

interface Statistics {
  hits: number[];
  totals: number[];
  hypothesisLength: number;
  referenceLength: number;
}

/**
 * BLEU of a corpus (Papineni et al. 2002), equal to sacreBLEU's `corpus_bleu` with the same options: hits are clipped by the
 * reference that has the n-gram most often, the reference length is the nearest one (of two, the shorter).
 *
 * @param references for each hypothesis a list of one or more references
 */
export function bleu(hypotheses: readonly Text[], references: readonly (readonly Text[])[], options: BleuOptions = {}): Bleu {
  checkOptions('bleu', options, optionNames);
  checkReferences('bleu', hypotheses, references);
  const { maxOrder = 4 } = options;
  if (!(Number.isInteger(maxOrder) && maxOrder >= 1))
    throw new RangeError(`bleu: maxOrder must be a whole number of at least 1, got ${maxOrder}.`);
  const sums: Statistics = {
    hits: new Array<number>(maxOrder).fill(0),
    totals: new Array<number>(maxOrder).fill(0),
    hypothesisLength: 0,
    referenceLength: 0,
  };
  hypotheses.forEach((hypothesis, i) => {
    addSentence(
      sums,
      tokensOf(hypothesis, options),
      references[i]!.map((reference) => tokensOf(reference, options)),
    );
  });
  return score(sums, options);
}

/** BLEU of one sentence, by default over the orders that it is long enough for (sacreBLEU's `sentence_bleu`). */
export const sentenceBleu = (hypothesis: Text, references: readonly Text[], options: BleuOptions = {}): Bleu =>
  bleu([hypothesis], [references], { effectiveOrder: true, ...options });

function addSentence(sums: Statistics, hypothesis: readonly string[], references: readonly (readonly string[])[]): void {
  sums.hypothesisLength += hypothesis.length;
  const distance = (length: number): number => Math.abs(length - hypothesis.length);
  sums.referenceLength += references
    .map((reference) => reference.length)
    .reduce((best, length) =>
      distance(length) < distance(best) || (distance(length) === distance(best) && length < best) ? length : best,
    );
  for (let n = 1; n <= sums.hits.length; n++) {
    const most = new Map<string, number>();
    for (const reference of references)
      for (const [key, count] of countNgrams(reference, n)) most.set(key, Math.max(count, most.get(key) ?? 0));
    sums.hits[n - 1]! += overlap(countNgrams(hypothesis, n), most);
    sums.totals[n - 1]! += Math.max(0, hypothesis.length - n + 1);
  }
}

function score({ hits, totals, hypothesisLength, referenceLength }: Statistics, options: BleuOptions): Bleu {
  const { smoothing = 'exponential', effectiveOrder = false } = options;
  const { smoothingValue = smoothing === 'floor' ? 0.1 : 1 } = options;
  if (!['exponential', 'floor', 'addK', 'none'].includes(smoothing))
    throw new PolluxError('UNKNOWN_OPTION', `bleu: unknown smoothing "${smoothing}". Known: exponential, floor, addK, none.`);
  const short = hypothesisLength < referenceLength;
  const brevityPenalty = !short ? 1 : hypothesisLength > 0 ? Math.exp(1 - referenceLength / hypothesisLength) : 0;
  const precisions = hits.map(() => 0);
  const result = { score: 0, precisions, brevityPenalty, hypothesisLength, referenceLength };
  if (hits.every((hit) => hit === 0)) return result;
  let order = hits.length;
  let halved = 1;
  for (let n = 0; n < hits.length; n++) {
    const added = smoothing === 'addK' && n > 0 ? smoothingValue : 0;
    const [hit, total] = [hits[n]! + added, totals[n]! + added];
    if (total === 0) break;
    if (effectiveOrder) order = n + 1;
    if (hit > 0) precisions[n] = (100 * hit) / total;
    else if (smoothing === 'exponential') precisions[n] = 100 / ((halved *= 2) * total);
    else if (smoothing === 'floor') precisions[n] = (100 * smoothingValue) / total;
  }
  const logs = precisions.slice(0, order).map(Math.log);
  result.score = brevityPenalty * Math.exp(logs.reduce((sum, log) => sum + log, 0) / order);
  return result;
}
