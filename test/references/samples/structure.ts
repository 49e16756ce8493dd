import type { AttributesOf } from '../array.js';
import { distinct, flags, given, real, shapes, special, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Structure =
  | 'leaf'
  | 'constant'
  | 'iota'
  | 'identity'
  | 'detach'
  | 'copy'
  | 'checkFinite'
  | 'reshape'
  | 'transpose'
  | 'broadcast'
  | 'slice'
  | 'flip'
  | 'pad'
  | 'concat'
  | 'sum'
  | 'sumSquares'
  | 'prod'
  | 'max'
  | 'min'
  | 'any'
  | 'all'
  | 'argmax'
  | 'argmin'
  | 'gather'
  | 'scatterAdd'
  | 'takeAlong'
  | 'scatterAlong'
  | 'dynamicSlice'
  | 'dynamicUpdateSlice';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

const unchanged = shapes.map((shape) => call([real(shape)], {}));
const stored = [
  whole([3, 5], -9, 9),
  whole([3, 5], -9, 9, 'int64'),
  whole([3, 5], -100, 100, 'int8'),
  whole([3, 5], 0, 256, 'uint8'),
  real([3, 5], -2, 2, 'bfloat16'),
  real([3, 5], -2, 2, 'float16'),
  flags([3, 5]),
];

/** Each axis alone, all, and the outer ones, kept and dropped. */
const reductions = (make: (shape: readonly number[]) => SampleInput, empty: boolean): Sample<AttributesOf<'sum'>>[] => {
  const over = (shape: readonly number[], axes: readonly number[], keepDims = false) => call([make(shape)], { axes, keepDims });
  return [
    over([7], [0]),
    over([1], [0], true),
    over([3, 5], [0]),
    over([3, 5], [1]),
    over([3, 5], [0, 1]),
    over([2, 3, 4], [1], true),
    over([2, 3, 4], [0, 2]),
    over([2, 3, 4], [0, 1]),
    over([5, 1, 3], [1]),
    over([67, 33], [0]),
    over([33, 67], [1]),
    over([0, 3], [1]),
    ...(empty ? [over([0], [0]), over([2, 0, 3], [1]), over([0, 3], [0], true)] : []),
  ];
};

const integerReductions: Sample<AttributesOf<'sum'>>[] = [
  call([whole([3, 5], -9, 9)], { axes: [1], keepDims: false }),
  call([whole([3, 5], -9, 9, 'int64')], { axes: [0], keepDims: true }),
];
const tied: Sample<AttributesOf<'max'>>[] = [
  { ...call([given([2, 4], 'float32', [1, 3, 3, 2, -1, -1, -1, -1])], { axes: [1], keepDims: false }), smooth: false },
  { ...call([given([2, 3], 'float32', [1, NaN, 2, Infinity, -Infinity, 0])], { axes: [1], keepDims: false }), smooth: false },
];
const args: Sample<AttributesOf<'argmax'>>[] = [
  ...[[7], [1], [3, 5], [2, 3, 4], [33, 67], [0, 3]].flatMap((shape) =>
    shape.flatMap((size, axis) => (size ? [call([distinct(shape)], { axis, keepDims: axis % 2 === 0 })] : [])),
  ),
  call([given([2, 4], 'float32', [1, 3, 3, 2, 0, NaN, 9, NaN])], { axis: 1, keepDims: false }),
  call([whole([4, 6], -3, 3)], { axis: 0, keepDims: false }),
];

const indices = (shape: readonly number[], size: number, dtype: 'int32' | 'int64' = 'int32') => whole(shape, -size, size, dtype);

type Indexed = { x: readonly number[]; indices: SampleInput; axis: number; updates: readonly number[] };
const gathers: Indexed[] = [
  { x: [7], indices: indices([5], 7), axis: 0, updates: [5] },
  { x: [7], indices: indices([], 7), axis: 0, updates: [] },
  { x: [5, 3], indices: indices([2, 4], 5), axis: 0, updates: [2, 4, 3] },
  { x: [3, 5], indices: indices([4], 5, 'int64'), axis: 1, updates: [3, 4] },
  { x: [2, 3, 4], indices: indices([2, 2], 3), axis: 1, updates: [2, 2, 2, 4] },
  { x: [3, 5], indices: indices([0], 3), axis: 0, updates: [0, 5] },
  { x: [3, 0], indices: indices([2], 3), axis: 0, updates: [2, 0] },
  { x: [67, 33], indices: indices([101], 67), axis: 0, updates: [101, 33] },
];
const alongs: Indexed[] = [
  { x: [7], indices: indices([5], 7), axis: 0, updates: [5] },
  { x: [3, 5], indices: indices([3, 2], 5), axis: 1, updates: [3, 2] },
  { x: [3, 5], indices: indices([4, 5], 3, 'int64'), axis: 0, updates: [4, 5] },
  { x: [2, 3, 4], indices: indices([2, 6, 4], 3), axis: 1, updates: [2, 6, 4] },
  { x: [3, 5], indices: indices([3, 0], 5), axis: 1, updates: [3, 0] },
  { x: [33, 67], indices: indices([33, 5], 67), axis: 1, updates: [33, 5] },
];
const reads = (list: readonly Indexed[]) => list.map(({ x, indices: at, axis }) => call([real(x), at], { axis }));
const writes = (list: readonly Indexed[]) => list.map(({ x, indices: at, axis, updates }) => call([real(x), at, real(updates)], { axis }));

type Window = { x: readonly number[]; start: readonly number[]; size: readonly number[] };
const windows: Window[] = [
  { x: [7], start: [2], size: [3] },
  { x: [7], start: [6], size: [3] },
  { x: [7], start: [-4], size: [7] },
  { x: [3, 5], start: [1, 2], size: [2, 3] },
  { x: [2, 3, 4], start: [0, 9, -1], size: [1, 2, 4] },
  { x: [3, 5], start: [1, 1], size: [0, 2] },
];
const startOf = ({ start }: Window, i: number) => given([start.length], i % 2 ? 'int64' : 'int32', start);

const typed = (shape: readonly number[], dtype: string): AttributesOf<'leaf'> => ({ shape, dtype });
const ofType = (type: AttributesOf<'leaf'>): Sample<AttributesOf<'leaf'>> => call([], type);
const box = (shape: readonly number[], start: readonly number[], stop: readonly number[], step: readonly number[]) =>
  call([real(shape)], { start, stop, step });

export const structureSamples: Samples<Structure> = {
  leaf: [ofType(typed([2, 3], 'float32'))],
  constant: [
    ...shapes.map((shape) => call([], { ...typed(shape, 'float32'), value: 0.3 })),
    call([], { ...typed([3], 'int64'), value: -7 }),
    call([], { ...typed([3], 'bool'), value: 1 }),
    ...special.map((value) => call([], { ...typed([2], 'float32'), value })),
  ],
  iota: [
    call([], { ...typed([7], 'int32'), axis: 0 }),
    call([], { ...typed([3, 5], 'float32'), axis: 1 }),
    call([], { ...typed([3, 5], 'int64'), axis: 0 }),
    call([], { ...typed([0], 'int32'), axis: 0 }),
  ],
  identity: unchanged,
  detach: unchanged,
  copy: [...unchanged, ...stored.map((x) => call([x], {}))],
  checkFinite: unchanged,
  reshape: [
    call([real([])], { shape: [1, 1] }),
    call([real([6])], { shape: [2, 3] }),
    call([real([2, 3, 4])], { shape: [4, 6] }),
    call([real([2, 0])], { shape: [0, 5] }),
    call([real([7, 1])], { shape: [7] }),
  ],
  transpose: [
    call([real([3, 5])], { axes: [1, 0] }),
    call([real([2, 3, 4])], { axes: [2, 0, 1] }),
    call([real([2, 3, 4])], { axes: [0, 2, 1] }),
    call([real([2, 0, 3])], { axes: [1, 2, 0] }),
    call([real([33, 67])], { axes: [1, 0] }),
  ],
  broadcast: [
    call([real([])], { shape: [3] }),
    call([real([1])], { shape: [7] }),
    call([real([5])], { shape: [3, 5] }),
    call([real([3, 1])], { shape: [2, 3, 4] }),
    call([real([1, 3, 1])], { shape: [2, 3, 1] }),
    call([real([1])], { shape: [0] }),
    call([real([0, 1])], { shape: [0, 4] }),
  ],
  slice: [
    box([7], [2], [5], [1]),
    box([7], [1], [7], [3]),
    box([7], [0], [7], [2]),
    box([7], [3], [3], [1]),
    box([3, 5], [1, 0], [3, 5], [1, 2]),
    box([2, 3, 4], [0, 1, 1], [2, 2, 4], [1, 1, 3]),
    box([33, 67], [1, 3], [32, 67], [5, 2]),
  ],
  flip: [call([real([7])], { axes: [0] }), call([real([2, 3, 4])], { axes: [0, 2] }), call([real([0])], { axes: [0] })],
  pad: [
    call([real([3])], { low: [1], high: [2], value: 0 }),
    call([real([2, 3])], { low: [0, 2], high: [1, 0], value: -1.5 }),
    call([real([0])], { low: [2], high: [1], value: 3 }),
    call([real([33, 67])], { low: [1, 1], high: [1, 1], value: 0 }),
  ],
  concat: [
    call([real([3]), real([4])], { axis: 0 }),
    call([real([2, 3]), real([2, 1]), real([2, 0]), real([2, 5])], { axis: 1 }),
    call([real([1, 3]), real([2, 3])], { axis: 0 }),
    call([real([2, 1, 4]), real([2, 3, 4])], { axis: 1 }),
    call([whole([3], 0, 9, 'int64'), whole([2], 0, 9, 'int64')], { axis: 0 }),
  ],
  sum: [...reductions(real, true), ...integerReductions],
  sumSquares: reductions(real, true),
  prod: [
    ...reductions((shape) => real(shape, 0.8, 1.2), true),
    ...integerReductions,
    call([given([2, 3], 'float32', [2, 0, 3, 1, 4, 5])], { axes: [1], keepDims: false }),
  ],
  max: [...reductions(distinct, false), ...integerReductions, ...tied],
  min: [...reductions(distinct, false), ...integerReductions, ...tied],
  any: reductions(flags, true),
  all: reductions(flags, true),
  argmax: args,
  argmin: args,
  gather: [...reads(gathers), ...stored.map((x) => call([x, indices([4], 3)], { axis: 0 }))],
  scatterAdd: [...writes(gathers), call([whole([5], 0, 9), indices([12], 5), whole([12], 0, 9)], { axis: 0 })],
  takeAlong: reads(alongs),
  scatterAlong: writes(alongs),
  dynamicSlice: windows.map((window, i) => call([real(window.x), startOf(window, i)], { size: window.size })),
  dynamicUpdateSlice: windows.map((window, i) => call([real(window.x), real(window.size), startOf(window, i)], {})),
};
