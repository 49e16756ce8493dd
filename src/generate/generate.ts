import { checkOptions, PolluxError } from '../errors.js';
import type { Tokenizer } from '../text/index.js';
import { type BeamOptions, beamOptionNames, type BeamText, beamSearch } from './beams.js';
import { type LanguageModel, readsSource } from './decoding.js';
import { type GenerateOptions, optionNames } from './options.js';
import { bucketOf, longestOf, type Prompt, readPrompts, tokensThatFit } from './prompts.js';
import { type Generated, type Piece, Session } from './session.js';

/** Options of a call that stands alone. */
export interface GenerateCallOptions extends GenerateOptions, BeamOptions {
  /** Reads prompts that are strings, and gives texts. */
  tokenizer?: Tokenizer;
  /** Texts for each prompt: draws, or the best of the beams. Default 1. */
  numberOfSequences?: number;
  /** 'cpu', 'cuda' or 'auto' (default). */
  device?: string;
}

/** A session as large as the prompts and the new tokens need, and its prompts. */
function sessionFor(model: LanguageModel, prompt: Prompt, options: GenerateCallOptions): { session: Session; prompts: number[][] } {
  const { tokenizer, numberOfSequences: count = 1, device, maxTokens } = options;
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`generate: numberOfSequences must be an integer of at least 1, got ${count}.`);
  const encodes = readsSource(model);
  const given = readPrompts(prompt, encodes ? model.sourceVocabularySize : model.vocabularySize, tokenizer);
  const prompts = given.flatMap((ids) => Array.from({ length: count }, () => ids));
  const read = longestOf(prompts);
  const from = encodes ? 1 : read;
  const { maxLength } = model;
  const sourceCapacity = encodes ? Math.min(bucketOf(read), maxLength) : 1;
  if (encodes) tokensThatFit(read, 1, sourceCapacity, maxLength);
  const written = tokensThatFit(from, maxTokens, maxLength, maxLength);
  const capacity = Math.min(maxLength, Math.max(bucketOf(from), bucketOf(from + written)));
  return { session: new Session(model, { batch: prompts.length, capacity, sourceCapacity, tokenizer, device }), prompts };
}

/** Options of the session's call. */
function ofSession({
  tokenizer,
  numberOfSequences,
  device,
  beams,
  lengthPenalty,
  earlyStopping,
  ...rest
}: GenerateCallOptions): GenerateOptions {
  return rest;
}

function checkCall(options: GenerateCallOptions, beamsToo: boolean): void {
  checkOptions('generate', options, [...optionNames, 'tokenizer', 'numberOfSequences', 'device', ...beamOptionNames]);
  const { beams, lengthPenalty, earlyStopping, numberOfSequences = 1, temperature, topK, topP, minP, seed } = options;
  if (beams !== undefined && !beamsToo)
    throw new PolluxError('INVALID_ARGUMENT', 'generate: beams are known when all is: they have no stream.');
  if (beams === undefined && (lengthPenalty !== undefined || earlyStopping !== undefined))
    throw new PolluxError('INVALID_ARGUMENT', 'generate: lengthPenalty and earlyStopping are options of a beam search: give beams too.');
  const draws = temperature === undefined ? [topK, topP, minP, seed].some((x) => x !== undefined) : temperature > 0;
  if (beams === undefined && numberOfSequences > 1 && !draws)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      'generate: without a temperature all sequences of a prompt are equal. Give a temperature, or beams.',
    );
}

/**
 * Continues prompts, or answers them if the model has an encoder: `numberOfSequences` texts for each prompt, in order. The greatest
 * logit is taken unless a temperature, topK, topP, minP or a seed asks for draws, or `beams` for a beam search.
 *
 * @throws INVALID_ARGUMENT, UNKNOWN_OPTION, INDEX_OUT_OF_RANGE for tokens outside the vocabulary, CAPACITY_EXCEEDED for texts that are
 *   too long, NOT_FINITE where the model gives NaN, ABORTED
 */
export function generate(model: LanguageModel, prompt: Prompt, options: GenerateCallOptions & { beams: number }): Promise<BeamText[]>;
export function generate(model: LanguageModel, prompt: Prompt, options?: GenerateCallOptions): Promise<Generated[]>;
export async function generate(model: LanguageModel, prompt: Prompt, options: GenerateCallOptions = {}): Promise<Generated[]> {
  checkCall(options, true);
  if (options.beams !== undefined) return beamSearch(model, prompt, options);
  const { session, prompts } = sessionFor(model, prompt, options);
  try {
    const found = await session.generate(prompts, ofSession(options));
    return found.map((one) => ({ ...one, prompt: Math.floor(one.prompt / (options.numberOfSequences ?? 1)) }));
  } finally {
    session.dispose();
  }
}

/**
 * `generate`, token by token: `for await (const { text } of stream(model, tokenizer, 'Once'))`. Texts of several prompts take turns;
 * `sequence` tells them apart. The model runs at most one token ahead of the reader, and breaking off the loop stops it.
 */
export async function* stream(
  model: LanguageModel,
  tokenizer: Tokenizer,
  prompt: Prompt,
  options: Omit<GenerateCallOptions, 'tokenizer'> = {},
): AsyncGenerator<Piece, void, undefined> {
  checkCall(options, false);
  const { session, prompts } = sessionFor(model, prompt, { ...options, tokenizer });
  try {
    yield* session.stream(prompts, ofSession(options));
  } finally {
    session.dispose();
  }
}
