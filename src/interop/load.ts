import { checkOptions, PolluxError } from '../errors.js';
import type { Module } from '../nn/index.js';
import type { HostArray } from '../tensor/hostArray.js';
import { changed } from './layouts.js';
import { NameMap, type WeightMap } from './nameMap.js';
import { WeightSource } from './weightSource.js';

export interface LoadWeightsOptions {
  /** Parameters that the file may lack, such as a new classifier: they keep their first values. Default: none. */
  fresh?: RegExp;
  /** Names of the file that are left out, such as a head that this model has not. Default: none. */
  skip?: RegExp;
}

/** What happened to the names of a file. */
export interface LoadedWeights {
  /** Parameters that the file lacked and `fresh` allows. */
  readonly fresh: readonly string[];
  /** Names of the file that were not used. */
  readonly skipped: readonly string[];
}

/**
 * Gives a model the weights of a published one: a .safetensors file, an index of shards, or their folder. Names and layouts become ours
 * by `map`; floats of 16 bits become float32.
 * @throws SHAPE_MISMATCH that lists missing, unexpected and mis-shaped names; FILE_CORRUPT, IO_FAILED. Then nothing is changed.
 */
export async function loadWeights(model: Module, path: string, map: WeightMap, options: LoadWeightsOptions = {}): Promise<LoadedWeights> {
  checkOptions('loadWeights', options, ['fresh', 'skip']);
  await using source = await WeightSource.open(path);
  return await takeWeights(model, source, new NameMap(map), options);
}

/** @internal */
export async function takeWeights(
  model: Module,
  source: Pick<WeightSource, 'entries' | 'read'>,
  names: NameMap,
  { fresh, skip }: LoadWeightsOptions,
): Promise<LoadedWeights> {
  const own = model.stateDictionary();
  const found = new Map<string, HostArray>();
  const skipped: string[] = [];
  for (const name of source.entries.keys()) {
    const placement = names.find(name);
    if (skip?.test(name) || placement?.to.length === 0) {
      skipped.push(name);
      continue;
    }
    if (!placement) {
      // Under its own name, so that the error lists it.
      found.set(name, await source.read(name));
      continue;
    }
    const array = changed(await source.read(name), placement.change, name);
    for (const [to, part] of parts(name, array, placement.to)) found.set(to, reshaped(part, own.get(to)?.shape));
  }
  const kept = [...own.keys()].filter((name) => !found.has(name) && fresh?.test(name));
  if (kept.length) {
    const now = await model.snapshot();
    for (const name of kept) found.set(name, now.get(name) as HostArray);
  }
  model.loadStateDictionary(found);
  return { fresh: kept, skipped };
}

/** Equal parts along the first axis. */
function* parts(name: string, array: HostArray, to: readonly string[]): Generator<[string, HostArray]> {
  if (to.length === 1) {
    yield [to[0]!, array];
    return;
  }
  const [rows = 0, ...rest] = array.shape;
  if (rows % to.length)
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${name}: [${array.shape.join(', ')}] does not fall into ${to.length} equal parts for ${to.join(', ')}.`,
    );
  const size = array.data.length / to.length;
  for (const [i, target] of to.entries())
    yield [
      target,
      { ...array, shape: [rows / to.length, ...rest], data: array.data.subarray(i * size, (i + 1) * size) as HostArray['data'] },
    ];
}

/** Axes of size 1 are no difference: [1, 1, D] and [D] hold the same. */
function reshaped(array: HostArray, shape: readonly number[] | undefined): HostArray {
  const bare = (sizes: readonly number[]): string => sizes.filter((size) => size !== 1).join();
  return shape && bare(shape) === bare(array.shape) ? { ...array, shape } : array;
}
