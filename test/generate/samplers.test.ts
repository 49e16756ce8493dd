import { describe, expect, it } from 'vitest';
import { penalise, repeatedNgrams, drawFrom, logProbabilityOf, settingsIn, settingNames, shortlist } from '../../src/generate/sampler.js';
import * as ops from '../../src/ops/index.js';
import { compile, type Tensor, tensor } from '../../src/index.js';
import { wrap } from '../../src/tensor/index.js';

type Settings = Record<(typeof settingNames)[number], number>;
const neutral: Settings = {
  temperature: 1,
  topK: 1e6,
  topP: Number.POSITIVE_INFINITY,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  mayStop: 1,
};
const vector = (given: Partial<Settings>) => ({
  data: Float32Array.from(settingNames, (name) => ({ ...neutral, ...given })[name]),
  shape: [settingNames.length],
});

/** Numbers that look random, the same each time. */
function numbers(count: number, scale = 3, state = 17): number[] {
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 31 - 1) * scale);
  });
}

/** Probability of each id, in float64, as the rules say; 0 for those left out. */
function reference(logits: readonly number[], { temperature, topK, topP, minP }: Settings): number[] {
  const scaled = logits.map((x) => x / temperature);
  const softmax = (xs: number[]): number[] => {
    const top = Math.max(...xs);
    const e = xs.map((x) => Math.exp(x - top));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((x) => x / sum);
  };
  const order = scaled.map((_, i) => i).sort((a, b) => scaled[b]! - scaled[a]!);
  const first = new Set(order.slice(0, topK));
  const p = softmax(scaled.map((x, i) => (first.has(i) ? x : Number.NEGATIVE_INFINITY)));
  let before = 0;
  const kept = new Set<number>();
  for (const i of order) {
    if (first.has(i) && before < topP && scaled[i]! >= scaled[order[0]!]! + Math.log(minP)) kept.add(i);
    before += p[i]!;
  }
  return softmax(scaled.map((x, i) => (kept.has(i) ? x : Number.NEGATIVE_INFINITY)));
}

const cases: [string, Partial<Settings>, candidates: number][] = [
  ['temperature', { temperature: 0.6 }, 0],
  ['topK', { topK: 5 }, 8],
  ['topP', { topP: 0.7 }, 40],
  ['minP', { minP: 0.2, temperature: 1.5 }, 0],
  ['topK, then topP of what is left, then minP', { topK: 12, topP: 0.9, minP: 0.15, temperature: 2 }, 16],
  ['topP so small that one is left', { topP: 1e-6 }, 40],
];

describe('draws', () => {
  it.each(cases)('%s: the tokens kept, and how often each is drawn', async (_, given, candidates) => {
    const logits = numbers(40);
    const rows = 20_000;
    const draw = compile((x: Tensor, settings: Tensor, random: Tensor) => {
      const s = settingsIn(settings.value);
      const one = shortlist(x.value, s, candidates);
      const list = shortlist(ops.broadcast(x.value, [rows, 40]), s, candidates);
      return {
        logits: wrap(one.logits),
        ids: one.ids && wrap(one.ids),
        drawn: wrap(drawFrom(list, ops.uniform(random.value, list.logits.shape, 0), s)),
      };
    });
    const random = { data: BigInt64Array.of(5n, 1n, 0n), shape: [3] };
    const found = await draw(tensor([logits]) as Tensor, vector(given), random as never);
    const expected = reference(logits, { ...neutral, ...given });
    const kept = new Set<number>();
    const ids = found.ids ? await found.ids.data() : undefined;
    ((await found.logits.data()) as Float32Array).forEach((x, i) => x > Number.NEGATIVE_INFINITY && kept.add(ids ? Number(ids[i]) : i));
    expect([...kept].sort((a, b) => a - b)).toEqual(expected.flatMap((p, i) => (p > 0 ? [i] : [])));
    const counts = new Array(40).fill(0);
    for (const id of await found.drawn.data()) counts[Number(id)]++;
    const far = counts.filter((n, i) => Math.abs(n - rows * expected[i]!) > 5 * Math.sqrt(rows * expected[i]! * (1 - expected[i]!)) + 1e-9);
    expect(far).toEqual([]);
  });

  it('a temperature of 0 takes the greatest, on the same plan', async () => {
    const logits = numbers(30 * 20);
    const draw = compile((x: Tensor, settings: Tensor, random: Tensor) => {
      const s = settingsIn(settings.value);
      const list = shortlist(x.value, s, 8);
      return wrap(drawFrom(list, ops.uniform(random.value, list.logits.shape, 0), s));
    });
    const x = tensor({ data: Float32Array.from(logits), shape: [30, 20] }) as Tensor;
    const random = { data: BigInt64Array.of(5n, 1n, 0n), shape: [3] };
    const warm = await (await draw(x, vector({ temperature: 1, topK: 8 }), random as never)).data();
    const cold = await (await draw(x, vector({ temperature: 0, topK: 8 }), random as never)).data();
    const greatest = Array.from({ length: 30 }, (_, r) => {
      const row = logits.slice(r * 20, r * 20 + 20);
      return row.indexOf(Math.max(...row));
    });
    expect([...cold]).toEqual(greatest);
    expect([...warm]).not.toEqual(greatest);
    expect(draw.plans).toBe(1);
  });
});

