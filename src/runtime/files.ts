import { stat } from 'node:fs/promises';
import { PolluxError } from '../errors.js';
import { addon } from './addon.js';
import type { DeviceBuffer } from './device.js';
import { handleOf } from './handle.js';

/** Part of a file, in bytes. */
export interface FileRange {
  readonly position: number;
  readonly bytes: number;
}

/**
 * Writes segments one after another into a new file, off the main thread. Device buffers are written as they are once
 * all earlier runs have ended; later runs do not wait for the disk. Host data on ordinary ArrayBuffers is copied at the call.
 * @throws PolluxError IO_FAILED with the system's reason (disk full, no permission); the file is then incomplete.
 */
export async function writeSegments(
  path: string,
  segments: readonly (DeviceBuffer | ArrayBufferView)[],
  options: { fsync?: boolean } = {},
): Promise<void> {
  await addon().writeSegments(
    path,
    segments.map((segment) => (ArrayBuffer.isView(segment) ? segment : segment[handleOf])),
    options.fsync ?? false,
  );
}

/**
 * Reads parts of a file, off the main thread; each becomes an ArrayBuffer of its own.
 * @throws PolluxError IO_FAILED, also when a range ends beyond the file: nothing is allocated on the word of a file's header.
 */
export async function readSegments(path: string, ranges: readonly FileRange[]): Promise<ArrayBuffer[]> {
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (error) {
    throw new PolluxError('IO_FAILED', `${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  for (const { position, bytes } of ranges) {
    if (!Number.isSafeInteger(position) || !Number.isSafeInteger(bytes) || position < 0 || bytes < 0) {
      throw new RangeError(`readSegments: a range must be whole numbers of at least 0, not ${position} + ${bytes}.`);
    }
    if (position + bytes > size) {
      throw new PolluxError(
        'IO_FAILED',
        `${path} holds ${size} bytes; ${bytes} at ${position} were asked for. The file is cut short or damaged.`,
      );
    }
  }
  const destinations = ranges.map(({ bytes }) => {
    try {
      return new ArrayBuffer(bytes);
    } catch (error) {
      throw new PolluxError('OUT_OF_MEMORY', `No memory for ${bytes} bytes of ${path}.`, { cause: error });
    }
  });
  await addon().readSegments(
    path,
    ranges.map(({ position }) => position),
    destinations,
  );
  return destinations;
}
