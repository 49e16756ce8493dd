// Every conversion between two dtypes over all that 16 bits hold and the borders of the others, and moves of any bits: exact.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Target } from '../../src/compiler/index.js';
import { byteSize, dtypes } from '../../src/graph/dtype.js';
import type { DType } from '../../src/graph/dtype.js';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { planOf, runOn } from '../metamorphic/run.js';
import { arrayOf, convert } from '../references/array.js';
import type { NdArray64 } from '../references/array.js';
import { evaluate } from '../references/interpreter.js';
import { randomOf } from '../references/samples/sample.js';
import { arrayOfBytes } from './bytes.js';
import { openDevices } from './devices.js';
import type { RemoteDevice } from './devices.js';

let devices: RemoteDevice[];
let target: Target;
beforeAll(async () => {
  devices = await openDevices();
  target = await devices[0]!.target();
});
afterAll(() => {
  for (const device of devices) device.close();
});

const all16 = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);
const signed = (list: readonly number[]): number[] => list.flatMap((x) => [x, -x]);
/** A number, the two floats beside it, and the same halved at the places where halves are rounded. */
function beside(x: number): number[] {
  const bits = new DataView(new ArrayBuffer(4));
  return [-1, 0, 1].map((step) => {
    bits.setFloat32(0, x);
    bits.setUint32(0, bits.getUint32(0) + step);
    return bits.getFloat32(0);
  });
}

/** Borders of every type, halves between two numbers of 16 bits, each power of two, and what is no number. */
const floats = [
  ...signed([
    0,
    Infinity,
    NaN,
    2 ** -149,
    2 ** -126,
    2 ** -25,
    2 ** -24,
    3 * 2 ** -25,
    0.5,
    1.5,
    2.5,
    0.999,
    1e10,
    3.4e38,
    65519,
    65520,
    65504,
  ]),
  ...signed([127, 127.5, 128, 129, 255, 255.5, 256, 2 ** 31, 2 ** 31 - 128, 2 ** 32, 2 ** 62, 2 ** 63, 2 ** 63 - 2 ** 39, 2 ** 64]),
  ...Array.from({ length: 277 }, (_, i) => 2 ** (i - 149)).flatMap((power) => signed([power, 1.5 * power])),
  ...Array.from({ length: 60 }, (_, i) => 2 ** (i - 30)).flatMap((power) =>
    [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8].flatMap((x) => signed(beside(x * power))),
  ),
].map(Math.fround);
const integers = signed([0, 1, 2, 7, 100, 127, 128, 129, 255, 256, 257, 2049, 2051, 65519, 65520, 70_000, 2 ** 24 + 1, 2 ** 24 + 3]);
const wide = signed([2 ** 31, 2 ** 31 - 1, 2 ** 32 + 5, 2 ** 40 + 3, 2 ** 52 + 1, 2 ** 53 - 1, 2 ** 62]);
const range = (low: number, high: number): number[] => Array.from({ length: high - low }, (_, i) => low + i);

const list = (dtype: DType, data: readonly number[]): NdArray64 =>
  arrayOf(
    { shape: [data.length], dtype },
    data.map((x) => x + 0),
  );
const contents: Record<DType, NdArray64> = {
  float32: arrayOf({ shape: [floats.length], dtype: 'float32' }, floats),
  bfloat16: arrayOfBytes({ shape: [65536], dtype: 'bfloat16' }, all16),
  float16: arrayOfBytes({ shape: [65536], dtype: 'float16' }, all16),
  int8: list('int8', range(-128, 128)),
  uint8: list('uint8', range(0, 256)),
  int32: list('int32', [...integers, 2 ** 31 - 1, -(2 ** 31)]),
  int64: list('int64', [...integers, ...wide]),
  bool: list('bool', [0, 1]),
};

