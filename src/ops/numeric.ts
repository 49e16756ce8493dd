// Elementwise functions made of others.
import { checkOptions } from '../errors.js';
import type { Value } from '../graph/node.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import { maximum, mod, remainder } from './binary.js';
import { broadcastPair } from './broadcast.js';
import type { Operand } from './broadcast.js';
import { cast } from './cast.js';
import { equal, greater, less, lessEqual } from './comparison.js';
import { logicalAnd, logicalOr } from './logic.js';
import { all } from './reduce.js';
import { float, requireDtype } from './support.js';
import { abs, ceil, exp, floor, isFinite, isNan, log1p, reciprocal, round, sin } from './unary.js';
import { where } from './where.js';

/** Toward zero, to an integer. */
export const trunc = (x: Value): Value => where(less(x, 0), ceil(x), floor(x));
/** What `trunc` leaves; it has the sign of x. */
export const frac = (x: Value): Value => sub(x, trunc(x));
/** a - b trunc(a / b), with the sign of `a`: the `%` of JavaScript and C, exact. */
export const fmod = mod;

/** Whether x is infinite. */
export const isInf = (x: Value): Value => equal(abs(x), Infinity);

/** ln(e^a + e^b), without overflow. */
export function logAddExp(a: Operand, b: Operand): Value {
  const [left, right] = broadcastPair('logAddExp', a, b);
  // Equal infinities have no difference.
  const same = equal(left, right);
  return add(maximum(left, right), log1p(exp(neg(abs(where(same, 0, sub(left, right)))))));
}

/** a + weight (b - a), exact at both ends. */
export function lerp(a: Value, b: Operand, weight: Operand): Value {
  const [left, right] = broadcastPair('lerp', a, b);
  const way = sub(right, left);
  const fromLeft = add(left, mul(way, weight));
  const fromRight = sub(right, mul(way, typeof weight === 'number' ? 1 - weight : sub(1, weight)));
  if (typeof weight === 'number') return weight < 0.5 ? fromLeft : fromRight;
  return where(less(weight, 0.5), fromLeft, fromRight);
}

/** Whether x is negative, -0 included. */
const signBit = (x: Value): Value => logicalOr(less(x, 0), logicalAnd(equal(x, 0), less(reciprocal(x), 0)));

/** |magnitude| with the sign of `sign`, that of -0 included. */
export function copysign(magnitude: Operand, sign: Operand): Value {
  const [a, b] = broadcastPair('copysign', magnitude, sign);
  requireDtype('copysign', a, float);
  return where(signBit(b), neg(abs(a)), abs(a));
}

/** 0 below 0, 1 above, and `atZero` where x is 0. */
export const heaviside = (x: Value, atZero: Operand): Value => where(equal(x, 0), atZero, cast(greater(x, 0), x.dtype));

/** What stands in for numbers that are none. */
export interface NanToNumOptions {
  /** For NaN. Default 0. */
  nan?: number;
  /** For infinity. Default the largest float32. */
  positive?: number;
  /** For -infinity. Default the lowest float32. */
  negative?: number;
}

const LARGEST = 2 ** 128 * (1 - 2 ** -24);

/** x with NaN and infinities replaced. */
export function nanToNum(x: Value, options: NanToNumOptions = {}): Value {
  checkOptions('nanToNum', options, ['nan', 'positive', 'negative']);
  const { nan = 0, positive = LARGEST, negative = -LARGEST } = options;
  return where(isNan(x), nan, where(equal(x, Infinity), positive, where(equal(x, -Infinity), negative, x)));
}

/** How near is close. */
export interface CloseOptions {
  /** Allowed difference as a share of |b|. Default 1e-5. */
  relative?: number;
  /** Allowed difference beside. Default 1e-8. */
  absolute?: number;
  /** Whether NaN is close to NaN. Default false. */
  equalNan?: boolean;
}

/** Whether |a - b| <= absolute + relative |b|; equal infinities are close. */
export function isClose(a: Operand, b: Operand, options: CloseOptions = {}): Value {
  checkOptions('isClose', options, ['relative', 'absolute', 'equalNan']);
  const { relative = 1e-5, absolute = 1e-8, equalNan = false } = options;
  const [left, right] = broadcastPair('isClose', a, b);
  const distance = abs(sub(left, right));
  const near = logicalAnd(isFinite(distance), lessEqual(distance, add(mul(abs(right), relative), absolute)));
  const close = logicalOr(near, equal(left, right));
  return equalNan ? logicalOr(close, logicalAnd(isNan(left), isNan(right))) : close;
}

/** Whether all elements are close. */
export const allClose = (a: Operand, b: Operand, options?: CloseOptions): Value => all(isClose(a, b, options));

/** sin(pi x), exact at integers. */
function sinPi(x: Value): Value {
  const near = round(x);
  const sine = sin(mul(sub(x, near), Math.PI));
  return where(equal(remainder(near, 2), 0), sine, neg(sine));
}

/** sin(pi x) / (pi x), 1 at 0. */
export function sinc(x: Value): Value {
  const zero = equal(x, 0);
  const safe = where(zero, 1, x);
  return where(zero, 1, div(sinPi(safe), mul(safe, Math.PI)));
}

/** Degrees as radians. */
export const deg2rad = (x: Value): Value => mul(x, Math.PI / 180);
/** Radians as degrees. */
export const rad2deg = (x: Value): Value => mul(x, 180 / Math.PI);
