import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import { TensorBase } from './base.js';
import type { Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { wrap } from './wrap.js';

const unary = (op: (x: Value) => Value, x: Tensor): Tensor => wrap(op(x.value));

/** Elementwise functions of one tensor that are called less often. */
export abstract class SpecialFunctions extends TensorBase {
  /** 2^x */
  exp2<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.exp2, this);
  }
  /** Logarithm to base 2; exact for powers of two. */
  log2<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.log2, this);
  }
  /** Logarithm to base 10. */
  log10<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.log10, this);
  }
  /** Inverse sine, in radians; NaN outside [-1, 1]. */
  asin<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.asin, this);
  }
  /** Inverse cosine, in radians; NaN outside [-1, 1]. */
  acos<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.acos, this);
  }
  /** Inverse tangent, in radians. */
  atan<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.atan, this);
  }
  /** Hyperbolic sine. */
  sinh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sinh, this);
  }
  /** Hyperbolic cosine. */
  cosh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.cosh, this);
  }
  /** Inverse hyperbolic sine. */
  asinh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.asinh, this);
  }
  /** Inverse hyperbolic cosine; NaN below 1. */
  acosh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.acosh, this);
  }
  /** Inverse hyperbolic tangent; NaN outside [-1, 1]. */
  atanh<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.atanh, this);
  }
  /** 1 - erf(x), without cancellation. */
  erfc<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.erfc, this);
  }
  /** The x of which erf is this; infinite at -1 and 1, NaN beyond. */
  erfinv<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.erfinv, this);
  }
  /** ln |Gamma(x)| */
  lgamma<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.lgamma, this);
  }
  /** The derivative of `lgamma`. */
  digamma<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.digamma, this);
  }
  /** Toward zero, to an integer. */
  trunc<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.trunc, this);
  }
  /** x - trunc(x), with the sign of x. */
  frac<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.frac, this);
  }
  /** sin(pi x) / (pi x), 1 at 0. */
  sinc<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.sinc, this);
  }
  /** Degrees as radians. */
  deg2rad<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.deg2rad, this);
  }
  /** Radians as degrees. */
  rad2deg<S extends Shape, D extends DType>(this: Tensor<S, D>): Tensor<S, D> {
    return unary(ops.rad2deg, this);
  }
  /** The derivative of `digamma` of this order; NaN below -1000 from the first on. */
  polygamma<S extends Shape, D extends DType>(this: Tensor<S, D>, order: number): Tensor<S, D> {
    return wrap(ops.polygamma(order, this.value));
  }
  /** ln(x / (1 - x)), the inverse of the sigmoid; x is first brought into [epsilon, 1 - epsilon] if an epsilon is given. */
  logit<S extends Shape, D extends DType>(this: Tensor<S, D>, epsilon?: number): Tensor<S, D> {
    return wrap(ops.logit(this.value, epsilon));
  }
  /** NaN and infinities replaced: by 0 and the largest and lowest floats, if not said otherwise. */
  nanToNum<S extends Shape, D extends DType>(this: Tensor<S, D>, options?: ops.NanToNumOptions): Tensor<S, D> {
    return wrap(ops.nanToNum(this.value, options));
  }
  /** Whether each element is infinite. */
  isInf<S extends Shape>(this: Tensor<S>): Tensor<S, 'bool'> {
    return unary(ops.isInf, this);
  }
}
