import type { AttributesOf } from '../array.js';
import { flags, given, real, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type Names = 'attention' | 'attentionGrad' | 'rotary' | 'cacheUpdate';
type Attributes = AttributesOf<'attention'>;

const call = <A>(inputs: readonly SampleInput[], attributes: A): Sample<A> => ({ inputs, attributes });

interface Sizes {
  readonly batch?: number;
  readonly from: number;
  readonly to: number;
  readonly heads?: number;
  readonly keyHeads?: number;
  readonly size?: number;
  readonly valueSize?: number;
}

type Extra = Partial<Record<'lengths' | 'queryLengths' | 'mask' | 'slopes' | 'state', SampleInput>>;
const plain = { causal: false, window: 0, rate: 0, stream: 0 };
const lengths = (...list: number[]): SampleInput => given([list.length], 'int32', list);
const state = given([3], 'int64', [42, 7, 6]);

/** Queries, keys, values and the optional operands of one call. */
function attend(sizes: Sizes, options: Partial<typeof plain> = {}, extra: Extra = {}) {
  const { batch = 1, from, to, heads = 1, keyHeads = heads, size = 3, valueSize = size } = sizes;
  const operands = ['lengths', 'queryLengths', 'mask', 'slopes', 'state'].filter((name) => extra[name as keyof Extra]);
  const inputs = [
    real([batch, from, heads, size]),
    real([batch, to, keyHeads, size]),
    real([batch, to, keyHeads, valueSize]),
    ...operands.map((name) => extra[name as keyof Extra]!),
  ];
  const attributes: Attributes = { scale: 1 / Math.sqrt(size || 1), ...plain, ...options, operands: operands.join(' ') };
  const rows = [batch, heads, from];
  return {
    forward: call(inputs, attributes),
    // The sums over a row are given, so any numbers do; large ones keep the probabilities below 1.
    backward: call([real([batch, from, heads, valueSize]), real(rows, 3, 4), real(rows), ...inputs], attributes),
  };
}

const calls = [
  attend({ from: 1, to: 1, size: 1 }),
  attend({ batch: 2, from: 3, to: 5, heads: 2 }),
  attend({ from: 5, to: 3, size: 4, valueSize: 7 }, { causal: true }),
  attend({ from: 3, to: 7, heads: 2 }, { causal: true }),
  attend({ batch: 2, from: 4, to: 4, heads: 4, keyHeads: 2 }, { causal: true, window: 2 }),
  attend({ from: 6, to: 6, heads: 3, keyHeads: 1 }, { window: 3 }),
  attend({ batch: 4, from: 3, to: 5 }, {}, { lengths: lengths(5, 0, 2, 9) }),
  attend({ batch: 3, from: 4, to: 6, heads: 2 }, { causal: true }, { lengths: lengths(4, 6, 1), queryLengths: lengths(4, 2, 3) }),
  attend({ batch: 2, from: 3, to: 5, heads: 2 }, {}, { mask: real([1, 2, 3, 5]) }),
  attend({ batch: 2, from: 3, to: 5, heads: 2 }, {}, { mask: real([2, 1, 1, 5]), slopes: real([2]) }),
  attend({ batch: 2, from: 3, to: 4, heads: 2 }, {}, { mask: flags([2, 1, 3, 4]) }),
  attend({ from: 2, to: 3 }, {}, { mask: given([1, 1, 2, 3], 'bool', [0, 0, 0, 1, 0, 1]) }),
  attend({ from: 2, to: 3 }, {}, { mask: given([1, 1, 2, 3], 'float32', [-Infinity, -Infinity, -Infinity, 0, -Infinity, 1]) }),
  attend({ from: 4, to: 5, heads: 2 }, { causal: true }, { slopes: real([2], 0.1, 1) }),
  attend({ batch: 2, from: 3, to: 7, heads: 2 }, { rate: 0.4, stream: 99 }, { state }),
  attend({ batch: 2, from: 2, to: 5, heads: 2, keyHeads: 1 }, { causal: true, rate: 0.25, stream: 5 }, { lengths: lengths(3, 5), state }),
  attend({ batch: 0, from: 2, to: 3 }),
  attend({ from: 0, to: 3 }),
  attend({ from: 3, to: 0 }),
];
/** Beyond every block of rows, keys and vectors; too large for the gradients of the tests, but for the forward values. */
const large = [
  attend({ batch: 2, from: 1, to: 131, heads: 2, size: 19 }, { causal: true }, { lengths: lengths(131, 40) }),
  attend({ from: 133, to: 150, heads: 2, keyHeads: 1, size: 5 }, { causal: true }),
  attend(
    { from: 40, to: 131, size: 17 },
    { rate: 0.3, stream: 3, window: 90 },
    { lengths: lengths(129), mask: real([1, 1, 40, 131]), state },
  ),
];

const turn = { base: 10_000, dimension: 4, interleaved: false, inverse: false };
const places = (...list: number[]): SampleInput => given([list.length], 'int32', list);

export const attentionSamples: Samples<Names> = {
  attention: [...calls, ...large].map(({ forward }) => forward),
  attentionGrad: [...calls, ...large].map(({ backward }) => backward),
  rotary: [
    call([real([1, 1, 1, 4]), places(0)], turn),
    call([real([2, 3, 2, 4]), places(0, 5)], turn),
    call([real([2, 3, 2, 7]), places(3, 100)], { ...turn, interleaved: true }),
    call([real([1, 5, 3, 6]), places(2)], { ...turn, base: 500, dimension: 2, inverse: true }),
    call([real([1, 2, 1, 38]), places(1)], { ...turn, dimension: 36 }),
    call([real([1, 2, 1, 38]), places(1)], { ...turn, dimension: 36, interleaved: true }),
    call([real([0, 2, 1, 4]), places()], turn),
    call([real([1, 0, 1, 4]), places(7)], turn),
  ],
  cacheUpdate: [
    call([real([1, 4, 2]), real([1, 1, 2]), places(0)], {}),
    call([real([2, 5, 3]), real([2, 2, 3]), places(0, 3)], {}),
    call([real([2, 4, 2, 3]), real([2, 4, 2, 3]), whole([2], 0, 1, 'int64')], {}),
    call([real([2, 4, 3]), real([2, 0, 3]), places(4, 1)], {}),
    call([real([0, 4, 3]), real([0, 2, 3]), places()], {}),
    call([real([1, 67, 33]), real([1, 9, 33]), places(58)], {}),
  ],
};
