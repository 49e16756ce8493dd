import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PolluxError, checkOptions } from '../errors.js';
import { hashFile, ioFailed, syncFolder, writeAtomic } from './atomic.js';
import type { Written } from './atomic.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import type { TensorMap } from './safetensors.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a run needs beside its tensors to go on bit for bit. */
export interface RunState {
  /** Version of the package and instruction-set level that computed so far: other ones may round otherwise. */
  package: string;
  instructionSet: string;
  seed: number;
  epoch: number;
  /** State of the data loader. */
  loader: { seed: number; epoch: number; position: number };
  /** Step of the learning-rate schedule. */
  scheduleStep: number;
  /** Whatever else the trainer keeps: history, best figures, callbacks. Finite numbers only. */
  extra?: Json;
}

export interface CheckpointContent {
  /** Optimizer steps done, which names the folder. */
  step: number;
  model: TensorMap;
  optimizer: TensorMap;
  state: RunState;
}

export interface Manifest {
  format: 'pollux-checkpoint';
  version: 1;
  step: number;
  state: RunState;
  files: { [name: string]: Written };
}

const modelFile = 'model.safetensors';
const optimizerFile = 'optimizer.safetensors';
const manifestFile = 'state.json';
const stepPattern = /^step-(\d{8,15})$/;

const folderName = (step: number): string => `step-${String(step).padStart(8, '0')}`;

/**
 * Writes `folder/step-00001200/` with model.safetensors, optimizer.safetensors and state.json. The folder appears
 * under its name only when all of it is on the disk: a kill or a full disk leaves no half of one.
 * @param options `keep`: how many checkpoints may stay, the new one included; older ones are removed afterwards.
 * @throws PolluxError IO_FAILED, with the earlier checkpoints untouched; ABORTED.
 */
export async function saveCheckpoint(
  folder: string,
  content: CheckpointContent,
  options: { keep?: number; signal?: AbortSignal } = {},
): Promise<{ path: string }> {
  checkOptions('saveCheckpoint', options, ['keep', 'signal']);
  const { step, model, optimizer, state } = content;
  if (!Number.isSafeInteger(step) || step < 0)
    throw new RangeError(`saveCheckpoint: step must be a whole number of at least 0, got ${step}.`);
  const { keep, signal } = options;
  if (keep !== undefined && !(Number.isSafeInteger(keep) && keep >= 1)) {
    throw new RangeError(`saveCheckpoint: keep must be a whole number of at least 1, got ${keep}.`);
  }
  checkJson(state, 'state');
  const path = join(folder, folderName(step));
  const temporary = join(folder, temporaryName(step));
  try {
    await mkdir(temporary, { recursive: true });
    const files = {
      [modelFile]: await writeSafetensors(join(temporary, modelFile), model, { signal }),
      [optimizerFile]: await writeSafetensors(join(temporary, optimizerFile), optimizer, { signal }),
    };
    const text = encodeManifest({ format: 'pollux-checkpoint', version: 1, step, state, files });
    await writeAtomic(join(temporary, manifestFile), [new TextEncoder().encode(text)]);
    await replaceFolder(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw ioFailed('save the checkpoint', path, error);
  }
  if (keep !== undefined) await prune(folder, step, keep);
  return { path };
}

/** Another checkpoint of the same step (a run resumed and come here again) makes way; rename cannot replace a full folder. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const aside = `${from}.replaced`;
  const stood = await rename(to, aside).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  await rename(from, to);
  if (stood) await rm(aside, { recursive: true, force: true });
}

function checkJson(value: unknown, path: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new PolluxError('INVALID_ARGUMENT', `saveCheckpoint: ${path} is ${value}, which JSON cannot hold; leave it out or store null.`);
  }
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
    throw new PolluxError('INVALID_ARGUMENT', `saveCheckpoint: ${path} is a ${typeof value}, which JSON cannot hold.`);
  }
  if (typeof value === 'object' && value !== null) for (const [key, inner] of Object.entries(value)) checkJson(inner, `${path}.${key}`);
}

const hashText = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The manifest with the SHA-256 of its own compact JSON, so that a changed digit shows. */
function encodeManifest(manifest: Manifest): string {
  return `${JSON.stringify({ sha256: hashText(JSON.stringify(manifest)), ...manifest }, null, 2)}\n`;
}

function corrupt(path: string, why: string): PolluxError {
  return new PolluxError('CHECKPOINT_CORRUPT', `${path}: ${why}`);
}

async function readManifest(path: string): Promise<Manifest> {
  const file = join(path, manifestFile);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? corrupt(path, `${manifestFile} is missing.`) : ioFailed('read', file, error);
  });
  let parsed: { sha256?: unknown } & Partial<Manifest>;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (error) {
    throw corrupt(path, `${manifestFile} is not JSON: ${(error as Error).message}.`);
  }
  const { sha256, ...manifest } = parsed ?? {};
  if (manifest.format !== 'pollux-checkpoint') throw corrupt(path, `${manifestFile} is not a checkpoint's.`);
  if (manifest.version !== 1) {
    throw new PolluxError(
      'UNSUPPORTED',
      `${path}: has format version ${String(manifest.version)}; this package reads version 1. Use a newer package.`,
    );
  }
  if (sha256 !== hashText(JSON.stringify(manifest))) throw corrupt(path, `${manifestFile} was changed after it was written.`);
  return manifest as Manifest;
}

