import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import type { Broadcast, CanBroadcast, SameType, Shape } from './shapes.js';
import { SpecialPairs } from './specialPairs.js';
import type { Tensor } from './tensor.js';
import { operand, wrap } from './wrap.js';

type Operand = number | Tensor;

function binary(op: (a: Value, b: Value) => Value, name: string, a: Tensor, b: Operand): Tensor {
  const left = a.value;
  return wrap(op(left, operand(b, left.dtype, name)));
}

const unary = (op: (x: Value) => Value, x: Tensor): Tensor => wrap(op(x.value));

/** Elementwise methods. Operands broadcast as in NumPy; dtypes must be equal, numbers take the tensor's. */
export abstract class Arithmetic extends SpecialPairs {
  /** Sum. */
  add<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'add', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  add(this: Tensor, b: Operand): Tensor {
    return binary(ops.add, 'add', this, b);
  }
  /** Difference. */
  sub<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'sub', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  sub(this: Tensor, b: Operand): Tensor {
    return binary(ops.sub, 'sub', this, b);
  }
  /** Product of the elements; `matmul` is that of matrices. */
  mul<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'mul', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  mul(this: Tensor, b: Operand): Tensor {
    return binary(ops.mul, 'mul', this, b);
  }
  /** Quotient; integers truncate toward zero, and x / 0 is 0 for them. */
  div<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'div', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  div(this: Tensor, b: Operand): Tensor {
    return binary(ops.div, 'div', this, b);
  }
  /** This to the power of the other operand. An integer to a negative power is truncated. */
  pow<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'pow', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  pow(this: Tensor, b: Operand): Tensor {
    return binary(ops.pow, 'pow', this, b);
  }
  /** Remainder with the sign of the divisor, as in Python. */
  remainder<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'remainder', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  remainder(this: Tensor, b: Operand): Tensor {
    return binary(ops.remainder, 'remainder', this, b);
  }
  /** Larger of two; NaN wins. */
  maximum<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'maximum', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  maximum(this: Tensor, b: Operand): Tensor {
    return binary(ops.maximum, 'maximum', this, b);
  }
  /** Smaller of two; NaN wins. */
  minimum<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'minimum', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  minimum(this: Tensor, b: Operand): Tensor {
    return binary(ops.minimum, 'minimum', this, b);
  }
  /** The angle of the point (b, this), in radians from -pi to pi. float32. */
  atan2<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'atan2', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  atan2(this: Tensor, b: Operand): Tensor {
    return binary(ops.atan2, 'atan2', this, b);
  }

  /** Is each element equal to that of the other operand? Bool; NaN equals nothing. */
  equal<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'equal', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  equal(this: Tensor, b: Operand): Tensor {
    return binary(ops.equal, 'equal', this, b);
  }
  /** The opposite of `equal`: true for NaN. */
  notEqual<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'notEqual', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  notEqual(this: Tensor, b: Operand): Tensor {
    return binary(ops.notEqual, 'notEqual', this, b);
  }
  /** Is each element less than that of the other operand? Bool; comparisons with NaN are false. */
  less<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'less', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  less(this: Tensor, b: Operand): Tensor {
    return binary(ops.less, 'less', this, b);
  }
  /** Is each element at most that of the other operand? Bool; comparisons with NaN are false. */
  lessEqual<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'lessEqual', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  lessEqual(this: Tensor, b: Operand): Tensor {
    return binary(ops.lessEqual, 'lessEqual', this, b);
  }
  /** Is each element greater than that of the other operand? Bool; comparisons with NaN are false. */
  greater<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'greater', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  greater(this: Tensor, b: Operand): Tensor {
    return binary(ops.greater, 'greater', this, b);
  }
  /** Is each element at least that of the other operand? Bool; comparisons with NaN are false. */
  greaterEqual<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'greaterEqual', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, 'bool'>;
  greaterEqual(this: Tensor, b: Operand): Tensor {
    return binary(ops.greaterEqual, 'greaterEqual', this, b);
  }
  /** Both, of bool. */
  logicalAnd<S extends Shape, T extends Shape>(
    this: Tensor<S, 'bool'>,
    b: Tensor<T, 'bool'> & CanBroadcast<'logicalAnd', S, T>,
  ): Tensor<Broadcast<S, T>, 'bool'>;
  logicalAnd(this: Tensor, b: Tensor): Tensor {
    return binary(ops.logicalAnd, 'logicalAnd', this, b);
  }
  /** One or both, of bool. */
  logicalOr<S extends Shape, T extends Shape>(
    this: Tensor<S, 'bool'>,
    b: Tensor<T, 'bool'> & CanBroadcast<'logicalOr', S, T>,
  ): Tensor<Broadcast<S, T>, 'bool'>;
  logicalOr(this: Tensor, b: Tensor): Tensor {
    return binary(ops.logicalOr, 'logicalOr', this, b);
  }
  /** Exactly one, of bool. */
  logicalXor<S extends Shape, T extends Shape>(
    this: Tensor<S, 'bool'>,
    b: Tensor<T, 'bool'> & CanBroadcast<'logicalXor', S, T>,
  ): Tensor<Broadcast<S, T>, 'bool'>;
  logicalXor(this: Tensor, b: Tensor): Tensor {
    return binary(ops.logicalXor, 'logicalXor', this, b);
  }
  /** The opposite, of bool. */
  logicalNot<S extends Shape>(this: Tensor<S, 'bool'>): Tensor<S, 'bool'> {
    return unary(ops.logicalNot, this);
  }

