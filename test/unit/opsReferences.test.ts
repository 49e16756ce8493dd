import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../src/graph/op.js';
import type { Attributes, Op } from '../../src/graph/op.js';
import { records } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import type { NdArray64 } from '../references/array.js';
import { evaluateDecomposed, evaluateOp } from '../references/interpreter.js';
import { philox, wordsOf } from '../references/random.js';
import { operandsOf, samples } from '../references/samples.js';
import type { Sample } from '../references/samples.js';

const names = Object.keys(records) as OpName[];
const recordOf = (name: OpName): Op => records[name] as unknown as Op;
const samplesOf = (name: OpName): readonly Sample[] => samples[name] as readonly Sample[];
const text = (attributes: Attributes): string => JSON.stringify(attributes);

/** Elements agree within rounding of float64; NaN agrees with NaN. */
function expectClose(found: NdArray64, expected: NdArray64, tolerance: number, where: string): void {
  expect({ shape: found.shape, dtype: found.dtype }, where).toEqual({ shape: expected.shape, dtype: expected.dtype });
  found.data.forEach((x, i) => {
    const y = expected.data[i]!;
    if (Object.is(x, y) || x === y) return;
    expect(Math.abs(x - y), `${where}, element ${i}: ${x} instead of ${y}`).toBeLessThanOrEqual(tolerance * (1 + Math.abs(y)));
  });
}

describe('records', () => {
  it('bear the names that they are filed under', () => {
    for (const name of names) expect(recordOf(name).name).toBe(name);
  });

  it('have a gradient, a decomposition or a stop wherever a float comes in', () => {
    const silent = names.filter((name) => {
      const { gradient, decompose, stops, cost } = recordOf(name);
      const takesFloat = samplesOf(name).some(({ inputs }) => inputs.some(({ dtype }) => dtype === 'float32'));
      return takesFloat && !gradient && !decompose && !stops && cost !== 'effect' && cost !== 'source';
    });
    expect(silent).toEqual([]);
  });

  it('do not write in place over an operand of another size', () => {
    for (const name of names) {
      const record = recordOf(name);
      for (const sample of samplesOf(name)) {
        const outputs = record.infer(sample.inputs, sample.attributes);
        for (const [output, input] of record.inPlace ?? []) {
          if (!outputs[output]) continue; // an output that only some calls have
          expect(sizeOf(outputs[output]!.shape), name).toBe(sizeOf(sample.inputs[input]!.shape));
          expect(outputs[output]!.dtype, name).toBe(sample.inputs[input]!.dtype);
        }
      }
    }
  });

  it('count operations as finite numbers >= 0', () => {
    for (const name of names) {
      const record = recordOf(name);
      for (const { inputs, attributes } of samplesOf(name)) {
        const count = record.flops?.(inputs, record.infer(inputs, attributes), attributes) ?? 0;
        expect(count >= 0 && Number.isFinite(count), `${name}: ${count}`).toBe(true);
      }
    }
  });
});

describe('samples', () => {
  it.each(names.filter((name) => name !== 'leaf'))('%s: its reference gives the types that are inferred', (name) => {
    expect(samplesOf(name).length).toBeGreaterThan(0);
    for (const sample of samplesOf(name)) {
      const types = recordOf(name).infer(sample.inputs, sample.attributes);
      const results = evaluateOp(recordOf(name), operandsOf(sample), sample.attributes);
      expect(
        results.map(({ shape, dtype }) => ({ shape, dtype })),
        text(sample.attributes),
      ).toEqual(types.map(({ shape, dtype }) => ({ shape, dtype })));
      for (const { shape, data } of results) expect(data.length).toBe(sizeOf(shape));
    }
  });
});

describe('decompositions', () => {
  it.each(names.filter((name) => recordOf(name).decompose))('%s computes what its reference does', (name) => {
    for (const [i, sample] of samplesOf(name).entries()) {
      if ((recordOf(name).flops?.(sample.inputs, recordOf(name).infer(sample.inputs, sample.attributes), sample.attributes) ?? 0) > 3e5)
        continue;
      const operands = operandsOf(sample);
      const expected = evaluateOp(recordOf(name), operands, sample.attributes);
      const found = evaluateDecomposed(recordOf(name), operands, sample.attributes);
      expected.forEach((array, output) => expectClose(found[output]!, array, 1e-11, `${name}, sample ${i}, output ${output}`));
    }
  });
});

describe('Philox', () => {
  // Known answers of Random123 (Salmon et al. 2011), kat_vectors: philox4x32 10.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('counter %j, key %j', (counter, key, expected) => {
    expect(philox(counter.map(BigInt), key.map(BigInt)).map(Number)).toEqual(expected);
  });

  it('splits seed, step and element into words', () => {
    const seed = 2n ** 40n + 3n;
    const key = (3n ^ (256n * 0x9e3779b9n)) & 0xffffffffn;
    expect(wordsOf({ seed, step: 2n ** 33n + 1n }, 9, 2n ** 36n + 6n)).toEqual(philox([1n, 4n, 1n, 2n], [key, 9n]));
  });

  it('draws the same elements from any first element on', () => {
    const uniform = (first: number, size: number) =>
      evaluateOp(recordOf('uniform'), [{ shape: [3], dtype: 'int64', data: Float64Array.of(5, 6, first) }], {
        shape: [size],
        stream: 7,
      })[0]!.data;
    expect([...uniform(3, 10)]).toEqual([...uniform(0, 13)].slice(3));
  });
});
