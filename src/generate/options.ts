import { checkOptions, PolluxError } from '../errors.js';
import type { Tokenizer } from '../text/index.js';
import { type SettingName, settingNames } from './sampler.js';

/** How a text goes on. */
export interface GenerateOptions {
  /** Most new tokens a text. Default 128, or as many as there is room for. */
  maxTokens?: number;
  /** No stop token before so many new ones. Default 0. */
  minTokens?: number;
  /** Logits are divided by it; 0 takes the most probable token. Default 1 where topK, topP, minP or seed is given, else 0. */
  temperature?: number;
  /** Only the k most probable tokens are drawn from. Default: all. */
  topK?: number;
  /** Only the fewest tokens that have this probability together, in (0, 1]. Default 1: all. */
  topP?: number;
  /** Only tokens with at least this part of the greatest probability, in [0, 1]. Default 0: all. */
  minP?: number;
  /** Above 1 lowers tokens that the prompt or the text has. Default 1. */
  repetitionPenalty?: number;
  /** Taken off the logits of tokens that were generated. Default 0. */
  presencePenalty?: number;
  /** Taken off for each time that a token was generated. Default 0. */
  frequencyPenalty?: number;
  /** No run of so many tokens comes twice. Default 0: any may. */
  noRepeatNgram?: number;
  /** Added to the logits of tokens, by id; -Infinity forbids one. */
  logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** Ids that are never chosen. */
  forbiddenTokens?: readonly number[];
  /** Ids that end a text; the one that did is its last. */
  stopTokens?: number | readonly number[];
  /** Strings that end a text; they are cut off it. Need a tokenizer. */
  stopStrings?: string | readonly string[];
  /** What rows that have ended are fed with. Default: the first stop token, else 0. */
  padToken?: number;
  /** Repeats the draws. Default: they follow from `seed()` of the process, and differ each time. */
  seed?: number;
  /** Also give the logarithms of the probabilities that the model itself gave the tokens. Default false. */
  logProbabilities?: boolean;
  /** Stops between two tokens: the promise or stream rejects with ABORTED. */
  signal?: AbortSignal;
}

export const optionNames: readonly (keyof GenerateOptions)[] = [
  'maxTokens',
  'minTokens',
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'noRepeatNgram',
  'logitBias',
  'forbiddenTokens',
  'stopTokens',
  'stopStrings',
  'padToken',
  'seed',
  'logProbabilities',
  'signal',
];

/** What decides which graph a step is. All else is data. */
export interface Features {
  readonly penalties: boolean;
  readonly bias: boolean;
  readonly ngram: number;
  /** Tokens are drawn, not the greatest taken. */
  readonly draw: boolean;
  /** How many of the greatest logits are sorted; 0: none. */
  readonly candidates: number;
  readonly logProbabilities: boolean;
}

