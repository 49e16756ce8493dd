import { open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { AbortError, PolluxError } from '../errors.js';

/** Bytes per read or write: long enough to stream, short enough that hashing one does not hold up the event loop. */
export const chunkBytes = 2 ** 20;

/** Turns a system error into IO_FAILED with the path and, where there is one, the remedy. */
export function ioFailed(action: string, path: string, error: unknown): PolluxError {
  if (error instanceof PolluxError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? ' The disk is full; what stood there before is untouched.'
      : code === 'EACCES' || code === 'EPERM'
        ? ' Check the permissions of the file and its folder.'
        : '';
  return new PolluxError('IO_FAILED', `${path}: cannot ${action}: ${message}.${remedy}`, { cause: error });
}

/** Makes the entries of a folder durable, so that a rename survives a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its renames are journalled.
  if (process.platform === 'win32') return;
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/** What was written: its size and the SHA-256 of its bytes, in hex. */
export interface Written {
  bytes: number;
  sha256: string;
}

/**
 * Writes a file whole or not at all: into a temporary file beside it, flushed to the disk, then renamed over it.
 * @throws PolluxError IO_FAILED, with an earlier file of that name untouched; ABORTED when `signal` fires.
 */
export async function writeAtomic(path: string, parts: Iterable<Uint8Array>, options: { signal?: AbortSignal } = {}): Promise<Written> {
  const found = await stat(path).catch(() => undefined);
  // Renaming over /dev/stdout, say, would take the device away from the whole system.
  if (found && !found.isFile()) throw new PolluxError('IO_FAILED', `${path}: cannot write: it is no regular file.`);
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  try {
    const written = await writeAndSync(temporary, parts, options.signal);
    await rename(temporary, path);
    await syncFolder(folder);
    return written;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw ioFailed('write', path, error);
  }
}

async function writeAndSync(path: string, parts: Iterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Written> {
  await using file = await open(path, 'wx');
  const hash = createHash('sha256');
  let bytes = 0;
  for (const part of parts) {
    for (let start = 0; start < part.byteLength; start += chunkBytes) {
      if (signal?.aborted) throw new AbortError('Writing was aborted; the earlier file is untouched.', signal.reason);
      const chunk = part.subarray(start, start + chunkBytes);
      hash.update(chunk);
      await writeFully(file, chunk, bytes);
      bytes += chunk.byteLength;
    }
  }
  await file.sync();
  return { bytes, sha256: hash.digest('hex') };
}

async function writeFully(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.byteLength) {
    const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done, position + done);
    done += bytesWritten;
  }
}

/** Fills `target` from `position` on. @throws PolluxError FILE_CORRUPT if the file ends before. */
export async function readFully(path: string, file: FileHandle, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const { bytesRead } = await file.read(target, done, Math.min(chunkBytes, target.byteLength - done), position + done);
    if (bytesRead === 0) {
      throw new PolluxError('FILE_CORRUPT', `${path}: ended at byte ${position + done}, before byte ${position + target.byteLength}.`);
    }
    done += bytesRead;
  }
}

/** SHA-256 of a file's bytes, in hex, read in chunks. */
export async function hashFile(path: string): Promise<Written> {
  await using file = await open(path, 'r');
  const hash = createHash('sha256');
  const chunk = new Uint8Array(chunkBytes);
  for (let bytes = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    hash.update(chunk.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}
