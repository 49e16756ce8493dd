import { real, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Norms = 'layerNorm' | 'layerNormGrad' | 'rmsNorm' | 'rmsNormGrad' | 'groupNorm' | 'groupNormGrad' | 'embedding';

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

const rows = [[7], [3, 5], [2, 3, 4], [0, 5], [3, 1], [33, 67], [2, 1031], [130, 3]];
const epsilon = { epsilon: 1e-3 };
const weightOf = (shape: readonly number[]): SampleInput => real(shape.slice(-1));
/** A number of each row: a mean, or (positive) a reciprocal of a deviation. */
const rowOf = (shape: readonly number[], low: number, high: number): SampleInput => real(shape.slice(0, -1), low, high);

const grouped: { shape: readonly number[]; groups: number }[] = [
  { shape: [1, 1, 2], groups: 1 },
  { shape: [2, 5, 6], groups: 3 },
  { shape: [3, 4, 5], groups: 5 },
  { shape: [0, 4, 4], groups: 2 },
  { shape: [5, 67, 12], groups: 2 },
  { shape: [2, 150, 3], groups: 1 },
  { shape: [2, 9, 160], groups: 8 },
];

const lookups: { count: number; size: number; ids: readonly number[]; dtype: 'int32' | 'int64' }[] = [
  { count: 5, size: 3, ids: [7], dtype: 'int32' },
  { count: 1, size: 1, ids: [], dtype: 'int64' },
  { count: 11, size: 4, ids: [2, 3], dtype: 'int64' },
  { count: 3, size: 5, ids: [0], dtype: 'int32' },
  { count: 67, size: 33, ids: [101], dtype: 'int32' },
];

export const normSamples: Samples<Norms> = {
  layerNorm: rows.flatMap((shape) => [
    call([real(shape)], epsilon),
    call([real(shape), weightOf(shape)], epsilon),
    call([real(shape, 5, 9), weightOf(shape), weightOf(shape)], epsilon),
  ]),
  layerNormGrad: rows.flatMap((shape) => {
    const inputs = [real(shape), real(shape), rowOf(shape, -0.3, 0.3), rowOf(shape, 0.5, 2)];
    return [call(inputs, {}), call([...inputs, weightOf(shape)], {})];
  }),
  rmsNorm: rows.flatMap((shape) => [call([real(shape)], epsilon), call([real(shape), weightOf(shape)], epsilon)]),
  rmsNormGrad: rows.flatMap((shape) => {
    const inputs = [real(shape), real(shape), rowOf(shape, 0.5, 2)];
    return [call(inputs, {}), call([...inputs, weightOf(shape)], {})];
  }),
  groupNorm: grouped.flatMap(({ shape, groups }) => [
    call([real(shape)], { groups, ...epsilon }),
    call([real(shape, 5, 9), weightOf(shape)], { groups, ...epsilon }),
    call([real(shape), weightOf(shape), weightOf(shape)], { groups, ...epsilon }),
  ]),
  groupNormGrad: grouped.flatMap(({ shape, groups }) => {
    const each = [shape[0]!, groups];
    const inputs = [real(shape), real(shape), real(each, -0.3, 0.3), real(each, 0.5, 2)];
    return [call(inputs, { groups }), call([...inputs, weightOf(shape)], { groups })];
  }),
  embedding: lookups.flatMap(({ count, size, ids, dtype }) =>
    // The gradient of the padding's row is zero by decree, not by nature.
    [-1, 0].map((paddingIndex) => ({
      ...call([real([count, size]), whole(ids, 0, count, dtype)], { paddingIndex }),
      smooth: paddingIndex < 0,
    })),
  ),
};