describe('adjustments', () => {
  it('penalties by their formulas', async () => {
    const [logits, prompted, made] = [
      numbers(24),
      numbers(24).map((x) => Number(x > 0)),
      numbers(24, 3, 5).map((x) => Math.max(0, Math.round(x))),
    ];
    const run = compile((x: Tensor, p: Tensor, m: Tensor, settings: Tensor) =>
      wrap(penalise(x.value, p.value, m.value, settingsIn(settings.value))),
    );
    const of = (data: number[]) => ({ data: Float32Array.from(data), shape: [2, 12] });
    const given = { repetitionPenalty: 1.3, presencePenalty: 0.4, frequencyPenalty: 0.25 };
    const found = (await (await run(of(logits), of(prompted), of(made), vector(given))).data()) as Float32Array;
    logits.forEach((x, i) => {
      const repeated = prompted[i]! + made[i]! > 0 ? (x > 0 ? x / 1.3 : x * 1.3) : x;
      expect(found[i]).toBeCloseTo(repeated - Number(made[i]! > 0) * 0.4 - made[i]! * 0.25, 5);
    });
  });

  it.each([1, 2, 3])('runs of %i tokens that are there already', async (n) => {
    const [rows, capacity, vocabulary] = [5, 16, 4];
    const history = numbers(rows * capacity, 1, 3).map((x) => Math.min(3, Math.floor((x + 1) * 2)));
    const lengths = [16, 9, 2, 1, 12];
    const run = compile((h: Tensor, l: Tensor) => wrap(repeatedNgrams(h.value, l.value, n, vocabulary)).cast('int32'));
    const found = await (
      await run({ data: Int32Array.from(history), shape: [rows, capacity] } as never, tensor(lengths, 'int32') as never)
    ).data();
    const expected = lengths.flatMap((length, row) => {
      const text = history.slice(row * capacity, row * capacity + length);
      const recent = text.slice(length - (n - 1), length).join();
      const banned = new Array(vocabulary).fill(0);
      for (let j = 0; j + n <= length; j++) if (n === 1 || text.slice(j, j + n - 1).join() === recent) banned[text[j + n - 1]!] = 1;
      return banned;
    });
    expect([...found].map(Number)).toEqual(expected);
  });

  it('log probabilities of ids', async () => {
    const logits = numbers(20);
    const run = compile((x: Tensor, ids: Tensor) => wrap(logProbabilityOf(x.value, ids.value)));
    const found = await (await run({ data: Float32Array.from(logits), shape: [2, 10] }, tensor([3, 7], 'int32') as never)).data();
    [3, 7].forEach((id, r) => {
      const row = logits.slice(r * 10, r * 10 + 10);
      expect(found[r]).toBeCloseTo(row[id]! - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)), 5);
    });
  });
});
