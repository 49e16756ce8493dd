import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import type { Op } from '../graph/op.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import { greater, less } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import type { Definition } from './define.js';
import { zerosLike } from './leaf.js';
import { arithmetic, float, requireDtype } from './support.js';
import { where } from './where.js';

type NoAttributes = Record<never, never>;

/** The record of an elementwise op of one operand; `result` is the dtype it yields, if another. */
export function unaryRecord(
  name: string,
  allowed: readonly DType[],
  rule: Pick<Definition<NoAttributes>, 'gradient' | 'stops' | 'decompose'>,
  result?: DType,
): Op<NoAttributes> {
  return defineRecord({
    name,
    cost: 'elementwise',
    inPlace: result ? [] : [[0, 0]],
    infer([x]) {
      requireDtype(name, x, allowed);
      return result ? { shape: x.shape, dtype: result } : x;
    },
    ...rule,
  });
}

const geluTanhInner = (x: Value): Value => mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));

export const unaryRecords = {
  abs: unaryRecord('abs', arithmetic, { gradient: ({ dy, inputs: [x] }) => mul(dy, sign(x)) }),
  sign: unaryRecord('sign', arithmetic, { stops: true }),
  exp: unaryRecord('exp', float, { gradient: ({ dy, y }) => mul(dy, y) }),
  expm1: unaryRecord('expm1', float, { gradient: ({ dy, inputs: [x] }) => mul(dy, exp(x)) }),
  log: unaryRecord('log', float, { gradient: ({ dy, inputs: [x] }) => div(dy, x) }),
  log1p: unaryRecord('log1p', float, { gradient: ({ dy, inputs: [x] }) => div(dy, add(x, 1)) }),
  sqrt: unaryRecord('sqrt', float, { gradient: ({ dy, y }) => div(mul(dy, 0.5), y) }),
  rsqrt: unaryRecord('rsqrt', float, {
    gradient: ({ dy, y }) => mul(mul(dy, -0.5), mul(y, square(y))),
    decompose: ([x]) => reciprocal(sqrt(x)),
  }),
  square: unaryRecord('square', arithmetic, { gradient: ({ dy, inputs: [x] }) => mul(mul(dy, 2), x), decompose: ([x]) => mul(x, x) }),
  reciprocal: unaryRecord('reciprocal', float, { gradient: ({ dy, y }) => neg(mul(dy, square(y))), decompose: ([x]) => div(1, x) }),
  sin: unaryRecord('sin', float, { gradient: ({ dy, inputs: [x] }) => mul(dy, cos(x)) }),
  cos: unaryRecord('cos', float, { gradient: ({ dy, inputs: [x] }) => neg(mul(dy, sin(x))) }),
  tan: unaryRecord('tan', float, { gradient: ({ dy, y }) => mul(dy, add(square(y), 1)) }),
  tanh: unaryRecord('tanh', float, { gradient: ({ dy, y }) => mul(dy, sub(1, square(y))) }),
  sigmoid: unaryRecord('sigmoid', float, {
    gradient: ({ dy, y }) => mul(dy, mul(y, sub(1, y))),
    decompose: ([x]) => reciprocal(add(exp(neg(x)), 1)),
  }),
  erf: unaryRecord('erf', float, { gradient: ({ dy, inputs: [x] }) => mul(mul(dy, 2 / Math.sqrt(Math.PI)), exp(neg(square(x)))) }),
  floor: unaryRecord('floor', float, { stops: true }),
  ceil: unaryRecord('ceil', float, { stops: true }),
  round: unaryRecord('round', float, { stops: true }),
  // The output tells the sign of the input, so the input need not be kept for the backward pass.
  relu: unaryRecord('relu', arithmetic, {
    gradient: ({ dy, y }) => where(greater(y, 0), dy, zerosLike(dy)),
    decompose: ([x]) => where(less(x, 0), zerosLike(x), x),
  }),
  softplus: unaryRecord('softplus', float, {
    gradient: ({ dy, inputs: [x] }) => mul(dy, sigmoid(x)),
    decompose: ([x]) => add(relu(x), log1p(exp(neg(abs(x))))),
  }),
  silu: unaryRecord('silu', float, { decompose: ([x]) => mul(x, sigmoid(x)) }),
  gelu: unaryRecord('gelu', float, { decompose: ([x]) => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)) }),
  geluTanh: unaryRecord('geluTanh', float, { decompose: ([x]) => mul(mul(x, 0.5), add(tanh(geluTanhInner(x)), 1)) }),
  isNan: unaryRecord('isNan', float, { stops: true }, 'bool'),
  isFinite: unaryRecord('isFinite', float, { stops: true }, 'bool'),
};

/** The builder of such a record. */
export const unaryBuilder =
  (record: Op<NoAttributes>) =>
  (x: Value): Value =>
    applyOne(record, [x], {});

export const abs = unaryBuilder(unaryRecords.abs);
/** -1, 0 or 1; NaN stays NaN. */
export const sign = unaryBuilder(unaryRecords.sign);
export const exp = unaryBuilder(unaryRecords.exp);
/** e^x - 1, exact near 0. */
export const expm1 = unaryBuilder(unaryRecords.expm1);
export const log = unaryBuilder(unaryRecords.log);
/** ln(1 + x), exact near 0. */
export const log1p = unaryBuilder(unaryRecords.log1p);
export const sqrt = unaryBuilder(unaryRecords.sqrt);
/** 1 / sqrt(x) */
export const rsqrt = unaryBuilder(unaryRecords.rsqrt);
export const square = unaryBuilder(unaryRecords.square);
/** 1 / x */
export const reciprocal = unaryBuilder(unaryRecords.reciprocal);
export const sin = unaryBuilder(unaryRecords.sin);
export const cos = unaryBuilder(unaryRecords.cos);
export const tan = unaryBuilder(unaryRecords.tan);
export const tanh = unaryBuilder(unaryRecords.tanh);
/** 1 / (1 + e^-x) */
export const sigmoid = unaryBuilder(unaryRecords.sigmoid);
/** The Gauss error function. */
export const erf = unaryBuilder(unaryRecords.erf);
export const floor = unaryBuilder(unaryRecords.floor);
export const ceil = unaryBuilder(unaryRecords.ceil);
/** To the nearest integer; halves go to the even one. */
export const round = unaryBuilder(unaryRecords.round);
/** max(x, 0), with derivative 0 at 0; NaN stays NaN. */
export const relu = unaryBuilder(unaryRecords.relu);
/** ln(1 + e^x) */
export const softplus = unaryBuilder(unaryRecords.softplus);
/** x sigmoid(x) (Hendrycks and Gimpel 2016; Ramachandran et al. 2017, "swish") */
export const silu = unaryBuilder(unaryRecords.silu);
/** x Phi(x), by the error function (Hendrycks and Gimpel 2016) */
export const gelu = unaryBuilder(unaryRecords.gelu);
/** The tanh approximation of gelu (Hendrycks and Gimpel 2016) */
export const geluTanh = unaryBuilder(unaryRecords.geluTanh);
export const isNan = unaryBuilder(unaryRecords.isNan);
export const isFinite = unaryBuilder(unaryRecords.isFinite);
