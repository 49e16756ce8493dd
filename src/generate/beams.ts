import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { compile, type Compiled, type Tensor, wrap } from '../tensor/index.js';
import { Beams, type Finished } from './beamTexts.js';
import { decodingOf, type LanguageModel, readsSource, type Source } from './decoding.js';
import type { GenerateCallOptions } from './generate.js';
import { type Choices, choicesOf, vectorOf } from './options.js';
import { frozen, requireFinite } from './program.js';
import { bucketOf, longestOf, type Prompt, padded, readPrompts, tokensThatFit } from './prompts.js';
import { RowState } from './rowState.js';
import { settingNames, settingsIn } from './sampler.js';
import type { Generated } from './session.js';

export interface BeamOptions {
  /** Beam search: so many texts are followed at once, and the most probable are given. Default: none. */
  beams?: number;
  /** A text's score is its log probability divided by its length to this power. Default 1. */
  lengthPenalty?: number;
  /** End as soon as there are `beams` ended texts; else when no text still growing can become better. Default false. */
  earlyStopping?: boolean;
}

export const beamOptionNames: readonly (keyof BeamOptions)[] = ['beams', 'lengthPenalty', 'earlyStopping'];

/** A text that a beam search found. */
export interface BeamText extends Generated {
  /** Log probability over length^lengthPenalty. */
  readonly score: number;
}

/** The best continuations of all rows of a prompt: float32 and int32 [prompts, candidates]; a place is row * vocabulary + token. */
interface Candidates {
  readonly scores: Tensor;
  readonly places: Tensor;
}

const refused = ['temperature', 'topK', 'topP', 'minP', 'seed', 'stopStrings', 'logProbabilities'] as const;

function checkBeams(options: GenerateCallOptions): { width: number; count: number; lengthPenalty: number } {
  const { beams = 1, numberOfSequences: count = 1, lengthPenalty = 1 } = options;
  if (!Number.isInteger(beams) || beams < 1) throw new RangeError(`generate: beams must be an integer of at least 1, got ${beams}.`);
  if (!Number.isInteger(count) || count < 1 || count > beams)
    throw new RangeError(`generate: numberOfSequences must be an integer from 1 to the ${beams} beams, got ${count}.`);
  if (!Number.isFinite(lengthPenalty)) throw new RangeError(`generate: lengthPenalty must be a number, got ${lengthPenalty}.`);
  const wrong = refused.filter((name) => options[name] !== undefined);
  if (wrong.length)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `generate: a beam search takes no ${wrong.join(', ')}: it draws nothing and compares whole texts.`,
    );
  return { width: beams, count, lengthPenalty };
}

const int32 = (data: Int32Array, shape: number[] = [data.length]) => ({ data, shape, dtype: 'int32' as const });

/** The steps of a beam search over `prompts` times `width` texts. */
class BeamProgram {
  readonly state: RowState;
  readonly prompt: Compiled<[ids: Tensor, lengths: Tensor, scores: Tensor, settings: Tensor, source: Source[]], Candidates>;
  readonly next: Compiled<[parents: Tensor, ids: Tensor, scores: Tensor, settings: Tensor], Candidates>;
  readonly dispose: () => void;

  constructor(
    readonly model: LanguageModel,
    { features, stopTokens }: Choices,
    prompts: number,
    readonly width: number,
    capacity: number,
    sourceCapacity: number,
    device: string | undefined,
  ) {
    const [rows, vocabulary] = [prompts * width, model.vocabularySize];
    const decoding = decodingOf(model, rows, capacity, sourceCapacity);
    const state = new RowState(features, rows, vocabulary, capacity);
    const options = { state: frozen([model, ...decoding.caches, ...decoding.memory, state]), ...(device && { device }) };
    // Even if every stop token is among the best of each text, as many texts go on.
    const count = Math.min((1 + stopTokens.size) * width, width * vocabulary);
    const best = (logits: Value, scores: Tensor, lengths: Value, settings: Tensor): Candidates => {
      requireFinite(logits, state.active.value);
      const logs = state.adjust(ops.logSoftmax(logits), lengths, settingsIn(settings.value));
      const total = ops.add(logs, ops.reshape(scores.value, [rows, 1]));
      const found = ops.topK(ops.reshape(total, [prompts, width * vocabulary]), count, -1);
      return { scores: wrap(found.values), places: wrap(found.indices) };
    };
    const position = (): Value => decoding.caches[0]!.position.value;
    this.state = state;
    this.prompt = compile(options, (ids: Tensor, lengths: Tensor, scores: Tensor, settings: Tensor, source: Source[]) => {
      state.active.assign(wrap(ops.onesLike(state.active.value)) as never);
      const logits = model.inMode(false, () => decoding.next(ids, lengths, source[0]));
      return best(logits.value, scores, lengths.value, settings);
    });
    this.next = compile(options, (parents: Tensor, ids: Tensor, scores: Tensor, settings: Tensor) => {
      // All texts of a prompt attend to one memory: what the encoder read stays where it is.
      for (const cache of decoding.caches) cache.reorder(parents);
      state.reorder(parents.value);
      const places = position();
      state.note(ids.value, places);
      const logits = model.inMode(false, () => decoding.next(ids.reshape([rows, 1]) as Tensor, state.active));
      return best(logits.value, scores, ops.add(places, 1), settings);
    });
    this.dispose = () => {
      this.prompt.dispose();
      this.next.dispose();
      state.dispose();
      for (const cache of [...decoding.caches, ...decoding.memory]) cache.dispose();
    };
  }
}

