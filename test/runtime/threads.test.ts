import { afterAll, describe, expect, test } from 'vitest';
import { compile, gradientsOf, memory, nn, setThreads, type Tensor, tensor, threads } from '../../src/index.js';
import { randomOf } from '../references/samples/sample.js';

const before = threads();
afterAll(() => setThreads(before));

/** Attention and its gradients over 1,024 places of one head: a plan whose scratch is most of what it takes. */
const [length, size] = [1024, 32];
const step = compile((q: Tensor, k: Tensor, v: Tensor) => {
  const y = nn.attention(q, k, v, { causal: true });
  return [y, ...gradientsOf(y.square().sum(), [q, k, v])];
});

describe('scratch follows the number of threads', () => {
  const random = randomOf(3);
  const draw = (): Tensor =>
    tensor({ data: Float32Array.from({ length: length * size }, () => random() - 0.5), shape: [1, length, 1, size] });
  const inputs = [draw(), draw(), draw()] as const;
  const run = async (): Promise<Buffer[]> => {
    const results = await step(...inputs);
    const bytes: Buffer[] = [];
    for (const result of results) {
      const { buffer, byteOffset, byteLength } = await result.data();
      bytes.push(Buffer.from(buffer, byteOffset, byteLength));
      result.dispose();
    }
    return bytes;
  };

  // First: the arena is as large as the largest plan.
  test('of one head of 4,096 places, two threads take less than a tenth of what attention itself needs', async () => {
    setThreads(2);
    const long = 4096;
    const data = Float32Array.from({ length: long * size }, (_, i) => Math.sin(i));
    const given = [0, 1, 2].map(() => tensor({ data, shape: [1, long, 1, size] })) as [Tensor, Tensor, Tensor];
    const weights = tensor({ data, shape: [1, long, 1, size] });
    const whole = compile((q: Tensor, k: Tensor, v: Tensor, w: Tensor) => {
      const y = nn.attention(q, k, v);
      return [y, ...gradientsOf(y.mul(w).sum(), [q, k, v])];
    });
    for (const result of await whole(...given, weights)) result.dispose();
    expect(memory().arena).toBeLessThan(0.1 * 8 * 4 * long * size);
    whole.dispose();
  });

  test('a plan is prepared anew when there are more, and keeps its bits and its memory when there are fewer', async () => {
    setThreads(1);
    const one = await run();
    const { arena } = memory();
    setThreads(8);
    const eight = await run();
    const grown = memory().arena;
    expect(grown).toBeGreaterThan(2 * arena);
    setThreads(2);
    const two = await run();
    expect(memory().arena).toBe(grown);
    for (const [i, bytes] of one.entries()) {
      expect(Buffer.compare(bytes, eight[i]!)).toBe(0);
      expect(Buffer.compare(bytes, two[i]!)).toBe(0);
    }
  });
});
