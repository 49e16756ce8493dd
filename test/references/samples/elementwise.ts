import { dtypes } from '../../../src/graph/dtype.js';
import type { DType } from '../../../src/graph/dtype.js';
import { sizeOf } from '../../../src/graph/op.js';
import { encodeProgram } from '../../../src/ops/index.js';
import { flags, given, real, shapes, special, whole } from './sample.js';
import type { Sample, SampleInput, Samples } from './sample.js';

type NoAttributes = Record<never, never>;
type Plain = Sample<NoAttributes>;

const call = (...inputs: SampleInput[]): Plain => ({ inputs, attributes: {} });
const rough = (...inputs: SampleInput[]): Plain => ({ inputs, attributes: {}, smooth: false });

const specials = given([special.length], 'float32', special);
/** Floats in a range, over all shapes, and the special ones. */
const floats = (low = -2, high = 2): Plain[] => [...shapes.map((shape) => call(real(shape, low, high))), rough(specials)];
const integers: Plain[] = [call(whole([3, 5], -50, 50)), call(whole([1031], -50, 50, 'int64')), call(whole([0], 0, 1))];

/** Of many random pairs some lie beside a kink. */
const kinked = (list: readonly Plain[]): Plain[] =>
  list.map((sample) => (sizeOf(sample.inputs[0]!.shape) > 100 ? { ...sample, smooth: false } : sample));

/** Two operands over all shapes; the special numbers meet each other. */
const squareOf = (list: readonly number[]): [SampleInput, SampleInput] => [
  given(
    [list.length ** 2],
    'float32',
    list.flatMap((a) => list.map(() => a)),
  ),
  given(
    [list.length ** 2],
    'float32',
    list.flatMap(() => list),
  ),
];
const pairs = (a: readonly [number, number] = [-2, 2], b: readonly [number, number] = [-2, 2]): Plain[] => [
  ...shapes.map((shape) => call(real(shape, ...a), real(shape, ...b))),
  rough(...squareOf(special)),
];
const wholePairs = (low = -50, high = 50): Plain[] => [
  call(whole([3, 5], low, high), whole([3, 5], low, high)),
  call(whole([1031], low, high, 'int64'), whole([1031], low, high, 'int64')),
  call(given([4], 'int32', [2147483647, -2147483648, 7, -7]), given([4], 'int32', [2, -1, 0, 2])),
];
const flagPairs: Plain[] = [call(flags([3, 5]), flags([3, 5])), call(flags([1031]), flags([1031])), call(flags([0]), flags([0]))];
const compared: Plain[] = [...pairs(), ...wholePairs(-3, 3), ...flagPairs];

/** Numbers at the borders of every type. */
const borders = [...special, 127.6, 128, -128.9, 255, 256, -1.7, 65519, 65520, 1.0009765625, 1.00390625, 3e9, -3e9, 1e10];
const contents: Record<DType, SampleInput> = {
  float32: given([borders.length], 'float32', borders),
  bfloat16: real([37], -300, 300, 'bfloat16'),
  float16: real([37], -300, 300, 'float16'),
  int8: whole([37], -128, 128, 'int8'),
  uint8: whole([37], 0, 256, 'uint8'),
  int32: given([7], 'int32', [0, 1, -1, 300, -300, 2147483647, -2147483648]),
  int64: given([7], 'int64', [0, 1, -1, 300, -300, 2 ** 40 + 5, -(2 ** 40) - 5]),
  bool: flags([37]),
};
const casts = dtypes.flatMap((from) =>
  dtypes.map((dtype): Sample<{ readonly dtype: string }> => ({ inputs: [contents[from]], attributes: { dtype }, smooth: false })),
);