/** Reads the manifest and compares size and SHA-256 of every file with it. @throws PolluxError CHECKPOINT_CORRUPT. */
async function verify(path: string): Promise<Manifest> {
  const manifest = await readManifest(path);
  for (const name of [modelFile, optimizerFile]) {
    const expected = manifest.files[name];
    const found = await hashFile(join(path, name)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? corrupt(path, `${name} is missing.`) : ioFailed('read', join(path, name), error);
    });
    if (found.bytes !== expected?.bytes) throw corrupt(path, `${name} has ${found.bytes} bytes, ${expected?.bytes} were written.`);
    if (found.sha256 !== expected.sha256) throw corrupt(path, `the bytes of ${name} have changed since they were written.`);
  }
  return manifest;
}

/** Loads a checkpoint after verifying it. @throws PolluxError CHECKPOINT_CORRUPT, UNSUPPORTED, IO_FAILED. */
export async function loadCheckpoint(path: string): Promise<CheckpointContent> {
  const { step, state } = await verify(path);
  const [model, optimizer] = await Promise.all([modelFile, optimizerFile].map((name) => readSafetensors(join(path, name))));
  return { step, state, model: model!.tensors, optimizer: optimizer!.tensors };
}

/** A checkpoint that was passed over, and why. */
export interface SkippedCheckpoint {
  path: string;
  reason: string;
}

/**
 * The newest complete and sound checkpoint of a folder; broken ones are skipped and reported. Undefined if the folder
 * holds none at all, or does not exist: then there is nothing to resume.
 * @throws PolluxError CHECKPOINT_CORRUPT if there are checkpoints and every one is broken.
 */
export async function latestCheckpoint(folder: string): Promise<{ path: string; step: number; skipped: SkippedCheckpoint[] } | undefined> {
  const skipped: SkippedCheckpoint[] = [];
  for (const step of await listSteps(folder)) {
    const path = join(folder, folderName(step));
    try {
      await verify(path);
      return { path, step, skipped };
    } catch (error) {
      skipped.push({ path, reason: (error as Error).message });
    }
  }
  if (skipped.length === 0) return undefined;
  throw corrupt(folder, `no checkpoint is sound:\n${skipped.map(({ reason }) => `  ${reason}`).join('\n')}`);
}

/** Steps that have a folder, newest first. */
async function listSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw ioFailed('list', folder, error);
  });
  return names
    .flatMap((name) => stepPattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * Keeps the checkpoint of `step` and the newest `keep - 1` before it whose manifest is whole. Later steps stay: they
 * are another branch of the run. What killed runs of this machine left behind goes too.
 */
async function prune(folder: string, step: number, keep: number): Promise<void> {
  let kept = 1;
  for (const earlier of (await listSteps(folder)).filter((other) => other < step)) {
    const path = join(folder, folderName(earlier));
    const whole = await readManifest(path).then(
      () => true,
      () => false,
    );
    if (whole && kept < keep) kept++;
    else await rm(path, { recursive: true, force: true });
  }
  for (const name of await readdir(folder)) if (isLeftover(name)) await rm(join(folder, name), { recursive: true, force: true });
}

const temporaryName = (step: number): string => `.${folderName(step)}.${hostname()}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;

/** True for the temporary folder of a process of this machine that no longer lives. */
function isLeftover(name: string): boolean {
  const match = /^\.step-\d+\.(.+)\.(\d+)\.[0-9a-f]{8}\.tmp(\.replaced)?$/.exec(name);
  if (!match || match[1] !== hostname()) return false;
  try {
    process.kill(Number(match[2]), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
