import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';
import { SafetensorsFile } from '../io/index.js';
import { fromBfloat16, fromFloat16 } from '../tensor/host.js';
import type { HostArray } from '../tensor/hostArray.js';

/** A tensor of a file before it is read. */
export interface SourceEntry {
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** The tensors of one safetensors file, or of all shards that an index names. */
export class WeightSource implements AsyncDisposable {
  /** @param files each open file with the names that are taken from it */
  private constructor(
    readonly path: string,
    readonly entries: ReadonlyMap<string, SourceEntry>,
    readonly fileOf: ReadonlyMap<string, SafetensorsFile>,
    readonly files: readonly SafetensorsFile[],
  ) {}

  /**
   * Opens a .safetensors file, a `model.safetensors.index.json` with its shards beside it, or a folder that holds either.
   * @throws IO_FAILED; FILE_CORRUPT for an index that is none, or names a tensor that its shard lacks.
   */
  static async open(path: string): Promise<WeightSource> {
    const file = existsSync(path) && statSync(path).isDirectory() ? inFolder(path) : path;
    if (file.endsWith('.json')) return WeightSource.#openShards(file);
    const opened = await SafetensorsFile.open(file);
    const names = [...opened.tensors.keys()];
    return new WeightSource(file, opened.tensors, new Map(names.map((name) => [name, opened])), [opened]);
  }

  static async #openShards(index: string): Promise<WeightSource> {
    const shardOf = await readIndex(index);
    const files = new Map<string, SafetensorsFile>();
    try {
      for (const shard of new Set(shardOf.values())) files.set(shard, await SafetensorsFile.open(join(dirname(index), shard)));
      const entries = new Map<string, SourceEntry>();
      const fileOf = new Map<string, SafetensorsFile>();
      for (const [name, shard] of shardOf) {
        const file = files.get(shard)!;
        const entry = file.tensors.get(name);
        if (!entry) throw new PolluxError('FILE_CORRUPT', `${index}: says that ${shard} holds "${name}", which it does not.`);
        entries.set(name, entry);
        fileOf.set(name, file);
      }
      return new WeightSource(index, entries, fileOf, [...files.values()]);
    } catch (error) {
      await Promise.all([...files.values()].map((file) => file.close()));
      throw error;
    }
  }

  /** One tensor; floats of 16 bits as float32. */
  async read(name: string): Promise<HostArray> {
    return asFloat32(await this.fileOf.get(name)!.read(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }
}

function inFolder(folder: string): string {
  const names = ['model.safetensors', 'model.safetensors.index.json'];
  const found = names.map((name) => join(folder, name)).find((file) => existsSync(file));
  if (found) return found;
  throw new PolluxError(
    'IO_FAILED',
    `${folder}: holds neither ${names.join(' nor ')}. A pytorch_model.bin is turned into the first by: safetensors.torch.save_file(torch.load(...)).`,
  );
}

async function readIndex(path: string): Promise<ReadonlyMap<string, string>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw ioFailed('read', path, error);
  }
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    throw new PolluxError('FILE_CORRUPT', `${path}: is no JSON: ${(cause as Error).message}.`, { cause });
  }
  const entries = typeof map === 'object' && map !== null ? Object.entries(map) : [];
  if (!entries.length || entries.some(([, shard]) => typeof shard !== 'string' || /[\\/]/.test(shard)))
    throw new PolluxError('FILE_CORRUPT', `${path}: has no weight_map of tensors and the files beside it.`);
  return new Map(entries as [string, string][]);
}

/** bfloat16 and float16, which travel as their bits, as float32; other dtypes as they are. */
export function asFloat32(array: HostArray): HostArray {
  if (array.dtype !== 'bfloat16' && array.dtype !== 'float16') return array;
  const decode = array.dtype === 'bfloat16' ? fromBfloat16 : fromFloat16;
  return { data: Float32Array.from(array.data as Uint16Array, decode), shape: array.shape, dtype: 'float32' };
}
