import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, losses, nn, optim, PolluxError, seed, type Tensor } from 'pollux';
import { afterAll, expect } from 'vitest';

export const root = new URL('../..', import.meta.url).pathname;

/** Whatever a function throws or a promise rejects with. */
export async function caught(action: (() => unknown) | PromiseLike<unknown>): Promise<Error> {
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** Expects a PolluxError of a code whose message holds all these words. */
export async function expectCode(
  action: (() => unknown) | PromiseLike<unknown>,
  code: string,
  ...words: (string | RegExp)[]
): Promise<PolluxError> {
  const error = await caught(action);
  expect(error).toBeInstanceOf(PolluxError);
  expect((error as PolluxError).code, error.message).toBe(code);
  for (const word of words)
    expect(error.message).toMatch(word instanceof RegExp ? word : new RegExp(word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return error as PolluxError;
}

/** A digest of the bytes of all tensors of a model or an optimizer, by path. */
export async function bits(owner: { snapshot(): Promise<Map<string, { data: ArrayBufferView }>> }): Promise<Record<string, string>> {
  const entries = [...(await owner.snapshot())];
  return Object.fromEntries(
    entries.map(([path, { data }]) => [
      path,
      createHash('sha256')
        .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
        .digest('hex'),
    ]),
  );
}

export class Classifier extends nn.Module {
  hidden = new nn.Linear(4, 8);
  out = new nn.Linear(8, 3);
  forward(x: Tensor): Tensor {
    return this.out.forward(nn.relu(this.hidden.forward(x)));
  }
}

export interface Batch {
  x: { data: Float32Array; shape: readonly number[] };
  y: { data: Int32Array; shape: readonly number[] };
}

/** A batch of 6 samples of 4 features in 3 classes. */
export const goodBatch = () => ({
  x: { data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), shape: [6, 4] as const },
  y: { data: Int32Array.of(0, 1, 2, 0, 1, 2), shape: [6] as const },
});

/** A model with its optimizer and its compiled step; the same numbers every time. */
export function training<M extends nn.Module>(make: () => M, rule = optim.adam({ learningRate: 0.05 })) {
  seed(7);
  const model = make();
  const optimizer = rule.for(model);
  const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
    const loss = losses.crossEntropy(model.forward(x) as Tensor, y);
    void optimizer.minimize(loss);
    return { loss };
  });
  return { model, optimizer, step };
}

export type Training = ReturnType<typeof training<nn.Module>>;

/**
 * Does one good step, then `fail`, then another good one. Expects that the failure changed no bit of model and optimizer, and that
 * the second good step ends with the bits of a model that never met the failure.
 */
export async function survives(
  make: () => nn.Module,
  fail: (trained: Training) => Promise<unknown>,
  batch: Batch = goodBatch(),
): Promise<void> {
  const trained = training(make);
  await trained.step(batch.x, batch.y);
  const before = [await bits(trained.model), await bits(trained.optimizer)];
  await fail(trained);
  expect([await bits(trained.model), await bits(trained.optimizer)]).toEqual(before);
  await trained.step(batch.x, batch.y);

  const spared = training(make);
  await spared.step(batch.x, batch.y);
  await spared.step(batch.x, batch.y);
  expect([await bits(trained.model), await bits(trained.optimizer)]).toEqual([await bits(spared.model), await bits(spared.optimizer)]);
}

/** A folder that goes when the tests of the file have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pollux-e2e-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface ChildResult {
  status: number | string | null;
  stdout: string;
  stderr: string;
}

/** Runs a TypeScript program of this folder (or code that finds the package's source as `pollux`) in a Node process of its own. */
export function child(
  program: string,
  options: { args?: string[]; env?: Record<string, string>; flags?: string[]; timeout?: number } = {},
): Promise<ChildResult> {
  const { args = [], env = {}, flags = [], timeout = 120_000 } = options;
  const loader = ['--import', new URL('../../scripts/typescript.js', import.meta.url).href];
  const source = new URL('../../src/index.ts', import.meta.url).href;
  const what = program.endsWith('.ts')
    ? [join(root, 'test/e2e', program)]
    : ['--input-type=module', '-e', `import * as pollux from '${source}'; ${program}`, '--'];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...loader, ...flags, ...what, ...args],
      { env: { ...process.env, ...env }, timeout, cwd: root, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => resolve({ status: error ? (error.signal ?? error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
