import { afterAll, describe, expect, it } from 'vitest';
import { setThreads, type Tensor, tensor, threads, zeros } from '../../src/index.js';
import { randomOf } from '../references/samples/sample.js';

const before = threads();
afterAll(() => setThreads(before));

/** What one thread gives that adds the updates in their order. */
function expected(rows: number, size: number, ids: readonly number[], updates: Float32Array): Float32Array {
  const out = new Float32Array(rows * size);
  ids.forEach((id, i) => {
    for (let k = 0; k < size; ++k) out[id * size + k] = out[id * size + k]! + updates[i * size + k]!;
  });
  return out;
}

describe('scatterAdd', () => {
  it.each([
    ['sorted into lists: long, rank 1', 5000, 1, 70_000],
    ['sorted into lists: short slices', 300, 3, 30_000],
    ['cut by columns', 50, 100, 900],
  ] as const)('%s: the bits of one thread, on any number', async (_, rows, size, count) => {
    const random = randomOf(7);
    // Most of the updates go to few rows, as tokens do.
    const ids = Array.from({ length: count }, () => Math.floor(random() ** 4 * rows));
    const updates = Float32Array.from({ length: count * size }, () => random() - 0.5);
    const x: Tensor = size === 1 ? zeros([rows]) : zeros([rows, size]);
    const values: Tensor = tensor({ data: updates, shape: size === 1 ? [count] : [count, size] });
    const wanted = expected(rows, size, ids, updates);
    for (const n of [1, 4]) {
      setThreads(n);
      const found = await x.scatterAdd(tensor(ids, 'int32'), values).data();
      expect(Buffer.compare(Buffer.from(found.buffer, found.byteOffset, found.byteLength), Buffer.from(wanted.buffer))).toBe(0);
    }
  });

  it('reports an index out of range from the lists too', async () => {
    setThreads(4);
    const ids = new Int32Array(70_000);
    ids[65_000] = 9000;
    const run = zeros([5000])
      .scatterAdd(tensor({ data: ids, shape: [70_000], dtype: 'int32' }), zeros([70_000]))
      .data();
    await expect(run).rejects.toThrow(/Index 9000 \(element 65000/);
  });
});
