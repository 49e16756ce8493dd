import { optional } from '../data/packages.js';

// A name that the compiler does not follow: the package has no types.
const name: string = 'stopword';
const loadLists = (): Promise<Record<string, unknown>> => import(name);

/**
 * The words of a language that say little by themselves, by its ISO 639-3 code ('eng', 'spa', 'deu', ...), from the npm package
 * `stopword`. @throws UNSUPPORTED if it is not installed; RangeError for a language that it lacks.
 */
export async function stopWords(language = 'eng'): Promise<ReadonlySet<string>> {
  const lists = await optional('stopWords', 'stopword', loadLists);
  const list = lists[language];
  if (Array.isArray(list)) return new Set(list as string[]);
  const known = Object.keys(lists).filter((code) => /^[a-z]{3}$/.test(code) && Array.isArray(lists[code]));
  throw new RangeError(`stopWords: no list for "${language}". There are: ${known.join(', ')}.`);
}

/** The words that are not in `stop`, whatever their case. */
export const removeStopWords = (words: readonly string[], stop: ReadonlySet<string>): string[] =>
  words.filter((word) => !stop.has(word.toLowerCase()));

/** All runs of `n` neighbouring items: n-grams of words or of characters. Fewer than n items make none. */
export function ngrams<T>(items: readonly T[], n: number): T[][] {
  if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`ngrams: n must be a whole number of at least 1, got ${n}.`);
  return Array.from({ length: Math.max(0, items.length - n + 1) }, (_, i) => items.slice(i, i + n));
}
