import type { Value } from '../graph/node.js';
import { add, binaryBuilder, binaryRecord, div, mul, neg, sub } from './arithmetic.js';
import { broadcastPair } from './broadcast.js';
import type { Operand } from './broadcast.js';
import { equal, greater, less, lessEqual, notEqual } from './comparison.js';
import { zerosLike } from './leaf.js';
import { logicalAnd, logicalNot, logicalOr } from './logic.js';
import { arithmetic, float } from './support.js';
import { abs, floor, isNan, log, reciprocal, sqrt, square } from './unary.js';
import { where } from './where.js';

/** The share of `dy` that goes to the operand for which `wins` holds; equals get half each. */
const share = (dy: Value, wins: Value, ties: Value): Value => where(ties, mul(dy, 0.5), where(wins, dy, zerosLike(dy)));

export const binaryRecords = {
  pow: binaryRecord('pow', arithmetic, {
    gradient: ({ dy, inputs: [a, b], y }) => [
      // Where the exponent is 0 the power is constant, though b a^(b - 1) may be 0 times infinity there.
      () => where(equal(b, 0), zerosLike(dy), mul(dy, mul(b, pow(a, sub(b, 1))))),
      () => where(equal(a, 0), zerosLike(dy), mul(dy, mul(y, log(where(equal(a, 0), 1, a))))),
    ],
  }),
  maximum: binaryRecord('maximum', arithmetic, {
    gradient: ({ dy, inputs: [a, b] }) => [() => share(dy, greater(a, b), equal(a, b)), () => share(dy, less(a, b), equal(a, b))],
  }),
  minimum: binaryRecord('minimum', arithmetic, {
    gradient: ({ dy, inputs: [a, b] }) => [() => share(dy, less(a, b), equal(a, b)), () => share(dy, greater(a, b), equal(a, b))],
  }),
  remainder: binaryRecord('remainder', arithmetic, {
    gradient: ({ dy, inputs: [a, b] }) => [dy, () => neg(mul(dy, floor(div(a, b))))],
  }),
  atan2: binaryRecord('atan2', float, {
    gradient: ({ dy, inputs: [a, b] }) => {
      const scaled = div(dy, add(square(a), square(b)));
      return [() => mul(scaled, b), () => neg(mul(scaled, a))];
    },
  }),
  xlogy: binaryRecord('xlogy', float, {
    gradient: ({ dy, inputs: [a, b] }) => [
      () => where(logicalAnd(equal(a, 0), lessEqual(b, 0)), zerosLike(dy), xlogy(dy, b)),
      () => div(mul(dy, a), b),
    ],
    decompose: ([a, b]) => {
      const zero = logicalAnd(equal(a, 0), logicalNot(isNan(b)));
      return where(zero, 0, mul(a, log(where(zero, 1, b))));
    },
  }),
  hypot: binaryRecord('hypot', float, {
    gradient: ({ dy, inputs: [a, b], y }) => [() => mul(dy, div(a, y)), () => mul(dy, div(b, y))],
    decompose: ([a, b]) => {
      const high = maximum(abs(a), abs(b));
      const low = minimum(abs(a), abs(b));
      // 0 / 0 and infinity / infinity are no ratios.
      const plain = notEqual(low, high);
      const longer = mul(high, sqrt(add(square(div(where(plain, low, 0), where(plain, high, 1))), 1)));
      return where(logicalOr(equal(abs(a), Infinity), equal(abs(b), Infinity)), Infinity, where(plain, longer, mul(high, Math.SQRT2)));
    },
  }),
};

const power = binaryBuilder(binaryRecords.pow);

/** a^b. The exponents -1, 0.5, 1 and 2 become the ops that compute them exactly. */
export function pow(a: Operand, b: Operand): Value {
  if (typeof a !== 'number' && a.dtype === 'float32') {
    if (b === 1) return a;
    if (b === 2) return square(a);
    if (b === 0.5) return sqrt(a);
    if (b === -1) return reciprocal(a);
  }
  return power(a, b);
}

/** The greater of two; NaN wins. Where they are equal each gets half of the gradient, as in PyTorch. */
export const maximum = binaryBuilder(binaryRecords.maximum);
/** The smaller of two; NaN wins. Where they are equal each gets half of the gradient, as in PyTorch. */
export const minimum = binaryBuilder(binaryRecords.minimum);
/** a - b floor(a / b): the sign is that of `b`, as in Python. An integer divided by zero leaves 0. */
export const remainder = binaryBuilder(binaryRecords.remainder);
/** a - b trunc(a / b): the sign is that of `a`, as `%` in JavaScript and C. */
export function mod(a: Operand, b: Operand): Value {
  const [dividend, divisor] = broadcastPair('mod', a, b);
  // Of positive numbers the floored remainder and this one are the same, and both are exact.
  const size = abs(divisor);
  return where(less(dividend, 0), neg(remainder(neg(dividend), size)), remainder(dividend, size));
}
/** a ln(b), and 0 where a is 0, even if ln(b) is infinite. */
export const xlogy = binaryBuilder(binaryRecords.xlogy);
/** sqrt(a^2 + b^2), without overflow. */
export const hypot = binaryBuilder(binaryRecords.hypot);
/** The angle of the point (b, a), in radians from -pi to pi. */
export const atan2 = binaryBuilder(binaryRecords.atan2);

/** Brings `x` into [low, high]; a bound that is left out does not bind. Elements on a bound keep their gradient, as in PyTorch. */
export function clamp(x: Value, low?: Operand, high?: Operand): Value {
  if (low === undefined && high === undefined) throw new TypeError('clamp: give low, high or both');
  const raised = low === undefined ? x : where(less(x, low), low, x);
  return high === undefined ? raised : where(greater(raised, high), high, raised);
}
