// Activation functions as other elementwise ops, into which they dissolve: the compiler fuses them. Derivatives at kinks are
// PyTorch's.
import type { Value } from '../graph/node.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import type { Operand } from './broadcast.js';
import { greater, greaterEqual, lessEqual } from './comparison.js';
import { sliceAxis } from './movement.js';
import { fail, normaliseAxis, showShape } from './support.js';
import { abs, expm1, sigmoid, sign, softplus, tanh } from './unary.js';
import { where } from './where.js';

/** x where it is > 0, else slope x; the slope may be a value that is learned (He et al. 2015, "PReLU"). */
export const leakyRelu = (x: Value, slope: Operand = 0.01): Value => where(greater(x, 0), x, mul(x, slope));

/** x where it is > 0, else alpha (e^x - 1) (Clevert et al. 2016). */
export const elu = (x: Value, alpha = 1): Value => where(greater(x, 0), x, mul(expm1(where(greater(x, 0), 0, x)), alpha));

/** The self-normalising scale of elu (Klambauer et al. 2017). */
export const selu = (x: Value): Value => mul(elu(x, 1.6732632423543772), 1.0507009873554805);

/** x where it is > 0, else alpha (e^(x / alpha) - 1): elu with a continuous derivative (Barron 2017). */
export const celu = (x: Value, alpha = 1): Value => where(greater(x, 0), x, mul(expm1(div(where(greater(x, 0), 0, x), alpha)), alpha));

/** low below low, high above high, x between; the derivative is 0 on the bounds. */
export const hardTanh = (x: Value, low = -1, high = 1): Value => where(lessEqual(x, low), low, where(greaterEqual(x, high), high, x));

/** min(max(x, 0), 6) */
export const relu6 = (x: Value): Value => hardTanh(x, 0, 6);

/** 0 below -3, 1 above 3, x / 6 + 1 / 2 between. */
export const hardSigmoid = (x: Value): Value => where(lessEqual(x, -3), 0, where(greaterEqual(x, 3), 1, div(add(x, 3), 6)));

/** x hardSigmoid(x) (Howard et al. 2019). */
export const hardSwish = (x: Value): Value => where(lessEqual(x, -3), 0, where(greaterEqual(x, 3), x, mul(x, div(add(x, 3), 6))));

/** x tanh(softplus(x)) (Misra 2019). */
export const mish = (x: Value): Value => mul(x, tanh(softplus(x)));

/** x / (1 + |x|) */
export const softSign = (x: Value): Value => div(x, add(abs(x), 1));

/** x - tanh(x) */
export const tanhShrink = (x: Value): Value => sub(x, tanh(x));

/** x brought `lambda` nearer to 0; 0 within. */
export const softShrink = (x: Value, lambda = 0.5): Value => where(lessEqual(abs(x), lambda), 0, sub(x, mul(sign(x), lambda)));

/** x beyond `lambda` of 0; 0 within. */
export const hardShrink = (x: Value, lambda = 0.5): Value => where(lessEqual(abs(x), lambda), 0, x);

/** ln(sigmoid(x)), without underflow. */
export const logSigmoid = (x: Value): Value => neg(softplus(neg(x)));

/** x where it is > `limit`, else `value`. */
export const threshold = (x: Value, limit: number, value: number): Value => where(lessEqual(x, limit), value, x);

/** a sigmoid(b), a and b being the halves of x along an axis (Dauphin et al. 2017). */
export function glu(x: Value, axis = -1): Value {
  const at = normaliseAxis('glu', axis, x.shape.length);
  const size = x.shape[at]!;
  if (size % 2 !== 0) fail('SHAPE_MISMATCH', 'glu', `axis ${at} of ${showShape(x.shape)} does not divide into halves`);
  return mul(sliceAxis(x, at, 0, size / 2), sigmoid(sliceAxis(x, at, size / 2, size)));
}