  /** -x */
  neg<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.neg, this);
  }
  /** |x|; its gradient at 0 is 0. */
  abs<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.abs, this);
  }
  /** -1, 0 or 1; NaN stays NaN. */
  sign<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sign, this);
  }
  /** x * x */
  square<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.square, this);
  }
  /** e^x */
  exp<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.exp, this);
  }
  /** e^x - 1, exact near 0. */
  expm1<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.expm1, this);
  }
  /** Natural logarithm: -Infinity at 0, NaN below. */
  log<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.log, this);
  }
  /** log(1 + x), exact near 0. */
  log1p<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.log1p, this);
  }
  /** Square root; NaN below 0. */
  sqrt<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sqrt, this);
  }
  /** 1 / sqrt(x) */
  rsqrt<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.rsqrt, this);
  }
  /** 1 / x */
  reciprocal<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.reciprocal, this);
  }
  /** Sine of radians. */
  sin<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sin, this);
  }
  /** Cosine of radians. */
  cos<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.cos, this);
  }
  /** Tangent of radians. */
  tan<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.tan, this);
  }
  /** Hyperbolic tangent. */
  tanh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.tanh, this);
  }
  /** 1 / (1 + exp(-x)) */
  sigmoid<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sigmoid, this);
  }
  /** The error function. */
  erf<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.erf, this);
  }
  /** The greatest integer that is not above. */
  floor<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.floor, this);
  }
  /** The smallest integer that is not below. */
  ceil<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.ceil, this);
  }
  /** To the nearest integer, halves to the even one. */
  round<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.round, this);
  }
  /** max(x, 0); its gradient at 0 is 0, and NaN stays NaN. */
  relu<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.relu, this);
  }
  /** log(1 + exp(x)), without overflow. */
  softplus<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.softplus, this);
  }
  /** x * sigmoid(x) */
  silu<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.silu, this);
  }
  /** x * Phi(x), by erf. */
  gelu<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.gelu, this);
  }
  /** Which elements are NaN? Bool. */
  isNan<S extends Shape>(this: Tensor<S>): Tensor<S, 'bool'> {
    return unary(ops.isNan, this);
  }
  /** Which elements are neither NaN nor infinite? Bool. */
  isFinite<S extends Shape>(this: Tensor<S>): Tensor<S, 'bool'> {
    return unary(ops.isFinite, this);
  }
  /** Conversion. Float to integer truncates toward zero and saturates; anything to bool is x != 0. */
  cast<S extends Shape, E extends DType>(this: Tensor<S>, dtype: E): Tensor<S, E> {
    return wrap(ops.cast(this.value, dtype));
  }
}
