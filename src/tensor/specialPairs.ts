import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import type { Broadcast, CanBroadcast, SameType, Shape } from './shapes.js';
import { SpecialFunctions } from './specialFunctions.js';
import type { Tensor } from './tensor.js';
import { operand, wrap } from './wrap.js';

type Operand = number | Tensor;

function binary(op: (a: Value, b: Value) => Value, name: string, a: Tensor, b: Operand): Tensor {
  const left = a.value;
  return wrap(op(left, operand(b, left.dtype, name)));
}

/** Elementwise functions of two tensors that are called less often. Operands broadcast; numbers take the tensor's dtype. */
export abstract class SpecialPairs extends SpecialFunctions {
  /** Remainder with the sign of this tensor, as `%` in JavaScript and C. */
  fmod<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'fmod', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  fmod(this: Tensor, b: Operand): Tensor {
    return binary(ops.fmod, 'fmod', this, b);
  }
  /** sqrt(a^2 + b^2), without overflow. */
  hypot<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'hypot', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  hypot(this: Tensor, b: Operand): Tensor {
    return binary(ops.hypot, 'hypot', this, b);
  }
  /** ln(e^a + e^b), without overflow. */
  logAddExp<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'logAddExp', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  logAddExp(this: Tensor, b: Operand): Tensor {
    return binary(ops.logAddExp, 'logAddExp', this, b);
  }
  /** a ln(b), and 0 where a is 0. */
  xlogy<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'xlogy', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  xlogy(this: Tensor, b: Operand): Tensor {
    return binary(ops.xlogy, 'xlogy', this, b);
  }
  /** The magnitude of this tensor with the sign of the other, that of -0 included. */
  copysign<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'copysign', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  copysign(this: Tensor, b: Operand): Tensor {
    return binary(ops.copysign, 'copysign', this, b);
  }
  /** 0 below 0, 1 above, and the other where this is 0. */
  heaviside<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'heaviside', S, T> & SameType<D, E>),
  ): Tensor<Broadcast<S, T>, D & E>;
  heaviside(this: Tensor, b: Operand): Tensor {
    return binary(ops.heaviside, 'heaviside', this, b);
  }
  /** this + weight (b - this), exact at both ends. */
  lerp<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'lerp', S, T> & SameType<D, E>),
    weight: number | Tensor<Shape, D>,
  ): Tensor<Broadcast<S, T>, D & E>;
  lerp(this: Tensor, b: Operand, weight: Operand): Tensor {
    const dtype = this.dtype as DType;
    return wrap(ops.lerp(this.value, operand(b, dtype, 'lerp'), typeof weight === 'number' ? weight : operand(weight, dtype, 'lerp')));
  }
  /** Whether |a - b| <= absolute + relative |b|, for each element. */
  isClose<S extends Shape, D extends DType, T extends Shape = readonly [], E extends DType = D>(
    this: Tensor<S, D>,
    b: number | (Tensor<T, E> & CanBroadcast<'isClose', S, T> & SameType<D, E>),
    options?: ops.CloseOptions,
  ): Tensor<Broadcast<S, T>, 'bool'>;
  isClose(this: Tensor, b: Operand, options?: ops.CloseOptions): Tensor {
    return binary((x, y) => ops.isClose(x, y, options), 'isClose', this, b);
  }
  /** Whether all elements are close: `await a.allClose(b).toArray()`. */
  allClose(this: Tensor, b: Operand, options?: ops.CloseOptions): Tensor<readonly [], 'bool'> {
    return binary((x, y) => ops.allClose(x, y, options), 'allClose', this, b);
  }
  /** Values cut to [low, high], numbers or tensors; a bound left undefined does not bind. On a bound the gradient flows. */
  clamp<S extends Shape, D extends DType>(
    this: Tensor<S, D>,
    low?: number | Tensor<Shape, D>,
    high?: number | Tensor<Shape, D>,
  ): Tensor<S, D>;
  clamp(this: Tensor, low?: Operand, high?: Operand): Tensor {
    if (typeof low === 'number' && typeof high === 'number' && low > high) throw new RangeError(`clamp: low ${low} is above high ${high}.`);
    const bound = (x: Operand | undefined) => (x === undefined ? undefined : operand(x, this.dtype as DType, 'clamp'));
    return wrap(ops.clamp(this.value, bound(low), bound(high)));
  }
}
