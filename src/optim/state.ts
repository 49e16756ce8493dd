import { PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import { type DType, leafTensor, type Tensor, type TypedArray } from '../tensor/index.js';
import type { Schedule } from './schedules/index.js';

/** One tensor of a snapshot. */
export interface Saved {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** A snapshot as it comes back from a file. */
export type SavedState = ReadonlyMap<string, { shape: readonly number[]; dtype: string; data: TypedArray }>;

/** Copies of tensors, of one moment. */
export async function copiesOf(tensors: ReadonlyMap<string, Tensor>): Promise<[string, Saved][]> {
  const entries = [...tensors];
  const data = await Promise.all(entries.map(([, tensor]) => tensor.data() as Promise<TypedArray>));
  return entries.map(([path, tensor], i) => [path, { shape: tensor.shape, dtype: tensor.dtype, data: data[i]! }]);
}

/** Gives tensors the saved data. Throws SHAPE_MISMATCH naming what differs; then nothing is changed. */
export function putBack(where: string, tensors: ReadonlyMap<string, Tensor>, source: SavedState): void {
  for (const [path, tensor] of tensors) {
    const found = source.get(path);
    const type = found && `${found.dtype}[${found.shape.join(', ')}]`;
    if (type === show(tensor)) continue;
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: the saved state has ${type ?? 'nothing'} for ${path}, which is ${show(tensor)}. Was it saved by another optimizer or model?`,
    );
  }
  const unknown = [...source.keys()].find((path) => !tensors.has(path) && !path.startsWith('schedule.'));
  if (unknown !== undefined)
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: the saved state has ${unknown}, which this one has not. Was it saved by another optimizer or model?`,
    );
  for (const [path, tensor] of tensors) tensor.settle(leafTensor(tensor.shape, tensor.dtype, source.get(path)!.data.slice()).storage()!);
}

/** What the schedules remember, as tensors: the bits of float64 numbers, since a float32 would lose some. */
export const schedulesOf = (schedules: readonly Schedule[]): [string, Saved][] =>
  schedules.flatMap((schedule, i): [string, Saved][] => {
    if (!schedule.snapshot) return [];
    const data = new BigInt64Array(Float64Array.from(schedule.snapshot()).buffer);
    return [[`schedule.${i}`, { shape: [data.length], dtype: 'int64', data }]];
  });

/** Gives the schedules their states back. */
export function schedulesFrom(schedules: readonly Schedule[], source: SavedState): void {
  for (const [i, schedule] of schedules.entries()) {
    const found = source.get(`schedule.${i}`);
    if (found && schedule.restore) schedule.restore([...new Float64Array(found.data.slice().buffer as ArrayBuffer)]);
  }
}
