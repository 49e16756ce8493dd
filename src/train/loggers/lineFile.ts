import { readFile } from 'node:fs/promises';
import { ioFailed } from '../../io/atomic.js';
import { AppendFile } from './appendFile.js';

/**
 * A text file of one record a line. A new run begins it anew; a resumed one goes on, without the lines that came after its checkpoint and
 * without a last line that a kill cut short.
 */
export class LineFile {
  readonly #file: AppendFile;
  /** Lines that stood there and stay. */
  kept: readonly string[] = [];

  constructor(path: string) {
    this.#file = new AppendFile(path);
  }

  /** @param keep which of the lines that stand there stay; undefined begins anew */
  async open(keep: ((line: string, place: number) => boolean) | undefined): Promise<void> {
    const text = keep ? await this.#read() : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.kept = keep ? whole.split('\n').slice(0, -1).filter(keep) : [];
    await this.#file.open(encode(this.kept.map((line) => `${line}\n`).join('')));
  }

  async #read(): Promise<string> {
    const { path } = this.#file;
    return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw ioFailed('read', path, error);
    });
  }

  write(line: string): void {
    this.#file.write(encode(`${line}\n`));
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
