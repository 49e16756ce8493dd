import { AbortError, checkOptions, DisposedError, PolluxError } from '../errors.js';
import { generator, type TensorBase, tensor } from '../tensor/index.js';
import type { Tokenizer } from '../text/index.js';
import { type Decoding, decodingOf, type LanguageModel, readsSource } from './decoding.js';
import { type Choices, choicesOf, type GenerateOptions, vectorOf } from './options.js';
import { bucketOf, longestOf, type Prompt, padded, readPrompts, tokensThatFit } from './prompts.js';
import { type Chosen, frozen, Program } from './program.js';
import { settingNames } from './sampler.js';
import { TextTracker } from './textTracker.js';

export interface SessionOptions {
  /** Number of texts that are written at once. Default 1. */
  batch?: number;
  /** Most tokens of a text, prompts included. Default: the model's maxLength. */
  capacity?: number;
  /** Most tokens of a text that an encoder reads. Default: the model's maxLength. */
  sourceCapacity?: number;
  /** Reads prompts that are strings, and gives texts. */
  tokenizer?: Tokenizer;
  /** 'cpu', 'cuda' or 'auto' (default). */
  device?: string;
}

/** Why a text ended: a stop token or string came, or there are as many tokens as asked for. */
export type EndReason = 'stopToken' | 'stopString' | 'maxTokens';

/** A text that was written. */
export interface Generated {
  /** The new tokens, with the stop token if one came. */
  readonly ids: number[];
  /** The new text, without the stop string; with a tokenizer. */
  readonly text?: string;
  readonly reason: EndReason;
  /** ln of the probability of each token, if asked for. */
  readonly logProbabilities?: number[];
  /** Number of the prompt. */
  readonly prompt: number;
}

/** One token of a stream. */
export interface Piece {
  /** Number of the text. */
  readonly sequence: number;
  readonly token: number;
  /** What is new of the text: only complete characters, '' while some are incomplete or may become a stop string. */
  readonly text: string;
  /** Set on a text's last piece. */
  readonly reason?: EndReason;
  readonly logProbability?: number;
}

/** A step that was started. */
interface Launched {
  readonly ids: Promise<ArrayLike<number>>;
  readonly logProbabilities: Promise<ArrayLike<number> | undefined>;
  readonly done: Promise<unknown>;
}

/**
 * Texts that a model goes on writing. Keys and values of all that was read and written stay in caches between the calls, so that
 * nothing is computed twice: a chat appends the next prompt to what there is. One plan reads prompts (of like lengths), one writes
 * all further tokens; both are kept.
 *
 * A call that fails, is aborted, or whose reader stops leaves the session with the tokens that were delivered, ready to go on.
 */
export class Session {
  readonly batch: number;
  readonly capacity: number;
  readonly #decoding: Decoding;
  readonly #sourceCapacity: number;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #device: string | undefined;
  readonly #programs = new Map<string, Program>();
  #tensors: readonly TensorBase[];
  #texts: number[][];
  /** How many tokens of each text the caches hold. */
  #cached: number[];
  #busy = false;
  #disposed = false;

  constructor(
    readonly model: LanguageModel,
    options: SessionOptions = {},
  ) {
    checkOptions('Session', options, ['batch', 'capacity', 'sourceCapacity', 'tokenizer', 'device']);
    const { batch = 1, capacity = model.maxLength, sourceCapacity = model.maxLength, tokenizer, device } = options;
    for (const [name, size] of Object.entries({ batch, capacity, sourceCapacity }))
      if (!Number.isInteger(size) || size < 1) throw new RangeError(`Session: ${name} must be an integer of at least 1, got ${size}.`);
    this.batch = batch;
    this.capacity = Math.min(capacity, model.maxLength);
    this.#sourceCapacity = Math.min(sourceCapacity, model.maxLength);
    this.#decoding = decodingOf(model, batch, this.capacity, this.#sourceCapacity);
    this.#tokenizer = tokenizer;
    this.#device = device;
    this.#tensors = frozen([model]).tensors;
    this.#texts = Array.from({ length: batch }, () => []);
    this.#cached = new Array(batch).fill(0);
  }

  /** Ids of each text so far: prompts and what was written. */
  get ids(): number[][] {
    return this.#texts.map((ids) => [...ids]);
  }

