import { type CheckpointContent, type Json, latestCheckpoint, loadCheckpoint, type RunState, saveCheckpoint } from '../io/index.js';
import type { LoaderState } from '../data/index.js';
import type { Module } from '../nn/index.js';
import type { Optimizer } from '../optim/index.js';
import { Device } from '../runtime/index.js';
import { generator } from '../tensor/index.js';
import { version } from '../version.js';

/** Where and how often training writes checkpoints. */
export interface CheckpointOptions {
  folder: string;
  /** Steps between two checkpoints. Default: one at the end of each epoch. */
  every?: number;
  /** How many stay. Default 3. */
  keep?: number;
}

/** What a run is made of, for saving and restoring. */
export interface Trained {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly device: string;
}

/** Everything that a run needs to go on with the same bits. */
export interface Position {
  readonly step: number;
  readonly loader: LoaderState;
  /** The trainer's own: sums of the epoch, history. */
  readonly extra: Json;
}

/** Writes one checkpoint; no step may be in flight. */
export async function writeCheckpoint(
  options: CheckpointOptions,
  { model, optimizer, device }: Trained,
  position: Position,
  signal?: AbortSignal,
): Promise<string> {
  const [weights, slots] = await Promise.all([model.snapshot(), optimizer.snapshot()]);
  const state: RunState = {
    package: version,
    instructionSet: Device.open(device).level,
    seed: Number(generator.seed),
    epoch: position.loader.epoch,
    loader: position.loader,
    scheduleStep: position.step,
    extra: { random: generator.step.toString(), trainer: position.extra },
  };
  const content: CheckpointContent = { step: position.step, model: weights, optimizer: slots, state };
  const { path } = await saveCheckpoint(options.folder, content, { keep: options.keep ?? 3, ...(signal && { signal }) });
  return path;
}

/** Puts a run back to the newest sound checkpoint of the folder; undefined if there is none. */
export async function readCheckpoint(
  folder: string,
  { model, optimizer }: Trained,
): Promise<(Position & { path: string; skipped: readonly { path: string; reason: string }[] }) | undefined> {
  const latest = await latestCheckpoint(folder);
  if (!latest) return undefined;
  const { step, state, model: weights, optimizer: slots } = await loadCheckpoint(latest.path);
  model.loadStateDictionary(weights);
  optimizer.restore(slots);
  const { random, trainer } = state.extra as unknown as { random: string; trainer: Json };
  generator.seed = BigInt(state.seed);
  generator.step = BigInt(random);
  return { step, loader: state.loader, extra: trainer, path: latest.path, skipped: latest.skipped };
}
