import { allocateBatch, type Batch, Dataset, type Field, type GetOptions, type Indices, type Schema } from '../data/dataset.js';
import { PhiloxStream } from '../data/philox.js';
import { checkOptions, PolluxError } from '../errors.js';
import type { Tokenizer } from './tokenizer/index.js';

/** The label that the losses leave out: `losses.crossEntropy(logits, labels, { ignoreIndex })`. */
export const ignoredLabel = -100;

export interface MaskingOptions {
  /** Share of the tokens to predict. Default 0.15. */
  probability?: number;
  /** Of these: replaced by the mask. Default 0.8. */
  masked?: number;
  /** Of these: replaced by a random token; the rest stays. Default 0.1. */
  random?: number;
  /** The field of token ids. Default 'ids'. */
  field?: string;
}

/** A batch's ids with some tokens hidden, and what they were. */
export type MaskedSchema<S extends Schema> = S & { readonly labels: Field<readonly number[], 'int32'> };

const maskStream = 0x6d61736b;

/**
 * The task of BERT (Devlin et al. 2019): hides tokens of the field `ids`, anew each epoch, and adds `labels`: the hidden tokens in
 * their places and `ignoredLabel` elsewhere. Special tokens (padding among them) are never hidden. Sample i draws from (seed,
 * epoch, i) alone.
 * @throws INVALID_ARGUMENT if the tokenizer has no mask token.
 */
export function maskedLanguageModel<S extends Schema>(
  dataset: Dataset<S>,
  tokenizer: Tokenizer,
  options: MaskingOptions = {},
): Dataset<MaskedSchema<S>> {
  checkOptions('maskedLanguageModel', options, ['probability', 'masked', 'random', 'field']);
  const { probability = 0.15, masked = 0.8, random = 0.1, field = 'ids' } = options;
  for (const [name, share] of Object.entries({ probability, masked, random }))
    if (!(share >= 0 && share <= 1)) throw new RangeError(`maskedLanguageModel: ${name} must lie in [0, 1], got ${share}.`);
  if (masked + random > 1) throw new RangeError(`maskedLanguageModel: masked and random are ${masked + random} together, more than all.`);
  const ids = dataset.schema[field];
  if (!ids)
    throw new TypeError(`maskedLanguageModel: there is no field "${field}"; the fields are ${Object.keys(dataset.schema).join(', ')}.`);
  const mask = ['[MASK]', '<mask>'].map((token) => tokenizer.idOf(token)).find((id) => id !== undefined);
  if (mask === undefined)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      'maskedLanguageModel: the tokenizer has no [MASK] or <mask> token; train it with one among specialTokens.',
    );
  const special = new Set(tokenizer.specialIds);
  const ordinary = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter((id) => !special.has(id));
  const schema = { ...dataset.schema, labels: { shape: ids.shape, dtype: 'int32' } } as MaskedSchema<S>;
  return dataset.map(schema, (batch, out, { indices, seed, epoch }) => {
    for (const [name, { data }] of Object.entries(batch)) (out[name]!.data as Int32Array).set(data as Int32Array);
    const tokens = out[field]!.data as Int32Array;
    const labels = (out.labels as { data: Int32Array }).data.fill(ignoredLabel);
    const stream = new PhiloxStream(seed, maskStream);
    const width = tokens.length / indices.length;
    for (let row = 0; row < indices.length; row++) {
      for (let i = 0; i < width; i++) {
        const at = row * width + i;
        const token = tokens[at]!;
        if (special.has(token)) continue;
        const words = stream.draw(indices[row]! * 2 ** 20 + i, epoch);
        if (words[0]! >= probability * 2 ** 32) continue;
        labels[at] = token;
        const choice = words[1]! / 2 ** 32;
        if (choice < masked) tokens[at] = mask;
        else if (choice < masked + random) tokens[at] = ordinary[Math.floor((words[2]! / 2 ** 32) * ordinary.length)]!;
      }
    }
  });
}

/**
 * The task of GPT: one long run of tokens, cut into windows of `length`, x int32 [length] and y, the same moved on by one token.
 * `stride` (default: length) is how far windows lie apart. @throws INVALID_ARGUMENT for fewer than length + 1 tokens.
 */
export function causalLanguageModel(
  ids: ArrayLike<number>,
  options: { length: number; stride?: number },
): Dataset<{ readonly x: Field<readonly [number], 'int32'>; readonly y: Field<readonly [number], 'int32'> }> {
  checkOptions('causalLanguageModel', options, ['length', 'stride']);
  const { length, stride = length } = options;
  for (const [name, value] of Object.entries({ length, stride }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new RangeError(`causalLanguageModel: ${name} must be a whole number of at least 1, got ${value}.`);
  const count = Math.floor((ids.length - 1 - length) / stride) + 1;
  if (count < 1)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `causalLanguageModel: ${ids.length} tokens make no window of ${length} and the token after it.`,
    );
  return new Windows(Int32Array.from(ids), count, length, stride);
}

type WindowSchema = { readonly x: Field<readonly [number], 'int32'>; readonly y: Field<readonly [number], 'int32'> };

/** Windows on one run of tokens: they overlap where the stride is short, so they are cut when they are read. */
class Windows extends Dataset<WindowSchema> {
  readonly schema: WindowSchema;

  constructor(
    readonly ids: Int32Array,
    readonly length: number,
    readonly size: number,
    readonly stride: number,
  ) {
    super();
    this.schema = { x: { shape: [size], dtype: 'int32' }, y: { shape: [size], dtype: 'int32' } };
  }

  override get(indices: Indices, options: GetOptions<WindowSchema> = {}): Batch<WindowSchema> {
    const out = options.out ?? allocateBatch(this.schema, indices.length);
    for (let i = 0; i < indices.length; i++) {
      const from = this.checkIndex(indices[i]!) * this.stride;
      out.x.data.set(this.ids.subarray(from, from + this.size), i * this.size);
      out.y.data.set(this.ids.subarray(from + 1, from + 1 + this.size), i * this.size);
    }
    return out;
  }
}