it.each(dtypes)('%s to every dtype', async (from) => {
  const x = ops.leaf(contents[from].shape, from);
  const results = dtypes.map((to) => ops.cast(x, to));
  const data = new Map([[x, contents[from]]]);
  const bindings = [{ value: x, kind: 'input' as const }];
  for (const device of devices) {
    const { first } = await runOn(device, { results, updates: [], checks: [], bindings, target }, data);
    results.forEach((result, i) => {
      const found = arrayOfBytes(result, first.results[i]!).data;
      const wrong = [...contents[from].data.entries()].flatMap(([at, element]) => {
        const exact = convert(element, from, result.dtype);
        const expected = result.dtype === 'float32' ? Math.fround(exact) : exact;
        return Object.is(found[at], expected) ? [] : [`${element} becomes ${found[at]}, not ${expected}`];
      });
      expect(wrong.slice(0, 5), `${device.title}: ${from} to ${result.dtype}, ${wrong.length} wrong`).toEqual([]);
    });
  }
});

/** Moves of an array [6, 5, 7] of any dtype. */
const moves: Record<string, (x: Value, ...indices: Value[]) => Value> = {
  transpose: (x) => ops.copy(ops.transpose(x, [2, 0, 1])),
  flip: (x) => ops.copy(ops.flip(x, [0, 2])),
  slice: (x) => ops.copy(ops.slice(x, [1, 0, 2], [6, 5, 7], [2, 3, 2])),
  concat: (x) => ops.concat([x, ops.flip(x, [1]), x], 1),
  broadcast: (x) => ops.copy(ops.broadcast(ops.sliceAxis(x, 1, 2, 3), [4, 6, 3, 7])),
  gather: (x, at) => ops.gather(x, at!, 1),
  takeAlong: (x, at) => ops.takeAlong(x, ops.broadcast(ops.reshape(at!, [1, 4, 1]), [6, 4, 7]), 1),
  dynamicSlice: (x, _, start) => ops.dynamicSlice(x, start!, [2, 3, 4]),
  dynamicUpdateSlice: (x, _, start) => ops.dynamicUpdateSlice(x, ops.flip(ops.slice(x, [0, 0, 0], [2, 3, 4]), [1]), start!),
};

it.each(dtypes)('moves of %s keep every bit', async (dtype) => {
  const shape = [6, 5, 7];
  const size = sizeOf(shape);
  const random = randomOf(11);
  const bytes = Uint8Array.from({ length: size * byteSize(dtype) }, () => Math.floor(random() * (dtype === 'bool' ? 2 : 256)));
  const x = ops.leaf(shape, dtype);
  const at = ops.leaf([4], 'int32');
  const start = ops.leaf([3], 'int32');
  const results = Object.values(moves).map((move) => move(x, at, start));
  const indices: [Value, Int32Array][] = [
    [at, Int32Array.of(4, -5, 2, 2)],
    [start, Int32Array.of(3, 1, 9)],
  ];
  // The references move the numbers of the places: which element ends where.
  const places = arrayOf(
    { shape, dtype },
    Array.from({ length: size }, (_, i) => i),
  );
  const moved = evaluate(results, new Map([[x, places], ...indices.map(([value, list32]) => [value, arrayOf(value, list32)] as const)]));
  const width = byteSize(dtype);
  const expected = moved.map(({ data }) =>
    Uint8Array.from([...data].flatMap((place) => [...bytes.subarray(place * width, (place + 1) * width)])),
  );
  const bindings = [x, at, start].map((value) => ({ value, kind: 'input' as const }));
  const inputs = [bytes, ...indices.map(([, list32]) => new Uint8Array(list32.buffer))];
  for (const device of devices) {
    for (const fuse of [true, false]) {
      const { first } = await device.run(planOf({ results, updates: [], checks: [], bindings, target, options: { fuse } }), inputs);
      const changed = Object.keys(moves).filter((_, i) => Buffer.compare(first.results[i]!, expected[i]!));
      expect(changed, `${device.title}, fuse ${fuse}`).toEqual([]);
    }
  }
});
