import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { PolluxError, checkOptions, nearest } from '../errors.js';
import { byteSize } from '../graph/dtype.js';
import { allocate, elementCount, holds } from '../tensor/hostArray.js';
import type { HostArray } from '../tensor/hostArray.js';
import { ioFailed, readFully, writeAtomic } from './atomic.js';
import type { Written } from './atomic.js';
import { corrupt, encodeHeader, isReservedName, largestHeader, parseHeader } from './safetensors-header.js';
import type { SafetensorsHeader, TensorEntry } from './safetensors-header.js';

/** Named tensors in host memory. */
export type TensorMap = ReadonlyMap<string, HostArray>;

export interface SafetensorsContent {
  tensors: Map<string, HostArray>;
  metadata: Readonly<Record<string, string>>;
}

/**
 * An open safetensors file. Only the header is read at once; tensors are read one by one, in chunks, so that files
 * larger than memory or than 4 GiB are no obstacle. Close it, or declare it with `await using`.
 */
export class SafetensorsFile implements AsyncDisposable, SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #dataStart: number;

  private constructor(path: string, file: FileHandle, header: SafetensorsHeader, dataStart: number) {
    this.#path = path;
    this.#file = file;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#dataStart = dataStart;
  }

  /**
   * Opens a file and validates its whole header against its size.
   * @throws PolluxError FILE_CORRUPT, UNSUPPORTED (a dtype such as F64), IO_FAILED.
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, 'r').catch((error: unknown) => {
      throw ioFailed('open', path, error);
    });
    try {
      const { header, dataStart } = await readHeader(path, file);
      return new SafetensorsFile(path, file, header, dataStart);
    } catch (error) {
      await file.close();
      throw ioFailed('read', path, error);
    }
  }

  /** Reads one tensor. @throws PolluxError INVALID_ARGUMENT for a name that the file does not hold. */
  async read(name: string): Promise<HostArray> {
    const entry = this.tensors.get(name);
    if (!entry) {
      const near = nearest(name, [...this.tensors.keys()]);
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `${this.#path}: holds no tensor "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
      );
    }
    const { dtype, shape, start } = entry;
    const data = allocate(dtype, elementCount(shape));
    try {
      await readFully(this.#path, this.#file, bytesOf(data), this.#dataStart + start);
    } catch (error) {
      throw ioFailed('read', this.#path, error);
    }
    if (dtype === 'bool' && (data as Uint8Array).some((byte) => byte > 1)) {
      throw corrupt(this.#path, 'it is BOOL and holds bytes other than 0 and 1.', name);
    }
    return { dtype, shape: [...shape], data };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function readHeader(path: string, file: FileHandle): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  const { size } = await file.stat();
  if (size < 8) throw corrupt(path, `it has ${size} bytes, the length of its header alone takes 8.`);
  const prefix = new Uint8Array(8);
  await readFully(path, file, prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(largestHeader)) throw corrupt(path, `its header claims ${length} bytes; at most ${largestHeader} are read.`);
  if (length > BigInt(size - 8)) throw corrupt(path, `its header claims ${length} bytes, the file has ${size - 8} after the length.`);
  const bytes = new Uint8Array(Number(length));
  await readFully(path, file, bytes, 8);
  const dataStart = 8 + bytes.length;
  return { header: parseHeader(path, bytes, size - dataStart), dataStart };
}

const bytesOf = (data: HostArray['data']): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Reads a whole safetensors file. See `SafetensorsFile.open` for the errors. */
export async function readSafetensors(path: string): Promise<SafetensorsContent> {
  await using file = await SafetensorsFile.open(path);
  const tensors = new Map<string, HostArray>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  return { tensors, metadata: file.metadata };
}

export interface WriteOptions {
  /** Free text, stored in the header. */
  metadata?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * Writes tensors as a safetensors file, whole or not at all: a failure leaves an earlier file of that name untouched.
 * The order is the reference implementation's (wider elements first, then by name), which aligns every tensor.
 * The arrays must not change until the promise settles.
 * @throws PolluxError IO_FAILED (a full disk, a missing folder), SHAPE_MISMATCH, DTYPE_MISMATCH, ABORTED.
 */
export async function writeSafetensors(path: string, tensors: TensorMap, options: WriteOptions = {}): Promise<Written> {
  checkOptions('writeSafetensors', options, ['metadata', 'signal']);
  const ordered = [...tensors].sort(([nameA, a], [nameB, b]) => byteSize(b.dtype) - byteSize(a.dtype) || (nameA < nameB ? -1 : 1));
  const entries: [string, TensorEntry][] = [];
  let offset = 0;
  for (const [name, array] of ordered) {
    checkArray(name, array);
    const start = offset;
    offset += array.data.byteLength;
    entries.push([name, { dtype: array.dtype, shape: array.shape, start, stop: offset }]);
  }
  const header = encodeHeader(entries, options.metadata ?? {});
  return writeAtomic(path, [header, ...ordered.map(([, { data }]) => bytesOf(data))], { signal: options.signal });
}

function checkArray(name: string, { data, shape, dtype }: HostArray): void {
  if (isReservedName(name)) throw new PolluxError('INVALID_ARGUMENT', `writeSafetensors: the name "${name}" is reserved by the format.`);
  if (!holds(data, dtype)) {
    throw new PolluxError('DTYPE_MISMATCH', `writeSafetensors: "${name}" is ${dtype}, which a ${data.constructor.name} does not hold.`);
  }
  if (data.length !== elementCount(shape)) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `writeSafetensors: "${name}" has shape [${shape.join(', ')}] of ${elementCount(shape)} elements, its array has ${data.length}.`,
    );
  }
}
