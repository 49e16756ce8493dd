import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { PolluxError } from '../errors.js';

/** One IDX file: unsigned bytes with a shape of up to 8 axes, as LeCun's MNIST pages define the format. */
export interface IdxData {
  data: Uint8Array;
  shape: number[];
}

const unsignedByte = 0x08;
const highestRank = 8;
/** What a compressed file may grow to, so that a small hostile file cannot fill the memory. */
const largestInflated = 2 ** 31 - 1;

function corrupt(path: string, why: string): PolluxError {
  return new PolluxError('FILE_CORRUPT', `${path}: not a sound IDX file: ${why}`);
}

/**
 * Reads an IDX file of unsigned bytes, raw or gzipped. Nothing is allocated on the word of a header: the sizes that
 * it claims are compared with the bytes that the file has.
 * @throws PolluxError FILE_CORRUPT naming the file and the byte counts; IO_FAILED if it cannot be read.
 */
export async function readIdx(path: string): Promise<IdxData> {
  let bytes: Uint8Array;
  try {
    await using file = await open(path, 'r');
    bytes = await readWhole(path, file);
  } catch (error) {
    if (error instanceof PolluxError) throw error;
    throw new PolluxError('IO_FAILED', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return parseIdx(path, bytes[0] === 0x1f && bytes[1] === 0x8b ? await inflate(path, bytes) : bytes);
}

async function readWhole(path: string, file: FileHandle): Promise<Uint8Array> {
  const { size } = await file.stat();
  if (size > largestInflated) throw corrupt(path, `it has ${size} bytes, more than the ${largestInflated} that are read at once.`);
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, Math.min(size - filled, 2 ** 23), filled);
    if (bytesRead === 0) throw corrupt(path, `it ended after ${filled} of ${size} bytes; it was cut while being read.`);
    filled += bytesRead;
  }
  return bytes;
}

async function inflate(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: largestInflated });
  } catch (error) {
    throw corrupt(path, `its ${bytes.length} gzipped bytes cannot be unpacked: ${(error as Error).message}.`);
  }
}

/** Reads the bytes of an IDX file; `path` only names it in errors. */
export function parseIdx(path: string, bytes: Uint8Array): IdxData {
  if (bytes.length < 4) throw corrupt(path, `it has ${bytes.length} bytes, the magic number alone has 4.`);
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    throw corrupt(path, `it begins with ${hex(bytes[0]!)} ${hex(bytes[1]!)} where two zero bytes belong.`);
  }
  if (bytes[2] !== unsignedByte) throw corrupt(path, `its element type is ${hex(bytes[2]!)}; only unsigned bytes (0x08) are read.`);
  const rank = bytes[3]!;
  if (rank > highestRank) throw corrupt(path, `it claims ${rank} axes; at most ${highestRank} are read.`);
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw corrupt(path, `it has ${bytes.length} bytes, its header of ${rank} axes needs ${header}.`);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => words.getUint32(4 + 4 * axis));
  // Eight 32-bit sizes overflow any number type of JavaScript's but this one.
  const claimed = shape.reduce((product, size) => product * BigInt(size), 1n);
  const found = bytes.length - header;
  if (claimed !== BigInt(found)) {
    throw corrupt(path, `its shape [${shape.join(', ')}] needs ${claimed} bytes of data, the file has ${found}.`);
  }
  return { data: bytes.subarray(header), shape };
}

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