  /** Number of plans made so far. */
  get plans(): number {
    return [...this.#programs.values()].reduce((sum, program) => sum + program.plans, 0);
  }

  /**
   * Appends a prompt to each text, and goes on writing. `undefined` appends nothing. A model with an encoder reads each prompt as a
   * new source, and begins a new text.
   *
   * @throws INVALID_ARGUMENT, INDEX_OUT_OF_RANGE, CAPACITY_EXCEEDED, NOT_FINITE (the model gives NaN), ABORTED
   */
  async generate(prompt: Prompt | undefined, options: GenerateOptions = {}): Promise<Generated[]> {
    const { logProbabilities = false } = options;
    const found = this.#texts.map((_, row) => ({
      ids: [] as number[],
      text: '',
      logs: [] as number[],
      reason: 'maxTokens' as EndReason,
      row,
    }));
    for await (const { sequence, token, text, reason, logProbability } of this.stream(prompt, options)) {
      const one = found[sequence]!;
      one.ids.push(token);
      one.text += text;
      if (logProbability !== undefined) one.logs.push(logProbability);
      if (reason) one.reason = reason;
    }
    const withText = this.#tokenizer !== undefined;
    return found.map(({ ids, text, logs, reason, row }) => ({
      ids,
      ...(withText && { text }),
      reason,
      ...(logProbabilities && { logProbabilities: logs }),
      prompt: row,
    }));
  }

  /** `generate`, token by token. At most one step runs ahead of the reader; a reader that breaks off ends the call. */
  async *stream(prompt: Prompt | undefined, options: GenerateOptions = {}): AsyncGenerator<Piece, void, undefined> {
    if (this.#disposed) throw new DisposedError('This session');
    if (this.#busy)
      throw new PolluxError('INVALID_ARGUMENT', 'Session: a call is still running. Await it, or break off its stream, first.');
    const { model } = this;
    const choices = choicesOf(options, model.vocabularySize, this.#tokenizer);
    const { texts, source } = this.#read(prompt);
    const maxTokens = tokensThatFit(longestOf(texts), choices.maxTokens, this.capacity, model.maxLength);
    this.#busy = true;
    try {
      yield* this.#write(texts, source, maxTokens, choices);
    } finally {
      this.#busy = false;
    }
  }

  /** Forgets all texts. Plans and memory are kept. */
  reset(): void {
    if (this.#busy)
      throw new PolluxError('INVALID_ARGUMENT', 'Session: a call is still running. Await it, or break off its stream, first.');
    this.#texts = this.#texts.map(() => []);
    this.#place(this.#texts.map(() => 0));
  }

  /** Frees the caches; the model stays. */
  dispose(): void {
    this.#disposed = true;
    for (const program of this.#programs.values()) program.dispose();
    for (const cache of [...this.#decoding.caches, ...this.#decoding.memory]) cache.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The texts with the prompts, and what an encoder is to read. */
  #read(prompt: Prompt | undefined): { texts: number[][]; source: number[][] | undefined } {
    const { model } = this;
    const encodes = readsSource(model);
    if (prompt === undefined) {
      if (this.#texts.some((ids) => !ids.length))
        throw new PolluxError('INVALID_ARGUMENT', 'Session: there is no text to go on with. Give a prompt.');
      return { texts: this.ids, source: undefined };
    }
    const prompts = readPrompts(prompt, encodes ? model.sourceVocabularySize : model.vocabularySize, this.#tokenizer);
    if (prompts.length !== this.batch)
      throw new PolluxError('SHAPE_MISMATCH', `Session: ${prompts.length} prompts for a batch of ${this.batch} texts. Give one for each.`);
    if (!encodes) return { texts: prompts.map((ids, row) => [...this.#texts[row]!, ...ids]), source: undefined };
    tokensThatFit(longestOf(prompts), 1, this.#sourceCapacity, model.maxLength);
    return { texts: prompts.map(() => [model.startToken]), source: prompts };
  }

  async *#write(
    texts: number[][],
    source: number[][] | undefined,
    maxTokens: number,
    choices: Choices,
  ): AsyncGenerator<Piece, void, undefined> {
    const program = this.#program(choices);
    const trackers = texts.map(() => (this.#tokenizer ? new TextTracker(this.#tokenizer, choices.stopStrings) : undefined));
    // On the device a text goes on until a stop token comes; here it also ends with a stop string.
    const active = texts.map(() => true);
    const ended = texts.map(() => false);
    let made = 0;
    let ahead: Launched | undefined = this.#launchPrompt(program, texts, source, choices);
    try {
      while (ahead) {
        const ids = await ahead.ids;
        const logs = await ahead.logProbabilities;
        const arrived = active.map((on, row) => on && !ended[row]);
        made++;
        active.forEach((on, row) => (active[row] = on && !choices.stopTokens.has(ids[row]!)));
        const goesOn = made < maxTokens && active.some((on, row) => on && !ended[row]);
        // While this token is looked at, the next is being made.
        ahead = goesOn ? this.#launchNext(program, made, [...active], choices) : undefined;
        const pieces: Piece[] = [];
        for (const [row, text] of texts.entries()) {
          if (!arrived[row]) continue;
          const token = ids[row]!;
          text.push(token);
          const reason: EndReason | undefined = !active[row] ? 'stopToken' : made === maxTokens ? 'maxTokens' : undefined;
          const progress = trackers[row]?.push(token, reason !== undefined) ?? { text: '', stopped: false };
          const end = progress.stopped ? 'stopString' : reason;
          ended[row] = end !== undefined;
          pieces.push({
            sequence: row,
            token,
            text: progress.text,
            ...(end && { reason: end }),
            ...(logs && { logProbability: logs[row]! }),
          });
        }
        yield* pieces;
        if (ended.every((is) => is)) return;
      }
    } finally {
      // What ran ahead is let come to its end, then forgotten: the last token of each text is read by the next call.
      await ahead?.done;
      this.#rewind();
    }
  }

  /** The steps for these features; made anew if the model has other tensors than before. */
  #program({ features }: Choices): Program {
    const { tensors } = frozen([this.model]);
    if (tensors.length !== this.#tensors.length || tensors.some((x, i) => x !== this.#tensors[i])) {
      for (const program of this.#programs.values()) program.dispose();
      this.#programs.clear();
      this.#tensors = tensors;
    }
    const key = JSON.stringify(features);
    const known = this.#programs.get(key) ?? new Program(this.model, this.#decoding, features, this.batch, this.capacity, this.#device);
    this.#programs.set(key, known);
    return known;
  }

  #launchPrompt(program: Program, texts: number[][], source: number[][] | undefined, choices: Choices): Launched {
    if (source) {
      this.#texts = texts.map(() => []);
      this.#place(texts.map(() => 0));
      for (const cache of this.#decoding.memory) cache.reset();
    }
    const feed = texts.map((ids, row) => ids.slice(this.#cached[row]));
    const longest = longestOf(feed);
    // The cache takes whole rows of the batch, padding included.
    const width = Math.min(bucketOf(longest), this.capacity - Math.max(...this.#cached));
    if (width < longest)
      throw new PolluxError(
        'CAPACITY_EXCEEDED',
        `Session: ${longest} tokens of one text and ${Math.max(...this.#cached)} of another do not fit the capacity of ${this.capacity} side by side.`,
      );
    program.state.begin(texts, choices);
    const { ids, lengths } = padded(feed, width);
    const sources = source ? [padded(source, Math.min(bucketOf(longestOf(source)), this.#sourceCapacity))] : [];
    const args = [ids, lengths, settingsOf(choices, 0), randomOf(choices, 0), sources] as const;
    return this.#launch(program.prompt.run(args as never, { signal: choices.signal }), () => {
      this.#texts = texts;
      this.#cached = this.#cached.map((count, row) => count + feed[row]!.length);
    });
  }

  #launchNext(program: Program, made: number, active: readonly boolean[], choices: Choices): Launched {
    const args = [settingsOf(choices, made), randomOf(choices, made)] as const;
    return this.#launch(program.next.run(args as never, { signal: choices.signal }), () => {
      this.#cached = this.#cached.map((count, row) => count + Number(active[row]));
    });
  }

  #launch(running: Promise<Chosen>, done: () => void): Launched {
    const ids = running.then(({ ids }) => {
      done();
      return ids.data() as Promise<Int32Array>;
    });
    const logProbabilities = running.then(({ logProbabilities }) => logProbabilities?.data() as Promise<Float32Array> | undefined);
    // A failure is met where the tokens are awaited, which may be later than it happens.
    logProbabilities.catch(() => undefined);
    return { ids, logProbabilities, done: ids.catch(() => undefined) };
  }

  /** Takes back the rows that the caches have of tokens which were not delivered, and of each text's last token. */
  #rewind(): void {
    const kept = this.#cached.map((count, row) => Math.min(count, Math.max(0, this.#texts[row]!.length - 1)));
    if (kept.some((count, row) => count !== this.#cached[row])) this.#place(kept);
  }

  #place(counts: number[]): void {
    this.#cached = counts;
    for (const { position } of this.#decoding.caches)
      position.assign(tensor({ data: Int32Array.from(counts), shape: [counts.length], dtype: 'int32' }) as never);
  }
}

const settingsOf = (choices: Choices, made: number) => ({
  data: vectorOf(choices.settings, made >= choices.minTokens),
  shape: [settingNames.length],
});

/** The state of the random numbers for one token. Without a seed it is the process's. */
function randomOf({ seed, signal }: Choices, made: number): { data: BigInt64Array; shape: number[] } {
  if (signal?.aborted) throw new AbortError('Generation was aborted.', signal.reason);
  const state = seed === undefined ? [generator.seed, generator.step++, 0n] : [BigInt(seed), BigInt(made), 0n];
  return { data: BigInt64Array.from(state), shape: [3] };
}
