import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioFailed, writeAtomic } from '../../io/atomic.js';

/**
 * A file that grows by whole records. Writing goes on in the background; what goes wrong is thrown by the next call. A record that did
 * not fit on the disk is cut off again, so that the file always ends with a whole one.
 */
export class AppendFile {
  readonly path: string;
  #handle: FileHandle | undefined;
  #size = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Opens the file; with `content` it is first replaced by it, whole or not at all. @throws IO_FAILED. */
  async open(content?: Uint8Array): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true });
      if (content) await writeAtomic(this.path, [content]);
      this.#handle = await open(this.path, 'a');
      this.#size = (await this.#handle.stat()).size;
    } catch (error) {
      throw ioFailed('write', this.path, error);
    }
  }

  /** Appends one record. @throws IO_FAILED for an earlier one that could not be written. */
  write(record: Uint8Array): void {
    this.#throwFailure();
    this.#writing = this.#writing.then(() => this.#append(record));
  }

  async #append(record: Uint8Array): Promise<void> {
    if (this.#failure) return;
    try {
      for (let done = 0; done < record.length; ) done += (await this.#handle!.write(record, done)).bytesWritten;
      this.#size += record.length;
    } catch (error) {
      this.#failure = { error: ioFailed('write', this.path, error) };
      await this.#handle?.truncate(this.#size).catch(() => undefined);
    }
  }

  /** Resolves when all records are with the operating system. @throws IO_FAILED. */
  async flush(): Promise<void> {
    await this.#writing;
    this.#throwFailure();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
    this.#throwFailure();
  }

  /** Told once: what follows is not the same failure again. */
  #throwFailure(): void {
    if (!this.#failure) return;
    const { error } = this.#failure;
    throw error;
  }
}
