import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import { atan2 } from './binary.js';
import { greater, less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import { float, requireDtype } from './support.js';
import { abs, exp, expm1, log, log1p, rsqrt, sign, sqrt, square, unaryBuilder, unaryRecord } from './unary.js';
import { where } from './where.js';

type PolygammaAttributes = { readonly order: number };

/** 1 - x^2, without cancellation near 1. */
const leftOfSquare = (x: Value): Value => mul(sub(1, x), add(x, 1));
/** An odd function from its values at x >= 0, where it is given |x|. */
const odd = (x: Value, ofMagnitude: (x: Value) => Value): Value => mul(sign(x), ofMagnitude(abs(x)));
/** Beyond this e^-x adds nothing to e^x, and the square of x may overflow. */
const FAR = 40;
/** e^x / 2 where that is finite though e^x is not. */
const halfExp = (x: Value): Value => {
  const root = exp(mul(x, 0.5));
  return mul(mul(root, 0.5), root);
};
/** ln(2 x), also where 2 x overflows. */
const logDouble = (x: Value): Value => add(log(x), Math.LN2);

export const specialRecords = {
  exp2: unaryRecord('exp2', float, { gradient: ({ dy, y }) => mul(dy, mul(y, Math.LN2)), decompose: ([x]) => exp(mul(x, Math.LN2)) }),
  log2: unaryRecord('log2', float, {
    gradient: ({ dy, inputs: [x] }) => div(dy, mul(x, Math.LN2)),
    decompose: ([x]) => mul(log(x), Math.LOG2E),
  }),
  log10: unaryRecord('log10', float, {
    gradient: ({ dy, inputs: [x] }) => div(dy, mul(x, Math.LN10)),
    decompose: ([x]) => mul(log(x), Math.LOG10E),
  }),
  asin: unaryRecord('asin', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, rsqrt(leftOfSquare(x))),
    decompose: ([x]) => atan2(x, sqrt(leftOfSquare(x))),
  }),
  acos: unaryRecord('acos', float, {
    gradient: ({ dy, inputs: [x] }) => neg(mul(dy, rsqrt(leftOfSquare(x)))),
    decompose: ([x]) => atan2(sqrt(leftOfSquare(x)), x),
  }),
  atan: unaryRecord('atan', float, {
    gradient: ({ dy, inputs: [x] }) => div(dy, add(square(x), 1)),
    decompose: ([x]) => atan2(x, 1),
  }),
  sinh: unaryRecord('sinh', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, cosh(x)),
    decompose: ([x]) =>
      odd(x, (t) => {
        const near = expm1(where(greater(t, FAR), 0, t));
        return where(greater(t, FAR), halfExp(t), mul(add(near, div(near, add(near, 1))), 0.5));
      }),
  }),
  cosh: unaryRecord('cosh', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, sinh(x)),
    decompose: ([x]) => {
      const half = halfExp(abs(x));
      return where(greater(abs(x), FAR), half, add(half, div(0.25, half)));
    },
  }),
  asinh: unaryRecord('asinh', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, rsqrt(add(square(x), 1))),
    decompose: ([x]) =>
      odd(x, (t) => {
        const far = greater(t, 1e9);
        const squares = square(where(far, 0, t));
        return where(far, logDouble(t), log1p(add(t, div(squares, add(sqrt(add(squares, 1)), 1)))));
      }),
  }),
  acosh: unaryRecord('acosh', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, rsqrt(mul(sub(x, 1), add(x, 1)))),
    decompose: ([x]) => {
      const far = greater(x, 1e9);
      const above = sub(where(far, 1, x), 1);
      return where(far, logDouble(x), log1p(add(above, mul(sqrt(above), sqrt(add(above, 2))))));
    },
  }),
  atanh: unaryRecord('atanh', float, {
    gradient: ({ dy, inputs: [x] }) => div(dy, leftOfSquare(x)),
    decompose: ([x]) => odd(x, (t) => mul(log1p(div(mul(t, 2), sub(1, t))), 0.5)),
  }),
  erfc: unaryRecord('erfc', float, {
    gradient: ({ dy, inputs: [x] }) => mul(mul(dy, -2 / Math.sqrt(Math.PI)), exp(neg(square(x)))),
  }),
  erfinv: unaryRecord('erfinv', float, {
    gradient: ({ dy, y }) => mul(mul(dy, Math.sqrt(Math.PI) / 2), exp(square(y))),
  }),
  lgamma: unaryRecord('lgamma', float, { gradient: ({ dy, inputs: [x] }) => mul(dy, digamma(x)) }),
  polygamma: defineRecord<PolygammaAttributes>({
    name: 'polygamma',
    cost: 'elementwise',
    inPlace: [[0, 0]],
    infer([x]) {
      requireDtype('polygamma', x, float);
      return x;
    },
    gradient: ({ dy, inputs: [x], attributes: { order } }) => mul(dy, polygamma(order + 1, x)),
    flops: ([x]) => 60 * sizeOf(x.shape),
  }),
};

/** 2^x */
export const exp2 = unaryBuilder(specialRecords.exp2);
/** Logarithm to base 2; exact for powers of two. */
export const log2 = unaryBuilder(specialRecords.log2);
/** Logarithm to base 10. */
export const log10 = unaryBuilder(specialRecords.log10);
export const asin = unaryBuilder(specialRecords.asin);
export const acos = unaryBuilder(specialRecords.acos);
export const atan = unaryBuilder(specialRecords.atan);
export const sinh = unaryBuilder(specialRecords.sinh);
export const cosh = unaryBuilder(specialRecords.cosh);
export const asinh = unaryBuilder(specialRecords.asinh);
export const acosh = unaryBuilder(specialRecords.acosh);
export const atanh = unaryBuilder(specialRecords.atanh);
/** 1 - erf(x), exact where erf is near 1. */
export const erfc = unaryBuilder(specialRecords.erfc);
/** The x of which erf is this; infinite at -1 and 1, NaN beyond. */
export const erfinv = unaryBuilder(specialRecords.erfinv);
/** ln |Gamma(x)| */
export const lgamma = unaryBuilder(specialRecords.lgamma);

/** The derivative of `digamma` of this order (0: digamma itself). Of order 1 and up NaN below -1000. */
export function polygamma(order: number, x: Value): Value {
  if (!Number.isInteger(order) || order < 0) throw new RangeError(`polygamma: the order must be an integer >= 0, not ${order}`);
  return applyOne(specialRecords.polygamma, [x], { order });
}
/** The derivative of ln Gamma. */
export const digamma = (x: Value): Value => polygamma(0, x);

/** The inverse of the sigmoid, ln(x / (1 - x)); x is first brought into [epsilon, 1 - epsilon] if an epsilon is given. */
export function logit(x: Value, epsilon?: number): Value {
  const low = epsilon === undefined ? x : where(less(x, epsilon), epsilon, x);
  const p = epsilon === undefined ? low : where(greater(low, 1 - epsilon), 1 - epsilon, low);
  return log(div(p, sub(1, p)));
}