/** The `numberOfSequences` best texts for each prompt, best first. */
export async function beamSearch(model: LanguageModel, prompt: Prompt, options: GenerateCallOptions): Promise<BeamText[]> {
  const { width, count, lengthPenalty } = checkBeams(options);
  const { tokenizer, device, earlyStopping = false } = options;
  const { numberOfSequences: _n, beams: _b, lengthPenalty: _l, earlyStopping: _e, tokenizer: _t, device: _d, ...rest } = options;
  const choices = choicesOf(rest, model.vocabularySize, tokenizer);
  const encodes = readsSource(model);
  const given = readPrompts(prompt, encodes ? model.sourceVocabularySize : model.vocabularySize, tokenizer);
  const { maxLength } = model;
  const spread = <T>(list: readonly T[]): T[] => list.flatMap((x) => Array.from({ length: width }, () => x));
  const begins = encodes ? given.map(() => [model.startToken]) : given;
  const sourceCapacity = encodes ? Math.min(bucketOf(longestOf(given)), maxLength) : 1;
  if (encodes) tokensThatFit(longestOf(given), 1, sourceCapacity, maxLength);
  const maxTokens = tokensThatFit(longestOf(begins), choices.maxTokens, maxLength, maxLength);
  const capacity = Math.min(maxLength, bucketOf(longestOf(begins) + maxTokens));
  const program = new BeamProgram(model, choices, given.length, width, capacity, sourceCapacity, device);
  const settings = (made: number) => ({ data: vectorOf(choices.settings, made >= choices.minTokens), shape: [settingNames.length] });
  const rules = { width, lengthPenalty, earlyStopping, maxTokens, stopTokens: choices.stopTokens, vocabulary: model.vocabularySize };
  const searches = given.map(() => new Beams(rules));
  try {
    const texts = spread(begins);
    program.state.begin(texts, choices);
    const { ids, lengths } = padded(texts, Math.min(bucketOf(longestOf(texts)), capacity));
    const source = encodes ? [padded(spread(given), sourceCapacity)] : [];
    const first = [ids, lengths, { data: scoresOf(searches), shape: [texts.length] }, settings(0), source] as const;
    let running = program.prompt.run(first as never, { signal: choices.signal });
    for (let made = 1; ; made++) {
      const { scores, places } = await running;
      const [found, where] = [(await scores.data()) as Float32Array, (await places.data()) as Int32Array];
      const each = found.length / searches.length;
      searches.forEach((search, i) => search.take(found.subarray(i * each, (i + 1) * each), where.subarray(i * each, (i + 1) * each)));
      if (searches.every((search) => search.done)) break;
      const parents = searches.flatMap((search, i) => search.parents.map((row) => row + i * width));
      const tokens = searches.flatMap((search) => search.tokens);
      const next = [int32(Int32Array.from(parents)), int32(Int32Array.from(tokens)), { data: scoresOf(searches), shape: [parents.length] }];
      running = program.next.run([...next, settings(made)] as never, { signal: choices.signal });
    }
  } finally {
    program.dispose();
  }
  const textOf = ({ ids }: Finished): object => (tokenizer ? { text: tokenizer.decode(ids) } : {});
  return searches.flatMap((search, i) => search.best(count).map((found) => ({ ...found, ...textOf(found), prompt: i })));
}

const scoresOf = (searches: readonly Beams[]): Float32Array => Float32Array.from(searches.flatMap(({ scores }) => scores));
