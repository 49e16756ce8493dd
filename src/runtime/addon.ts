import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PolluxError, type ErrorCode } from '../errors.js';

/** An object of the native side; opaque to JavaScript, freed by its finalizer at the latest. */
export type Handle = { readonly __native: unique symbol };

/** One row of what a backend describes: bit d of `dtypes` stands for the dtype of wire code d. */
export interface NativeKernel {
  name: string;
  dtypes: number;
  features: number;
  fusions: string;
}

export interface NativeFailure {
  code: number;
  step: number;
  element: number;
  detail: number;
  operand?: number;
  inputs: (ArrayBuffer | undefined)[];
}

/** How a run ended. Exactly one of `results`, `failure`, `skipped`, `aborted` and `error` is set. */
export interface NativeOutcome {
  results?: (ArrayBuffer | Handle)[];
  stepNanoseconds?: Float64Array;
  failure?: NativeFailure;
  skipped?: true;
  aborted?: true;
  error?: ErrorCode;
  message?: string;
}

/** The addon's exports. Arguments are checked by this room; the native side checks only what could crash it. */
export interface Addon {
  connect(makeError: (code: ErrorCode, message: string) => Error): void;
  openDevice(folder: string, name: string): Handle;
  describe(device: Handle): { level: string; kernels: NativeKernel[]; instructions: NativeKernel[] };
  memory(device: Handle): [live: number, peak: number, arena: number, packed: number];
  allocate(device: Handle, bytes: number): Handle;
  upload(device: Handle, data: ArrayBufferView): Handle;
  bufferBytes(buffer: Handle): number;
  disposeBuffer(buffer: Handle): void;
  readBuffer(buffer: Handle, destination: ArrayBuffer): Promise<void>;
  writeBuffer(buffer: Handle, data: ArrayBufferView): Promise<void>;
  shareBuffer(buffer: Handle): bigint;
  receiveBuffer(id: bigint): { buffer: Handle; device: string };
  loadPlan(device: Handle, wire: ArrayBuffer): Handle;
  planSizes(plan: Handle): [arena: number, bindings: number[]];
  planScratch(plan: Handle): number;
  disposePlan(plan: Handle): void;
  run(
    plan: Handle,
    bindings: (Handle | ArrayBufferView)[],
    group: number,
    flags: number,
    id: number,
  ): NativeOutcome | Promise<NativeOutcome>;
  cancel(id: number): void;
  acknowledge(group: number): void;
  threads(): number;
  setThreads(threads: number): void;
  writeSegments(path: string, segments: (Handle | ArrayBufferView)[], fsync: boolean): Promise<void>;
  readSegments(path: string, positions: number[], destinations: ArrayBuffer[]): Promise<void>;
}

let loaded: Addon | undefined;
let folder = '';

/** The nearest folder above this file that holds the addon: the file moves when the package is bundled. */
function findFolder(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  const places = [join('build', 'Release'), join('prebuilds', `${process.platform}-${process.arch}`)];
  for (let at = start; ; at = dirname(at)) {
    const found = places.map((place) => join(at, place)).find((place) => existsSync(join(place, 'pollux.node')));
    if (found) return found;
    if (dirname(at) === at) break;
  }
  throw new PolluxError(
    'BACKEND_UNAVAILABLE',
    `The native part of Pollux (pollux.node) was not found above ${start}. Build it with \`npm run setup\`; ` +
      `this machine is ${process.platform} ${process.arch}.`,
  );
}

/** The addon, loaded on first use so that importing the package stays quick. */
export function addon(): Addon {
  if (loaded) return loaded;
  folder = findFolder();
  try {
    loaded = createRequire(import.meta.url)(join(folder, 'pollux.node')) as Addon;
  } catch (error) {
    throw new PolluxError(
      'BACKEND_UNAVAILABLE',
      `${join(folder, 'pollux.node')} could not be loaded: ${(error as Error).message}. Rebuild it with \`npm run setup\`.`,
      { cause: error },
    );
  }
  loaded.connect((code, message) => new PolluxError(code, message));
  return loaded;
}

/** Where the twins lie: beside the addon, or where POLLUX_NATIVE_PATH says. */
export function twinFolder(): string {
  addon();
  return process.env['POLLUX_NATIVE_PATH'] || folder;
}
