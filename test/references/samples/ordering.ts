import type { AttributesOf } from '../array.js';
import { distinct, given, real, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Ordering =
  | 'cumulativeSum'
  | 'cumulativeProduct'
  | 'cumulativeMax'
  | 'cumulativeMin'
  | 'linearRecurrence'
  | 'logCumulativeSumExp'
  | 'sort'
  | 'topK'
  | 'searchSorted'
  | 'scatterReduce';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });
const rough = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes, smooth: false });

/** Each axis in both directions; rows, columns, more columns than a block, none. */
const ways = ([[7], [1], [0], [3, 5], [2, 3, 4], [0, 3], [3, 0], [4, 131]] as const).flatMap((shape) =>
  shape.flatMap((_, axis) => [false, true].map((reverse) => ({ shape, axis, reverse }))),
);
const sums = ways.flatMap(({ shape, ...way }) => [false, true].map((exclusive) => call([real(shape)], { ...way, exclusive })));
const products: Sample<AttributesOf<'cumulativeProduct'>>[] = [
  ...ways
    .filter(({ shape }) => shape[1] !== 131)
    .flatMap(({ shape, ...way }) => [false, true].map((exclusive) => call([real(shape, 0.6, 1.4)], { ...way, exclusive }))),
  // Zeros, one and several in a row: the derivative is exact among them.
  ...[false, true].flatMap((reverse) =>
    [false, true].map((exclusive) =>
      call([given([4, 4], 'float32', [2, 0, 3, 0.5, 0, 0, 2, 1, 1, 2, 3, 0, 0, 0, 0, 0])], { axis: 1, reverse, exclusive }),
    ),
  ),
];
const whole32 = call([whole([3, 9], -30, 30)], { axis: 1, reverse: false, exclusive: false });
const whole64 = call([whole([3, 5], -9, 9, 'int64')], { axis: 0, reverse: true, exclusive: false });
const longs = call([whole([3, 9], -3, 4, 'int64')], { axis: 1, reverse: true, exclusive: true });
const floods = [
  rough([given([2, 4], 'float32', [1, NaN, 2, 3, Infinity, 1, -Infinity, 2])], { axis: 1, reverse: false, exclusive: false }),
];

const tied = given([3, 6], 'float32', [1, 3, 3, 2, -1, 3, 0, NaN, Infinity, NaN, -Infinity, 0, -0, 0, 5, -0, 5, -5]);
const extremes: Sample<AttributesOf<'cumulativeMax'>>[] = [
  ...ways.map(({ shape, ...way }) => call([distinct(shape)], way)),
  ...[false, true].flatMap((reverse) => [rough([tied], { axis: 1, reverse }), rough([tied], { axis: 0, reverse })]),
  call([whole([3, 9], -3, 3)], { axis: 1, reverse: false }),
  call([whole([3, 9], -3, 3, 'int64')], { axis: 0, reverse: true }),
];

const rows = [[1], [7], [0], [3, 5], [2, 3, 4], [0, 5], [3, 0], [2, 67], [3, 331]];
const sorts: Sample<AttributesOf<'sort'>>[] = [false, true].flatMap((descending) => [
  ...rows.map((shape) => call([distinct(shape)], { descending })),
  rough([tied], { descending }),
  call([whole([2, 301], -9, 9)], { descending }),
  call([whole([2, 301], -(2 ** 31), 2 ** 31)], { descending }),
  call([whole([2, 301], -(2 ** 52), 2 ** 52, 'int64')], { descending }),
]);
const tops: Sample<AttributesOf<'topK'>>[] = [true, false].flatMap((largest) => [
  ...rows.flatMap((shape) =>
    [...new Set([0, 1, Math.min(4, shape.at(-1)!), shape.at(-1)!])]
      .filter((k) => k <= shape.at(-1)!)
      .map((k) => call([distinct(shape)], { k, largest })),
  ),
  rough([tied], { k: 3, largest }),
  rough([given([1, 17], 'float32', [1, NaN, 1, 2, 2, -0, 0, NaN, 3, 3, 3, 1, 2, 0, -1, 5, 5])], { k: 2, largest }),
  call([whole([2, 301], -9, 9)], { k: 30, largest }),
  call([whole([2, 301], -(2 ** 52), 2 ** 52, 'int64')], { k: 30, largest }),
]);

