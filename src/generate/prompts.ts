import { PolluxError } from '../errors.js';
import type { EncodedBatch, Tokenizer } from '../text/index.js';
import { requireToken } from './options.js';

/** Token ids of one text. */
export type Ids = readonly number[] | Int32Array;
/** A text as ids or, with a tokenizer, as a string; or several of them; or what `tokenizer.encodeBatch` gives. */
export type Prompt = string | Ids | readonly (string | Ids)[] | PromptBatch;
/** Ids of several texts, padded on the right by their lengths, or on any side with a mask. */
export type PromptBatch = Pick<EncodedBatch, 'ids' | 'lengths'> & Partial<Pick<EncodedBatch, 'mask'>>;

const isBatch = (prompt: Prompt): prompt is PromptBatch => 'lengths' in Object(prompt);

function rowsOf({ ids, lengths, mask }: PromptBatch): number[][] {
  const [rows, length] = ids.shape;
  const counts = (row: number, i: number): boolean => (mask ? mask.data[row * length + i] === 1 : i < lengths.data[row]!);
  return Array.from({ length: rows }, (_, row) =>
    [...(ids.data as Int32Array).subarray(row * length, (row + 1) * length)].filter((_, i) => counts(row, i)),
  );
}

const isOne = (prompt: string | Ids | readonly (string | Ids)[]): prompt is string | Ids =>
  typeof prompt === 'string' || !Array.isArray(prompt) || prompt.every((x) => typeof x === 'number');

/** The ids of each text. @throws TypeError, INVALID_ARGUMENT for an empty text, INDEX_OUT_OF_RANGE for ids outside the vocabulary */
export function readPrompts(prompt: Prompt, vocabulary: number, tokenizer: Tokenizer | undefined): number[][] {
  const encode = (text: string | Ids): number[] => {
    if (typeof text !== 'string') {
      if (Array.isArray(text) || ArrayBuffer.isView(text)) return [...text];
      throw new TypeError('generate: a prompt is a string, a list of ids, several of these, or what encodeBatch gives.');
    }
    if (!tokenizer) throw new TypeError('generate: a prompt that is a string needs a tokenizer; give { tokenizer }, or ids.');
    return tokenizer.encode(text).ids;
  };
  const list = isBatch(prompt) ? rowsOf(prompt) : (isOne(prompt) ? [prompt] : prompt).map(encode);
  if (!list.length) throw new PolluxError('INVALID_ARGUMENT', 'generate: there is no prompt.');
  list.forEach((ids, i) => {
    if (!ids.length)
      throw new PolluxError('INVALID_ARGUMENT', `generate: prompt ${i} is empty. Begin with a token, such as that of the start.`);
    for (const id of ids) requireToken('generate', `prompt ${i}: token`, id, vocabulary);
  });
  return list;
}

/** Rounded up so that other lengths seldom make another plan: at most four lengths from one power of two to the next. */
export function bucketOf(length: number): number {
  const step = Math.max(16, 2 ** Math.ceil(Math.log2(length)) / 8);
  return Math.ceil(length / step) * step;
}

/** Texts side by side: ids int32 [rows, width], padded on the right, and their lengths. */
export function padded(texts: readonly (readonly number[])[], width: number): { ids: HostIds; lengths: HostIds } {
  const data = new Int32Array(texts.length * width);
  texts.forEach((ids, row) => data.set(ids, row * width));
  return {
    ids: { data, shape: [texts.length, width], dtype: 'int32' },
    lengths: { data: Int32Array.from(texts, (ids) => ids.length), shape: [texts.length], dtype: 'int32' },
  };
}

/** Host data as steps take them. */
export interface HostIds {
  data: Int32Array;
  shape: number[];
  dtype: 'int32';
}

export const longestOf = (texts: readonly (readonly number[])[]): number => texts.reduce((most, { length }) => Math.max(most, length), 0);

/** Throws unless prompts and new tokens fit. The last token is not read again and needs no room. Gives the number of new tokens. */
export function tokensThatFit(length: number, wanted: number | undefined, capacity: number, maxLength: number): number {
  const room = capacity - length + 1;
  const limits = `the capacity is ${capacity} tokens, the model's maxLength ${maxLength}`;
  if (room < 1) throw new PolluxError('CAPACITY_EXCEEDED', `generate: a text of ${length} tokens is too long: ${limits}.`);
  if (wanted !== undefined && wanted > room)
    throw new PolluxError(
      'CAPACITY_EXCEEDED',
      `generate: ${wanted} new tokens behind a text of ${length} are too many: ${limits}. Ask for at most ${room}, or reset the session.`,
    );
  return wanted ?? Math.min(128, room);
}
