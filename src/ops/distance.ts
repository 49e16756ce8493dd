import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { add, div, mul, sub } from './arithmetic.js';
import { maximum } from './binary.js';
import { broadcast, sum } from './broadcast.js';
import { greater } from './comparison.js';
import { matmul } from './matmul.js';
import { expandDims } from './movement.js';
import { norm } from './reduce.js';
import { broadcastShapes, fail, float, normaliseAxis, requireDtype, showShape } from './support.js';
import { sqrt, square } from './unary.js';
import { where } from './where.js';

/** Above this many differences they are not written out; the 2-norm then comes from a matrix product. */
const WRITTEN = 1 << 20;

/** The root of squares that rounding may have made negative, with gradient 0 at 0. */
function safeRoot(squares: Value): Value {
  const positive = greater(squares, 0);
  return where(positive, sqrt(where(positive, squares, 1)), 0);
}

/**
 * Distances [..., M, N] of each row of `a` [..., M, D] to each of `b` [..., N, D], of order `p` (2 by default; 1, Infinity, any > 0).
 * Of many points the 2-norm is |a|^2 + |b|^2 - 2ab: fast, but absolutely only as exact as the squares are large, so points that
 * nearly meet lose digits; `direct` true takes differences always, false never.
 */
export function cdist(a: Value, b: Value, p = 2, direct?: boolean): Value {
  requireDtype('cdist', a, float, 'a');
  requireDtype('cdist', b, float, 'b');
  if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== b.shape.at(-1)) {
    fail('SHAPE_MISMATCH', 'cdist', `shapes ${showShape(a.shape)} and ${showShape(b.shape)} must be [..., M, D] and [..., N, D]`);
  }
  const batch = broadcastShapes('cdist', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [m, n, d] = [a.shape.at(-2)!, b.shape.at(-2)!, a.shape.at(-1)!];
  if (p !== 2 || (direct ?? sizeOf(batch) * m * n * d <= WRITTEN)) return norm(sub(expandDims(a, -2), expandDims(b, -3)), -1, false, p);
  const squares = (x: Value): Value => sum(square(x), -1, true);
  const cross = matmul(broadcast(a, [...batch, m, d]), broadcast(b, [...batch, n, d]), { transposeB: true });
  const second = squares(b);
  const across = broadcast(expandDims(sum(second, -1), -2), [...batch, m, n]);
  return safeRoot(sub(add(squares(a), across), mul(cross, 2)));
}

/** The norm of order `p` of a - b + epsilon over the last axis; the operands broadcast. */
export const pairwiseDistance = (a: Value, b: Value, p = 2, epsilon = 1e-6, keepDims = false): Value =>
  norm(add(sub(a, b), epsilon), -1, keepDims, p);

/** The cosine of the angle between vectors along an axis; a norm below epsilon counts as epsilon. The operands broadcast. */
export function cosineSimilarity(a: Value, b: Value, axis = -1, epsilon = 1e-8): Value {
  const shape = broadcastShapes('cosineSimilarity', a.shape, b.shape);
  const at = normaliseAxis('cosineSimilarity', axis, shape.length);
  const [left, right] = [broadcast(a, shape), broadcast(b, shape)];
  const length = (x: Value): Value => maximum(norm(x, at), epsilon);
  return div(sum(mul(left, right), at), mul(length(left), length(right)));
}
