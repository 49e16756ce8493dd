// A kernel that is given a view (transposed, flipped, sliced, strided, broadcast) computes the bits that it computes of a copy.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Target } from '../../src/compiler/index.js';
import { apply } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import { sizeOf } from '../../src/graph/op.js';
import * as ops from '../../src/ops/index.js';
import { records } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import { openDevices } from '../conformance/devices.js';
import type { RemoteDevice } from '../conformance/devices.js';
import { recordOf, samplesOf } from '../conformance/variants.js';
import type { NdArray64 } from '../references/array.js';
import { arrayOf, elementAt, forEachIndex, placeOf } from '../references/array.js';
import { operandsOf } from '../references/samples.js';
import type { Sample } from '../references/samples.js';
import { runOn } from './run.js';

let devices: RemoteDevice[];
let target: Target;
beforeAll(async () => {
  devices = await openDevices();
  target = await devices[0]!.target();
});
afterAll(() => {
  for (const device of devices) device.close();
});

/** Data of another shape, and the view that shows an array in it; `place` says where an element of the array lies. */
interface View {
  readonly shape: (shape: readonly number[]) => number[];
  readonly place: (index: readonly number[], shape: readonly number[]) => number[];
  readonly show: (stored: Value, shape: readonly number[]) => Value;
}

const reversed = (list: readonly number[]): number[] => [...list].reverse();
const axes = (shape: readonly number[]): number[] => shape.map((_, axis) => axis);
/** Every second element, from the second on, along each axis. */
const spread = (size: number): number => 2 * size + 1;

const views: Record<string, View> = {
  transposed: { shape: reversed, place: reversed, show: (stored, shape) => ops.transpose(stored, reversed(axes(shape))) },
  flipped: {
    shape: (shape) => [...shape],
    place: (index, shape) => index.map((at, axis) => shape[axis]! - 1 - at),
    show: (stored, shape) => ops.flip(stored, axes(shape)),
  },
  strided: {
    shape: (shape) => shape.map(spread),
    place: (index) => index.map((at) => 2 * at + 1),
    show: (stored, shape) =>
      ops.slice(
        stored,
        shape.map(() => 1),
        shape.map(spread),
        shape.map(() => 2),
      ),
  },
  'sliced along the last axis': {
    shape: (shape) => shape.map((size, axis) => size + (axis === shape.length - 1 ? 5 : 0)),
    place: (index) => index.map((at, axis) => at + (axis === index.length - 1 ? 3 : 0)),
    show: (stored, shape) => ops.sliceAxis(stored, shape.length - 1, 3, 3 + shape.at(-1)!),
  },
};

/** The data that a view shows as `array`; elements that it leaves out differ from all others. */
function storedFor(view: View, array: NdArray64): NdArray64 {
  const shape = view.shape(array.shape);
  const data = new Array<number>(sizeOf(shape)).fill(array.dtype === 'bool' ? 1 : 99);
  forEachIndex(array.shape, (index) => {
    data[placeOf(shape, view.place(index, array.shape))] = elementAt(array, index);
  });
  return arrayOf({ shape, dtype: array.dtype }, data);
}

const suitable = ({ inputs }: Sample): boolean =>
  inputs.some(({ shape }) => shape.length > 0 && sizeOf(shape) > 1) && inputs.every(({ shape }) => sizeOf(shape) < 6000);

const names = (Object.keys(records) as OpName[]).filter((name) => samplesOf(name).some(suitable));

it.each(names)('%s', async (name) => {
  const data = new Map<Value, NdArray64>();
  const pairs: { ofView: Value; ofCopy: Value; where: string }[] = [];
  for (const [number, sample] of samplesOf(name).filter(suitable).entries()) {
    const operands = operandsOf(sample, number + 7);
    for (const [kind, view] of Object.entries(views)) {
      const shown = operands.map((array) => {
        if (array.shape.length === 0) return bind(array);
        const stored = bind(storedFor(view, array));
        return view.show(stored, array.shape);
      });
      const outputs = apply(recordOf(name), shown, sample.attributes);
      const copies = apply(
        recordOf(name),
        shown.map((value) => ops.copy(value)),
        sample.attributes,
      );
      outputs.forEach((ofView, o) => pairs.push({ ofView, ofCopy: copies[o]!, where: `sample ${number}, ${kind}` }));
    }
  }
  function bind(array: NdArray64): Value {
    const value = ops.leaf(array.shape, array.dtype);
    data.set(value, array);
    return value;
  }
  const bindings = [...data.keys()].map((value) => ({ value, kind: 'input' as const }));
  for (const device of devices) {
    for (const fuse of [true, false]) {
      const results = pairs.flatMap(({ ofView, ofCopy }) => [ofView, ofCopy]);
      const { first } = await runOn(device, { results, updates: [], checks: [], bindings, target, options: { fuse } }, data);
      expect(first.failure).toBeUndefined();
      const different = pairs.filter((_, i) => Buffer.compare(first.results[2 * i]!, first.results[2 * i + 1]!));
      expect(
        different.map(({ where }) => where),
        `${device.title}, fuse ${fuse}`,
      ).toEqual([]);
    }
  }
});
