import { join } from 'node:path';
import type { HostArray, LoaderState } from '../data/index.js';
import { checkOptions } from '../errors.js';
import {
  type CheckpointContent,
  type Json,
  latestCheckpoint,
  loadCheckpoint,
  type RunState,
  saveCheckpoint,
  type SkippedCheckpoint,
  type TensorMap,
} from '../io/index.js';
import type { Module } from '../nn/index.js';
import type { Optimizer, WeightAverage } from '../optim/index.js';
import { Device } from '../runtime/index.js';
import { generator } from '../tensor/index.js';
import { version } from '../version.js';
import { averagePrefix } from './averaging.js';
import type { Callback } from './callback.js';
import type { MonitorOptions } from './monitor.js';

/** Where and how often training writes checkpoints. */
export interface CheckpointOptions {
  folder: string;
  /** Steps between two checkpoints. Default: none between the ends of epochs. */
  every?: number;
  /** Epochs between two checkpoints. Default 1, or none if `every` is given. */
  everyEpochs?: number;
  /** How many stay. Default 3. */
  keep?: number;
  /** Also keep that of the best epoch, in `folder/best`: true for the loss of validation, or the figure that is to be followed. */
  best?: boolean | MonitorOptions;
}

export function checkCheckpointOptions(options: CheckpointOptions): void {
  checkOptions('fit.checkpoint', options, ['folder', 'every', 'everyEpochs', 'keep', 'best']);
  if (typeof options.folder !== 'string' || options.folder === '')
    throw new TypeError('fit.checkpoint: folder must be the path of a folder.');
  for (const name of ['every', 'everyEpochs', 'keep'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new RangeError(`fit.checkpoint: ${name} must be an integer of at least 1, got ${value}.`);
  }
}

export const bestFolder = (folder: string): string => join(folder, 'best');

/** What a run is made of, for saving and restoring. */
export interface Trained {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly average: WeightAverage | undefined;
  readonly device: string;
  readonly callbacks: readonly Callback[];
}

/** Everything that a run needs to go on with the same bits. */
export interface Position {
  readonly step: number;
  readonly loader: LoaderState;
  /** The run's own: sums of the epoch, history, place in the data. */
  readonly extra: Json;
}

/** Tensors of callbacks lie in the optimizer's file under these names. */
const callbackPrefix = 'callback:';
const prefixOf = (callback: Callback, place: number): string => `${callbackPrefix}${callback.name ?? place}/`;

/** What the trainer stores beside its own state. */
interface Extra {
  readonly random: string;
  readonly trainer: Json;
  /** Paths of parameters that are not trained. */
  readonly frozen?: readonly string[];
  readonly callbacks?: { readonly [name: string]: Json };
}

/** JSON has no NaN and no infinities: they become null, and NaN when they are read. */
const finite = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** Writes one checkpoint; no step may be in flight. */
export async function writeCheckpoint(
  { folder, keep }: { folder: string; keep: number },
  { model, optimizer, average, device, callbacks }: Trained,
  position: Position,
  signal?: AbortSignal,
): Promise<string> {
  const [weights, slots] = await Promise.all([model.snapshot(), optimizer.snapshot()]);
  const tensors = new Map<string, HostArray>(slots);
  for (const [path, tensor] of (await average?.snapshot()) ?? []) tensors.set(averagePrefix + path, tensor);
  const states: Record<string, Json> = {};
  for (const [place, callback] of callbacks.entries()) {
    const state = callback.state?.();
    const prefix = prefixOf(callback, place);
    if (state) states[prefix] = finite(state.values ?? null);
    for (const [path, tensor] of state?.tensors ?? []) tensors.set(prefix + path, tensor);
  }
  const frozen = [...model.parameters()].flatMap(([path, parameter]) => (parameter.trainable ? [] : path));
  const extra: Extra = { random: generator.step.toString(), trainer: finite(position.extra), frozen, callbacks: states };
  const state: RunState = {
    package: version,
    instructionSet: Device.open(device).level,
    seed: Number(generator.seed),
    epoch: position.loader.epoch,
    loader: position.loader,
    scheduleStep: position.step,
    extra: extra as unknown as Json,
  };
  const content: CheckpointContent = { step: position.step, model: weights, optimizer: tensors, state };
  const { path } = await saveCheckpoint(folder, content, { keep, ...(signal && { signal }) });
  return path;
}

/** The tensors whose names begin with a prefix, without it. */
export const under = (prefix: string, tensors: TensorMap): Map<string, HostArray> =>
  new Map([...tensors].flatMap(([path, tensor]) => (path.startsWith(prefix) ? [[path.slice(prefix.length), tensor] as const] : [])));

/** Puts a run back to the newest sound checkpoint of the folder; undefined if there is none. */
export async function readCheckpoint(
  folder: string,
  { model, optimizer, average, callbacks }: Omit<Trained, 'device'>,
): Promise<(Position & { path: string; skipped: readonly SkippedCheckpoint[] }) | undefined> {
  const latest = await latestCheckpoint(folder);
  if (!latest) return undefined;
  const { step, state, model: weights, optimizer: slots } = await loadCheckpoint(latest.path);
  const { random, trainer, frozen, callbacks: states = {} } = state.extra as unknown as Extra;
  model.loadStateDictionary(weights);
  // Before the optimizer: it has state for what is trained.
  if (frozen) for (const [path, parameter] of model.parameters()) parameter.trainable = !frozen.includes(path);
  const foreign = (path: string): boolean => path.startsWith(callbackPrefix) || path.startsWith(averagePrefix);
  optimizer.restore(new Map([...slots].filter(([path]) => !foreign(path))));
  average?.restore(under(averagePrefix, slots));
  for (const [place, callback] of callbacks.entries()) {
    const prefix = prefixOf(callback, place);
    if (!(prefix in states)) continue;
    callback.restore?.({ values: states[prefix]!, tensors: under(prefix, slots) });
  }
  generator.seed = BigInt(state.seed);
  generator.step = BigInt(random);
  return { step, loader: state.loader, extra: trainer, path: latest.path, skipped: latest.skipped };
}
