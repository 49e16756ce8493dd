import type { Value } from '../graph/node.js';
import { add, binaryBuilder, binaryRecord, div, mul, neg, sub } from './arithmetic.js';
import type { Operand } from './broadcast.js';
import { equal, greater, less } from './comparison.js';
import { zerosLike } from './leaf.js';
import { arithmetic, float } from './support.js';
import { floor, log, reciprocal, sqrt, square } from './unary.js';
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
  const rest = remainder(a, b);
  // The floored remainder has the divisor's sign; one divisor less brings it to the dividend's.
  return where(equal(rest, 0), rest, where(less(mul(rest, a), 0), sub(rest, b), rest));
}
/** The angle of the point (b, a), in radians from -pi to pi. */
export const atan2 = binaryBuilder(binaryRecords.atan2);

/** Brings `x` into [low, high]; a bound that is left out does not bind. Elements on a bound keep their gradient, as in PyTorch. */
export function clamp(x: Value, low?: Operand, high?: Operand): Value {
  if (low === undefined && high === undefined) throw new TypeError('clamp: give low, high or both');
  const raised = low === undefined ? x : where(less(x, low), low, x);
  return high === undefined ? raised : where(greater(raised, high), high, raised);
}
