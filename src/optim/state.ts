import type { DType, TypedArray } from '../tensor/index.js';
import type { Schedule } from './schedules/index.js';

/** One tensor of a snapshot. */
export interface Saved {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** What the schedules remember, as tensors: the bits of float64 numbers, since a float32 would lose some. */
export const schedulesOf = (schedules: readonly Schedule[]): [string, Saved][] =>
  schedules.flatMap((schedule, i): [string, Saved][] => {
    if (!schedule.snapshot) return [];
    const data = new BigInt64Array(Float64Array.from(schedule.snapshot()).buffer);
    return [[`schedule.${i}`, { shape: [data.length], dtype: 'int64', data }]];
  });

/** Gives the schedules their states back. */
export function schedulesFrom(schedules: readonly Schedule[], source: ReadonlyMap<string, { data: TypedArray }>): void {
  for (const [i, schedule] of schedules.entries()) {
    const found = source.get(`schedule.${i}`);
    if (found && schedule.restore) schedule.restore([...new Float64Array(found.data.slice().buffer as ArrayBuffer)]);
  }
}
