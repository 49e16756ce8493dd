import { checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { shuffle } from './dataset.js';
import { PhiloxStream } from './philox.js';

/** Indices of the samples to learn from and of those held out, both ascending. */
export interface Fold {
  train: Uint32Array;
  validation: Uint32Array;
}

export interface FoldOptions {
  /** Shuffles before the samples are dealt out. Default: they are taken as they come. */
  seed?: number;
}

const stream = 0x666f6c64;

function checkFolds(where: string, folds: number, available: number, what: string): void {
  checkWhole(where, 'folds', folds, 2);
  if (folds > available)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `${where}: ${folds} folds of ${available} ${what}; each fold needs at least one. Take at most ${available} folds.`,
    );
}

function ordered(count: number, { seed }: FoldOptions): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  if (seed !== undefined) for (const _ of shuffle(order, new PhiloxStream(checkWhole('kFold', 'seed', seed, 0), stream), 0));
  return order;
}

/** The folds, from the number of the fold that holds each sample out. */
function foldsOf(assigned: Uint32Array, folds: number): Fold[] {
  return Array.from({ length: folds }, (_, fold) => {
    const all = Uint32Array.from(assigned.keys());
    return { train: all.filter((i) => assigned[i] !== fold), validation: all.filter((i) => assigned[i] === fold) };
  });
}

/**
 * Splits `count` samples into folds of sizes that differ by at most one; every sample is held out once.
 * @throws RangeError for fewer than 2 folds; INVALID_ARGUMENT for more folds than samples.
 */
export function kFold(count: number, folds: number, options: FoldOptions = {}): Fold[] {
  checkOptions('kFold', options, ['seed']);
  checkWhole('kFold', 'count', count, 0);
  checkFolds('kFold', folds, count, 'samples');
  const assigned = new Uint32Array(count);
  for (const [place, sample] of ordered(count, options).entries()) assigned[sample] = Math.floor((place * folds) / count);
  return foldsOf(assigned, folds);
}

/**
 * Folds in which every class has its share: the samples of each class are dealt out in turn, going on where the class before ended, so
 * that the folds' sizes differ by at most one.
 * @throws INVALID_ARGUMENT if a class has fewer samples than there are folds.
 */
export function stratifiedKFold(classes: ArrayLike<number | bigint>, folds: number, options: FoldOptions = {}): Fold[] {
  checkOptions('stratifiedKFold', options, ['seed']);
  checkFolds('stratifiedKFold', folds, classes.length, 'samples');
  const members = new Map<number, number[]>();
  for (const sample of ordered(classes.length, options)) {
    const label = Number(classes[sample]);
    const list = members.get(label);
    if (list) list.push(sample);
    else members.set(label, [sample]);
  }
  const assigned = new Uint32Array(classes.length);
  let dealt = 0;
  for (const [label, samples] of [...members].sort(([a], [b]) => a - b)) {
    checkFolds('stratifiedKFold', folds, samples.length, `samples of class ${label}`);
    for (const sample of samples) assigned[sample] = dealt++ % folds;
  }
  return foldsOf(assigned, folds);
}
