import { PolluxError } from '../errors.js';
import { byteSize } from '../graph/dtype.js';
import type { DType } from '../graph/dtype.js';

/** One tensor of a safetensors file: `start` and `stop` are byte offsets from the end of the header. */
export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly stop: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation's bound, which keeps a hostile length from filling the memory. */
export const largestHeader = 100_000_000;

const fileNames: { [D in DType]: string } = {
  float32: 'F32',
  bfloat16: 'BF16',
  float16: 'F16',
  int8: 'I8',
  uint8: 'U8',
  int32: 'I32',
  int64: 'I64',
  bool: 'BOOL',
};
const dtypesByName = new Map(Object.entries(fileNames).map(([dtype, name]) => [name, dtype as DType]));
const metadataKey = '__metadata__';

/** An error about a file, which names the tensor where there is one. */
export function corrupt(path: string, why: string, tensor?: string): PolluxError {
  const where = tensor === undefined ? '' : `tensor ${JSON.stringify(tensor)}: `;
  return new PolluxError('FILE_CORRUPT', `${path}: not a sound safetensors file: ${where}${why}`);
}

/**
 * Reads and validates a header: JSON without duplicate keys, known dtypes, offsets that follow from dtype and shape and
 * cover `dataBytes` without gap or overlap.
 * @throws PolluxError FILE_CORRUPT naming the tensor; UNSUPPORTED for a dtype that the format has and Pollux has not.
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  const header = parseJson(path, bytes);
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) metadata = checkMetadata(path, value);
    else tensors.set(name, checkEntry(path, name, value));
  }
  checkCover(path, tensors, dataBytes);
  return { tensors, metadata };
}

function parseJson(path: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw corrupt(path, 'its header is not UTF-8.');
  }
  if (text[0] !== '{') throw corrupt(path, 'its header does not begin with "{".');
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw corrupt(path, `its header is not JSON: ${(error as Error).message}.`);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw corrupt(path, `the key ${JSON.stringify(duplicate)} occurs twice.`);
  return header as Record<string, unknown>;
}

/** The first key that occurs twice in one object of valid JSON: JSON.parse itself lets the last one win in silence. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  const token = /"(?:[^"\\]|\\.)*"(?=(\s*:)?)|[{}]/gy;
  for (let at = 0; at < text.length; ) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (!match) {
      at++;
      continue;
    }
    at = token.lastIndex;
    if (match[0] === '{') open.push(new Set());
    else if (match[0] === '}') open.pop();
    else if (match[1] !== undefined) {
      const key = JSON.parse(match[0]) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function checkMetadata(path: string, value: unknown): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw corrupt(path, `${metadataKey} must map names to strings.`);
  }
  return value as Record<string, string>;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkEntry(path: string, name: string, value: unknown): TensorEntry {
  if (!isObject(value)) throw corrupt(path, 'its entry is not an object.', name);
  const { dtype: fileName, shape, data_offsets: offsets } = value;
  const dtype = dtypesByName.get(fileName as string);
  if (dtype === undefined) throw refuseDtype(path, name, fileName);
  if (!Array.isArray(shape) || !shape.every(isCount)) throw corrupt(path, `its shape ${JSON.stringify(shape)} is no list of sizes.`, name);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw corrupt(path, `its data_offsets ${JSON.stringify(offsets)} are not two byte offsets.`, name);
  }
  const [start, stop] = offsets as [number, number];
  // The product of sizes that a hostile header names can overflow every number but a BigInt.
  const needed = (shape as number[]).reduce((product, size) => product * BigInt(size), BigInt(byteSize(dtype)));
  if (needed !== BigInt(stop) - BigInt(start)) {
    throw corrupt(path, `${fileNames[dtype]} [${shape.join(', ')}] needs ${needed} bytes, its data_offsets span ${stop - start}.`, name);
  }
  return { dtype, shape: shape as number[], start, stop };
}

function refuseDtype(path: string, name: string, fileName: unknown): PolluxError {
  const known = ['F64', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F4', 'F6_E2M3', 'F6_E3M2', 'I16', 'U16', 'U32', 'U64', 'C64'];
  if (!known.includes(fileName as string)) return corrupt(path, `its dtype ${JSON.stringify(fileName)} is none of the format's.`, name);
  return new PolluxError(
    'UNSUPPORTED',
    `${path}: tensor ${JSON.stringify(name)} is ${String(fileName)}, which Pollux does not hold. ` +
      `Convert it first (in Python: tensor.to(torch.${String(fileName).startsWith('F') ? 'float32' : 'int64'})) and save the file again.`,
  );
}

/** The tensors, by offset, must cover the data from the first byte to the last: no hole, no overlap. */
function checkCover(path: string, tensors: ReadonlyMap<string, TensorEntry>, dataBytes: number): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.stop - b.stop);
  let covered = 0;
  for (const [name, { start, stop }] of ordered) {
    if (stop > dataBytes) throw corrupt(path, `its data end at byte ${stop}, the file's at ${dataBytes}.`, name);
    if (start < covered)
      throw corrupt(path, `its data begin at byte ${start}, within those of the tensor before, which end at ${covered}.`, name);
    if (start > covered) throw corrupt(path, `its data begin at byte ${start}, which leaves a hole after byte ${covered}.`, name);
    covered = stop;
  }
  if (covered !== dataBytes) throw corrupt(path, `its tensors end at byte ${covered}, its data at ${dataBytes}.`);
}

/** The 8-byte length and the JSON, padded with spaces so that the data begin at a multiple of 8. */
export function encodeHeader(tensors: Iterable<readonly [string, TensorEntry]>, metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: string[] = [];
  const add = (name: string, value: unknown): void => void entries.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  if (Object.keys(metadata).length > 0) add(metadataKey, metadata);
  for (const [name, { dtype, shape, start, stop }] of tensors) add(name, { dtype: fileNames[dtype], shape, data_offsets: [start, stop] });
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

/** The name that the file format gives a dtype, such as F32. */
export const formatName = (dtype: DType): string => fileNames[dtype];
export const isReservedName = (name: string): boolean => name === metadataKey;