const table = {
  neg: [...floats(), ...integers],
  abs: [...floats(), ...integers],
  sign: [...floats(), ...integers],
  exp: floats(-5, 5),
  expm1: floats(-3, 3),
  log: floats(0.1, 5),
  log1p: floats(-0.8, 5),
  sqrt: floats(0.1, 5),
  rsqrt: floats(0.1, 5),
  square: [...floats(), ...integers],
  reciprocal: floats(),
  sin: [...floats(-10, 10)],
  cos: floats(-10, 10),
  tan: floats(-1.3, 1.3),
  tanh: floats(-4, 4),
  sigmoid: floats(-8, 8),
  erf: floats(-4, 4),
  exp2: floats(-8, 8),
  log2: [...floats(0.1, 5), rough(given([4], 'float32', [8, 0.25, 2 ** 100, 2 ** -140]))],
  log10: floats(0.1, 5),
  asin: floats(-0.95, 0.95),
  acos: floats(-0.95, 0.95),
  atan: floats(-6, 6),
  sinh: [...floats(-5, 5), rough(given([4], 'float32', [89, -89, 45, 1e-4]))],
  cosh: [...floats(-5, 5), rough(given([4], 'float32', [89, -89, 45, 1e-4]))],
  asinh: [...floats(-5, 5), rough(given([3], 'float32', [1e20, -3e38, 1e-5]))],
  acosh: [...floats(1.1, 8), rough(given([2], 'float32', [1e20, 3e38]))],
  atanh: floats(-0.95, 0.95),
  erfc: [...floats(-2, 4), rough(given([3], 'float32', [6, 9, 11]))],
  erfinv: [...floats(-0.95, 0.95), rough(given([4], 'float32', [0.9999999, -0.9999, 1e-6, 0.999]))],
  lgamma: [...floats(0.3, 9), ...floats(-0.9, -0.1), rough(given([4], 'float32', [1, 2, 300, -12.3]))],
  polygamma: [0, 1, 2, 3].flatMap((order) =>
    [...floats(0.5, 9).slice(0, -1), call(real([7], -0.8, -0.2)), rough(given([4], 'float32', [-0.25, -7.3, 100, 1e6]))].map((sample) => ({
      ...sample,
      attributes: { order },
    })),
  ),
  floor: floats(-20, 20),
  ceil: floats(-20, 20),
  round: floats(-20, 20),
  relu: [...floats(), ...integers],
  softplus: floats(-20, 20),
  silu: floats(-8, 8),
  gelu: floats(-5, 5),
  geluTanh: floats(-5, 5),
  isNan: floats(),
  isFinite: floats(),
  logicalNot: [call(flags([3, 5])), call(flags([1031])), call(flags([0]))],
  add: [...pairs(), ...wholePairs()],
  sub: [...pairs(), ...wholePairs()],
  mul: [...pairs(), ...wholePairs()],
  div: [...pairs(), ...wholePairs()],
  pow: [...pairs([0.1, 3]), call(whole([20], -3, 4), whole([20], -2, 6))],
  maximum: [...kinked(pairs()), ...wholePairs()],
  minimum: [...kinked(pairs()), ...wholePairs()],
  remainder: [...kinked(pairs([-9, 9], [0.7, 2])), ...wholePairs()],
  atan2: pairs(),
  xlogy: pairs([-2, 2], [0.1, 3]),
  hypot: pairs(),
  equal: compared,
  notEqual: compared,
  less: compared,
  lessEqual: compared,
  greater: compared,
  greaterEqual: compared,
  logicalAnd: flagPairs,
  logicalOr: flagPairs,
  logicalXor: flagPairs,
  where: [
    ...shapes.map((shape) => call(flags(shape), real(shape), real(shape))),
    call(flags([3, 5]), whole([3, 5], -9, 9), whole([3, 5], -9, 9)),
    call(flags([13]), flags([13]), flags([13])),
  ],
  cast: [...shapes.map((shape) => ({ inputs: [real(shape)], attributes: { dtype: 'float32' } })), ...casts],
  elementwise: [
    {
      inputs: [real([3, 5]), real([3, 5]), flags([3, 5])],
      attributes: {
        shape: [3, 5],
        program: encodeProgram({
          instructions: [
            { op: 'mul', dtype: 'float32' as const, sources: [0, 1] },
            { op: 'constant', dtype: 'float32' as const, sources: [], immediate: 0.25 },
            { op: 'add', dtype: 'float32' as const, sources: [3, 4] },
            { op: 'tanh', dtype: 'float32' as const, sources: [5] },
            { op: 'where', dtype: 'float32' as const, sources: [2, 6, 0] },
            { op: 'cast', dtype: 'int32' as const, sources: [7] },
          ],
          stored: [7, 8, 5],
        }),
      },
    },
  ],
};

export const elementwiseSamples: Samples<keyof typeof table> = table;
