import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { remainder } from './binary.js';
import { reshape } from './broadcast.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import { logicalOr } from './logic.js';
import { applyOne, defineRecord } from './define.js';
import { constant, iota } from './leaf.js';
import { matmul } from './matmul.js';
import { sliceAxis, stack } from './movement.js';
import { fail, float, requireDtype, showShape } from './support.js';
import { cos, sin } from './unary.js';
import { where } from './where.js';

type FftAttributes = { readonly inverse: boolean };
type SizeAttributes = { readonly size: number };

/** Refuses all but [..., n >= 1], or [..., n >= 1, 2] of pairs. */
function requireSequence(op: string, x: Type, pairs: boolean): void {
  requireDtype(op, x, float);
  const rank = pairs ? 2 : 1;
  const shape = pairs ? '[..., n, 2], pairs of real and imaginary part' : '[..., n]';
  if (x.shape.length < rank || (pairs && x.shape.at(-1) !== 2) || x.shape.at(-rank) === 0)
    fail('SHAPE_MISMATCH', op, `x has shape ${showShape(x.shape)}, but must be ${shape}, with n >= 1`);
}

/** Real parts and imaginary parts of [..., n, 2], each [..., n]. */
const partsOf = (x: Value): [re: Value, im: Value] => {
  const shape = x.shape.slice(0, -1);
  return [reshape(sliceAxis(x, -1, 0, 1), shape), reshape(sliceAxis(x, -1, 1, 2), shape)];
};

/** cos and sin of 2 pi j k / size, [rows, columns]; the product is reduced before it is rounded. */
function turns(rows: number, columns: number, size: number): { cosine: Value; sine: Value } {
  const shape = [rows, columns];
  const product = mul(iota(shape, 0, 'int64'), iota(shape, 1, 'int64'));
  const angle = mul(cast(remainder(product, size), 'float32'), (2 * Math.PI) / size);
  return { cosine: cos(angle), sine: sin(angle) };
}

/** The last axis of x by a matrix. */
const times = (x: Value, matrix: Value): Value =>
  reshape(matmul(reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]), matrix), [...x.shape.slice(0, -1), matrix.shape[1]!]);

const binsOf = (size: number): number => Math.floor(size / 2) + 1;

/** Factors of the bins of a half spectrum: `ends` where a bin is its own mirror image, `others` elsewhere. */
function binFactors(spectrum: Value, size: number, ends: number, others: number): Value {
  const bin = iota(spectrum.shape, spectrum.shape.length - 2);
  const real = equal(bin, 0);
  return where(size % 2 ? real : logicalOr(real, equal(bin, size / 2)), constant(ends, spectrum.shape), others);
}
const transformFlops = (size: number, x: Type): number => 5 * sizeOf(x.shape) * Math.log2(Math.max(2, size));

export const fftRecords = {
  fft: defineRecord<FftAttributes>({
    name: 'fft',
    cost: 'contraction',
    infer([x]) {
      requireSequence('fft', x, true);
      return x;
    },
    gradient: ({ dy, attributes: { inverse } }) => fft(dy, !inverse),
    decompose([x], { inverse }) {
      const n = x.shape.at(-2)!;
      const { cosine, sine: positive } = turns(n, n, n);
      const sine = inverse ? positive : neg(positive);
      const [re, im] = partsOf(x);
      return stack([sub(times(re, cosine), times(im, sine)), add(times(re, sine), times(im, cosine))], -1);
    },
    flops: ([x]) => transformFlops(x.shape.at(-2)!, x),
  }),
  rfft: defineRecord({
    name: 'rfft',
    cost: 'contraction',
    infer([x]) {
      requireSequence('rfft', x, false);
      return { shape: [...x.shape.slice(0, -1), binsOf(x.shape.at(-1)!), 2], dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x] }) => {
      const size = x.shape.at(-1)!;
      return irfft(mul(dy, binFactors(dy, size, 1, 0.5)), size);
    },
    decompose([x]) {
      const n = x.shape.at(-1)!;
      const { cosine, sine } = turns(n, binsOf(n), n);
      return stack([times(x, cosine), neg(times(x, sine))], -1);
    },
    flops: ([x]) => transformFlops(x.shape.at(-1)!, x) / 2,
  }),
  irfft: defineRecord<SizeAttributes>({
    name: 'irfft',
    cost: 'contraction',
    infer([x], { size }) {
      requireSequence('irfft', x, true);
      if (!Number.isInteger(size) || size < 1 || x.shape.at(-2) !== binsOf(size)) {
        fail('SHAPE_MISMATCH', 'irfft', `x has shape ${showShape(x.shape)}, but ${size} numbers have ${binsOf(size)} bins`);
      }
      return { shape: [...x.shape.slice(0, -2), size], dtype: x.dtype };
    },
    gradient: ({ dy, inputs: [x], attributes: { size } }) => mul(rfft(dy), binFactors(x, size, 1, 2)),
    decompose([x], { size }) {
      const { cosine, sine } = turns(binsOf(size), size, size);
      const [re, im] = partsOf(mul(x, binFactors(x, size, 1, 2)));
      return sub(times(re, cosine), times(im, sine));
    },
    flops: (_inputs, [y]) => transformFlops(y.shape.at(-1)!, y) / 2,
  }),
};

/** sum_j x_j e^(-2 pi i j k / n) over axis -2 of pairs [..., n, 2], for each k < n; e^(+...) if inverse. Not scaled. */
export const fft = (x: Value, inverse = false): Value => applyOne(fftRecords.fft, [x], { inverse });

/** The bins k = 0 .. n / 2 of the transform of real x [..., n]: [..., n / 2 + 1, 2]. The others mirror them. Not scaled. */
export const rfft = (x: Value): Value => applyOne(fftRecords.rfft, [x], {});

/**
 * The sum of e^(2 pi i j k / size) X_k over all bins k < size, of which the given [..., size / 2 + 1, 2] are the first half and
 * the others their mirror image: [..., size]. The imaginary parts of bins that mirror themselves do not count. Not scaled.
 */
export const irfft = (x: Value, size: number): Value => applyOne(fftRecords.irfft, [x], { size });
