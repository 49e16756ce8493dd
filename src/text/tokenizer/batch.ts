import { checkOptions } from '../../errors.js';
import type { HostArray } from '../../tensor/hostArray.js';
import type { EncodeOptions, Encoding } from './tokenizer.js';

export interface PadOptions {
  /** 'longest' (default): as long as the longest of the batch. A number: exactly that; longer texts must be cut by maxLength. */
  padTo?: 'longest' | number;
  /** Round the length up, so that few different shapes occur. */
  padToMultipleOf?: number;
  /** 'right' (default), or 'left' for generation. */
  padSide?: 'left' | 'right';
  /** Default: the tokenizer's padding token. */
  padId?: number;
}

export interface BatchOptions extends Omit<EncodeOptions, 'pair' | 'offsets'>, PadOptions {}

/** Token ids as a model takes them. */
export interface EncodedBatch {
  readonly ids: HostArray<'int32', readonly [number, number]>;
  readonly typeIds: HostArray<'int32', readonly [number, number]>;
  /** 1 where a token stands, 0 where padding does. */
  readonly mask: HostArray<'bool', readonly [number, number]>;
  readonly lengths: HostArray<'int32', readonly [number]>;
}

/** Encodings as rows of one length. @throws RangeError for one that is longer than `padTo`. */
export function padBatch(encodings: readonly Pick<Encoding, 'ids' | 'typeIds'>[], options: PadOptions = {}): EncodedBatch {
  checkOptions('encodeBatch', options, ['padTo', 'padToMultipleOf', 'padSide', 'padId']);
  const { padTo = 'longest', padToMultipleOf = 1, padSide = 'right', padId = 0 } = options;
  const longest = encodings.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  if (padTo !== 'longest' && !(Number.isInteger(padTo) && padTo >= longest))
    throw new RangeError(`encodeBatch: padTo is ${padTo}, but a text has ${longest} tokens. Cut them: { maxLength: ${padTo} }.`);
  if (!(Number.isInteger(padToMultipleOf) && padToMultipleOf >= 1))
    throw new RangeError(`encodeBatch: padToMultipleOf must be a whole number of at least 1, got ${padToMultipleOf}.`);
  const length = Math.ceil((padTo === 'longest' ? longest : padTo) / padToMultipleOf) * padToMultipleOf;
  const count = encodings.length;
  const ids = new Int32Array(count * length).fill(padId);
  const typeIds = new Int32Array(count * length);
  const mask = new Uint8Array(count * length);
  for (const [row, encoding] of encodings.entries()) {
    const at = row * length + (padSide === 'left' ? length - encoding.ids.length : 0);
    ids.set(encoding.ids, at);
    typeIds.set(encoding.typeIds, at);
    mask.fill(1, at, at + encoding.ids.length);
  }
  const shape = [count, length] as const;
  return {
    ids: { data: ids, shape, dtype: 'int32' },
    typeIds: { data: typeIds, shape, dtype: 'int32' },
    mask: { data: mask, shape, dtype: 'bool' },
    lengths: { data: Int32Array.from(encodings, (encoding) => encoding.ids.length), shape: [count], dtype: 'int32' },
  };
}