/** Options with every default, checked. */
export interface Choices {
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly features: Features;
  readonly settings: Readonly<Record<SettingName, number>>;
  readonly bias: ReadonlyMap<number, number>;
  readonly stopTokens: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  readonly padToken: number;
  readonly seed: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Throws unless a token is one. */
export function requireToken(where: string, what: string, id: number, vocabulary: number): void {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return;
  throw new PolluxError('INDEX_OUT_OF_RANGE', `${where}: ${what} ${id} lies outside the vocabulary of ${vocabulary} tokens.`);
}

export function requireNumber(name: string, value: number, holds: boolean, rule: string): void {
  if (!holds) throw new RangeError(`generate: ${name} must be ${rule}, got ${value}.`);
}

const listOf = <T>(x: T | readonly T[] | undefined): readonly T[] => (x === undefined ? [] : Array.isArray(x) ? x : [x as T]);
const biasOf = ({ logitBias = {}, forbiddenTokens = [] }: GenerateOptions): Map<number, number> => {
  const entries =
    logitBias instanceof Map ? [...logitBias] : Object.entries(logitBias).map(([id, x]) => [Number(id), x as number] as const);
  return new Map([...entries, ...forbiddenTokens.map((id) => [id, Number.NEGATIVE_INFINITY] as const)]);
};

function checkNumbers(options: GenerateOptions, temperature: number): void {
  const { maxTokens = 1, minTokens = 0, topK = 1, topP = 1, minP = 0, repetitionPenalty = 1, noRepeatNgram = 0, seed = 0 } = options;
  const { presencePenalty = 0, frequencyPenalty = 0 } = options;
  requireNumber('maxTokens', maxTokens, Number.isInteger(maxTokens) && maxTokens >= 1, 'an integer of at least 1');
  requireNumber('minTokens', minTokens, Number.isInteger(minTokens) && minTokens >= 0, 'an integer of at least 0');
  requireNumber('temperature', temperature, temperature >= 0 && Number.isFinite(temperature), 'a number of at least 0');
  requireNumber('topK', topK, Number.isInteger(topK) && topK >= 1, 'an integer of at least 1');
  requireNumber('topP', topP, topP > 0 && topP <= 1, 'in (0, 1]');
  requireNumber('minP', minP, minP >= 0 && minP <= 1, 'in [0, 1]');
  requireNumber('repetitionPenalty', repetitionPenalty, repetitionPenalty > 0 && Number.isFinite(repetitionPenalty), 'above 0');
  requireNumber('presencePenalty', presencePenalty, Number.isFinite(presencePenalty), 'a number');
  requireNumber('frequencyPenalty', frequencyPenalty, Number.isFinite(frequencyPenalty), 'a number');
  requireNumber('noRepeatNgram', noRepeatNgram, Number.isInteger(noRepeatNgram) && noRepeatNgram >= 0, 'an integer of at least 0');
  requireNumber('seed', seed, Number.isSafeInteger(seed), 'an integer');
}

/** @throws UNKNOWN_OPTION, INDEX_OUT_OF_RANGE for tokens outside the vocabulary, RangeError, TypeError */
export function choicesOf(options: GenerateOptions, vocabulary: number, tokenizer: Tokenizer | undefined): Choices {
  checkOptions('generate', options, optionNames);
  const { topK, topP = 1, minP = 0, repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, seed, minTokens = 0 } = options;
  const drawn = [options.topK, options.topP, options.minP, seed].some((x) => x !== undefined);
  const temperature = options.temperature ?? (drawn ? 1 : 0);
  checkNumbers(options, temperature);
  const bias = biasOf(options);
  const stopTokens = new Set(listOf(options.stopTokens));
  const stopStrings = listOf(options.stopStrings);
  const padToken = options.padToken ?? [...stopTokens][0] ?? 0;
  for (const id of stopTokens) requireToken('generate', 'stop token', id, vocabulary);
  for (const id of bias.keys()) requireToken('generate', 'logitBias or forbiddenTokens: token', id, vocabulary);
  for (const [id, x] of bias) requireNumber(`logitBias of token ${id}`, x, x < Number.POSITIVE_INFINITY, 'a number or -Infinity');
  requireToken('generate', 'padToken', padToken, vocabulary);
  if (stopStrings.some((text) => typeof text !== 'string' || text === '')) throw new TypeError('generate: stopStrings must not be empty.');
  if (stopStrings.length && !tokenizer) throw new TypeError('generate: stopStrings are looked for in text: give the tokenizer too.');
  const draw = temperature > 0;
  // Rounded up, so that another topK is seldom another plan.
  const sorted = topK === undefined ? (topP < 1 ? vocabulary : 0) : 2 ** Math.ceil(Math.log2(topK));
  const given: Record<SettingName, number> = {
    temperature,
    topK: topK ?? vocabulary,
    // Running sums are rounded: at 1 nothing may be left out.
    topP: topP < 1 ? topP : Number.POSITIVE_INFINITY,
    minP,
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    mayStop: minTokens > 0 ? 0 : 1,
  };
  return {
    maxTokens: options.maxTokens,
    minTokens,
    features: {
      penalties: repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0,
      bias: bias.size > 0,
      ngram: options.noRepeatNgram ?? 0,
      draw,
      candidates: draw ? Math.min(sorted, vocabulary) : 0,
      logProbabilities: options.logProbabilities ?? false,
    },
    settings: given,
    bias,
    stopTokens,
    stopStrings,
    padToken,
    seed,
    signal: options.signal,
  };
}

/** The settings as a step takes them. */
export const vectorOf = (settings: Choices['settings'], mayStop: boolean): Float32Array =>
  Float32Array.from(settingNames, (name) => (name === 'mayStop' ? Number(mayStop) : settings[name]));
