import { PolluxError } from '../../errors.js';

/** A part of tokenizer.json that says by its `type` what it is. */
export interface Part {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** What went wrong in which part of the file. */
export const malformed = (where: string, what: string): PolluxError => new PolluxError('FILE_CORRUPT', `tokenizer.json: ${where} ${what}.`);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A part, or undefined for null and for what is absent. */
export function partAt(where: string, value: unknown): Part | undefined {
  if (value === null || value === undefined) return undefined;
  if (!isObject(value) || typeof value.type !== 'string') throw malformed(where, 'must be an object with a "type"');
  return value as Part;
}

/** The parts of a sequence. */
export function partsAt(where: string, value: unknown): Part[] {
  if (!Array.isArray(value)) throw malformed(where, 'must be a list');
  return value.map((item, i) => partAt(`${where}[${i}]`, item) ?? fail(`${where}[${i}]`, 'is missing'));
}

function fail(where: string, what: string): never {
  throw malformed(where, what);
}

/** A field of a kind, or the default where it is absent. */
export function field<T extends string | boolean | number>(where: string, part: object, name: string, otherwise?: T): T {
  const value = (part as Record<string, unknown>)[name];
  if ((value === undefined || value === null) && otherwise !== undefined) return otherwise;
  if (otherwise !== undefined ? typeof value !== typeof otherwise : value === undefined)
    throw malformed(`${where}.${name}`, `must be a ${typeof otherwise}, not ${JSON.stringify(value)}`);
  return value as T;
}

/** A text that must be there. */
export function textAt(where: string, part: object, name: string): string {
  const value = (part as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : fail(`${where}.${name}`, `must be a text, not ${JSON.stringify(value)}`);
}

/** A kind that stands in the file and is not known here. */
export const unknownKind = (where: string, kind: string, known: readonly string[]): PolluxError =>
  new PolluxError('UNSUPPORTED', `tokenizer.json: ${where} is of the unknown type "${kind}". Known: ${known.join(', ')}.`);
