// The devices under test, each in a process of its own.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { KernelDescription, Target } from '../../src/compiler/index.js';
import type { DType } from '../../src/graph/dtype.js';
import { records } from '../../src/ops/index.js';

export type Question =
  | { readonly kind: 'describe'; readonly names: readonly string[] }
  | {
      readonly kind: 'run';
      readonly wire: ArrayBuffer;
      readonly inputs: readonly Uint8Array[];
      /** Bindings that are states of the plan. */
      readonly states: readonly number[];
      readonly threads?: number;
    };

export interface Outcome {
  readonly results: Uint8Array[];
  readonly states: Uint8Array[];
  readonly failure?: { code: number; step: number; element: number; detail: number };
}

/** A plan is run twice: on the arena as it was, and after all of it was filled with NaN patterns. */
export interface Runs {
  readonly first: Outcome;
  readonly second: Outcome;
}

export interface Description {
  readonly level: string;
  readonly kernels: ReadonlyMap<string, KernelDescription>;
  readonly instructions: ReadonlyMap<string, { readonly dtypes: ReadonlySet<DType> }>;
}

export type Answer = Description | Runs;

export class RemoteDevice {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #next = 0;
  #description: Description | undefined;

  /** @param level of POLLUX_ISA; undefined leaves the choice to the device */
  constructor(
    readonly name: 'cpu' | 'async',
    readonly level: string | undefined,
  ) {
    const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));
    const { POLLUX_ISA: _, ...environment } = process.env;
    this.#child = fork(path('./executor.ts'), [name], {
      execArgv: ['--import', new URL('../../scripts/typescript.js', import.meta.url).href],
      env: { ...environment, ...(level && { POLLUX_ISA: level }) },
      serialization: 'advanced',
    });
    this.#child.on('message', ({ id, answer, error }: { id: number; answer?: Answer; error?: string }) => {
      const call = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      if (answer) call.resolve(answer);
      else call.reject(new Error(`${this.title}: ${error}`));
    });
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.title}: the process ended with ${signal ?? code}`));
      this.#waiting.clear();
    });
  }

  get title(): string {
    return this.name === 'cpu' ? (this.level ?? 'best') : `${this.name} ${this.level ?? ''}`.trim();
  }

  #ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error(`${this.title}: the process has ended`));
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, question });
    });
  }

  async describe(): Promise<Description> {
    return (this.#description ??= (await this.#ask({ kind: 'describe', names: Object.keys(records) })) as Description);
  }

  /** What the compiler may ask of the device. */
  async target(): Promise<Target> {
    const { kernels, instructions } = await this.describe();
    return { name: this.title, kernel: (name) => kernels.get(name), instruction: (op) => instructions.get(op) };
  }

  run(wire: ArrayBuffer, inputs: readonly Uint8Array[], states: readonly number[] = [], threads?: number): Promise<Runs> {
    return this.#ask({ kind: 'run', wire, inputs, states, threads }) as Promise<Runs>;
  }

  close(): void {
    this.#child.kill();
  }
}

/** The CPU twin at each level that this machine has, and the twin whose memory the host cannot read. */
export async function openDevices(): Promise<RemoteDevice[]> {
  const wanted = [...['scalar', 'avx2', 'avx512'].map((level) => new RemoteDevice('cpu', level)), new RemoteDevice('async', 'scalar')];
  const levels = await Promise.all(wanted.map(async (device) => (await device.describe()).level));
  // A level that the machine lacks is answered by the best one below it.
  const [there, lacking] = [true, false].map((has) => wanted.filter((device, i) => (levels[i] === device.level) === has));
  for (const device of lacking!) device.close();
  return there!;
}