const steps = given([6], 'float32', [-1, 0, 0, 0.5, 2, Infinity]);
const sought = given([9], 'float32', [-2, -1, -0, 0.25, 0.5, 3, Infinity, -Infinity, NaN]);
const searches: Sample<AttributesOf<'searchSorted'>>[] = [false, true].flatMap((right) => [
  call([steps, sought], { right }),
  call([given([3], 'float32', [1, NaN, NaN]), sought], { right }),
  call([given([2, 3], 'float32', [1, 2, 3, -3, -2, -1]), real([2, 7], -4, 4)], { right }),
  call([real([0]), real([4])], { right }),
  call([real([2, 3]), real([2, 0])], { right }),
  call([given([2, 4], 'int32', [1, 2, 2, 3, -3, -2, -2, -1]), whole([2, 9], -4, 4)], { right }),
  call([given([4], 'int64', [1, 2, 2, 2 ** 40]), given([5], 'int64', [0, 2, 3, 2 ** 40, 2 ** 41])], { right }),
]);

/** Every row of indices is a permutation, so that no place is met twice. */
const once = given([2, 3], 'int32', [2, 0, -2, 1, 3, -4]);
const often = given([2, 5], 'int64', [0, 2, 2, 0, -1, 3, 3, 3, -4, 0]);
const scatters: Sample<AttributesOf<'scatterReduce'>>[] = [
  ...['set', 'maximum', 'minimum'].flatMap((rule) => [
    call([distinct([2, 4]), once, real([2, 3], 2.01, 4)], { axis: 1, rule }),
    call([distinct([2, 4]), often, real([2, 5], -4, -2.01)], { axis: 1, rule }),
    call([real([7]), whole([5], -7, 7), distinct([5])], { axis: 0, rule }),
    call([real([4, 5]), whole([6, 5], 0, 4), distinct([6, 5])], { axis: 0, rule }),
    call([real([2, 3, 4]), whole([2, 6, 4], 0, 3), distinct([2, 6, 4])], { axis: 1, rule }),
    call([real([3, 5]), whole([3, 0], 0, 5), real([3, 0])], { axis: 1, rule }),
    call([whole([2, 4], -9, 9), often, whole([2, 5], -9, 9)], { axis: 1, rule }),
    call([whole([2, 4], -9, 9, 'int64'), often, whole([2, 5], -9, 9, 'int64')], { axis: 1, rule }),
  ]),
  ...['maximum', 'minimum'].map((rule) =>
    rough([given([4], 'float32', [1, NaN, 2, 0]), given([4], 'int32', [0, 0, 1, 2]), given([4], 'float32', [1, 1, 5, NaN])], {
      axis: 0,
      rule,
    }),
  ),
];

export const orderingSamples: Samples<Ordering> = {
  cumulativeSum: [...sums, whole32, whole64, ...floods],
  cumulativeProduct: [...products, whole32, longs],
  cumulativeMax: extremes,
  cumulativeMin: extremes,
  linearRecurrence: ways.map(({ shape, ...way }) => call([real(shape, -1.2, 1.2), real(shape)], way)),
  logCumulativeSumExp: [
    ...ways.map(({ shape, ...way }) => call([real(shape, -4, 4)], way)),
    ...[false, true].map((reverse) =>
      rough([given([2, 6], 'float32', [-Infinity, -Infinity, 100, -300, 100, -Infinity, 1, 90, 2, Infinity, NaN, 3])], {
        axis: 1,
        reverse,
      }),
    ),
  ],
  sort: sorts,
  topK: tops,
  searchSorted: searches,
  scatterReduce: scatters,
};
