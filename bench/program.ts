import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Precision } from './serve.js';

/** How to start a program: see serve.ts for what it then owes. */
export interface Command {
  /** `pollux`, the peer's name, or what bounds them all (`fma loop`, `stream`). */
  readonly program: string;
  readonly command: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A running program of the benchmark. */
export class Program {
  title = '';
  readonly ms: number[] = [];
  result: number | undefined;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #errors: string[] = [];

  private constructor(
    readonly name: string,
    child: ChildProcessWithoutNullStreams,
    lines: Interface,
  ) {
    this.#process = child;
    this.#lines = lines[Symbol.asyncIterator]();
    child.stderr.on('data', (text) => this.#errors.push(String(text)));
  }

  /** Starts a program and waits until it is set up. Throws with the reason where it cannot run. */
  static async start({ program, command, env }: Command, workload: string, precision: Precision): Promise<Program> {
    const child = spawn(command[0]!, [...command.slice(1), workload, precision], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, ...env },
    });
    child.on('error', () => {}); // shows as an end of its output
    child.stdin.on('error', () => {});
    const started = new Program(program, child, createInterface({ input: child.stdout }));
    const { title, unavailable } = (await started.#read()) as { title?: string; unavailable?: string };
    if (unavailable !== undefined) throw new Error(unavailable);
    started.title = title ?? program;
    return started;
  }

  /** Runs n steps and returns their milliseconds. They count only once `record` has been called with them. */
  async run(n: number): Promise<number[]> {
    this.#process.stdin.write(`${n}\n`);
    const { ms, result } = (await this.#read()) as { ms: number[]; result?: number };
    this.result = result;
    return ms;
  }

  record(ms: readonly number[]): void {
    this.ms.push(...ms);
  }

  stop(): void {
    this.#process.stdin.end();
  }

  /** The line of its error output that names an error, else the last one. */
  #lastWords(): string {
    const lines = this.#errors.join('').trim().split('\n');
    return lines.find((line) => /^\w*Error\b/.test(line)) ?? (lines.at(-1) || 'no message');
  }

  async #read(): Promise<unknown> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`ended early: ${this.#lastWords()}`);
      if (value.startsWith('{')) return JSON.parse(value); // libraries print what they like
    }
  }
}
