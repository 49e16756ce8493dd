// Shapes and places: what is put together from slices, joins and comparisons of places. None has a record of its own.
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { add, mul, sub } from './arithmetic.js';
import { broadcast, reshape, sum } from './broadcast.js';
import { equal, greaterEqual, lessEqual } from './comparison.js';
import { cumulativeSum } from './cumulative.js';
import { gather } from './indexing.js';
import { iota, zerosLike } from './leaf.js';
import { matmul } from './matmul.js';
import { concat, expandDims, flip, pad, sliceAxis, split, squeeze, stack, swapAxes, transpose } from './movement.js';
import { searchSorted } from './search.js';
import { broadcastShapes, fail, normaliseAxis, requireRank, showShape } from './support.js';
import { where } from './where.js';

const integer = (op: string, name: string, n: number, least = -Infinity): void => {
  if (!Number.isInteger(n) || n < least)
    throw new RangeError(`${op}: ${name} ${n} must be an integer${least > -Infinity ? ` >= ${least}` : ''}`);
};

/** Moves elements along axes by whole numbers of places; what leaves at one end comes in at the other. Without axes: of all elements. */
export function roll(x: Value, shifts: number | readonly number[], axes?: number | readonly number[]): Value {
  if (axes === undefined) {
    if (typeof shifts !== 'number') throw new TypeError('roll: several shifts need as many axes');
    return reshape(roll(reshape(x, [sizeOf(x.shape)]), shifts, 0), x.shape);
  }
  const places = typeof shifts === 'number' ? [shifts] : shifts;
  const list = typeof axes === 'number' ? [axes] : axes;
  if (places.length !== list.length) throw new RangeError(`roll: ${places.length} shifts do not go with ${list.length} axes`);
  return list.reduce((y, axis, i) => {
    integer('roll', 'shift', places[i]!);
    const at = normaliseAxis('roll', axis, y.shape.length);
    const size = y.shape[at]!;
    const by = size && ((places[i]! % size) + size) % size;
    return by === 0 ? y : concat([sliceAxis(y, at, size - by, size), sliceAxis(y, at, 0, size - by)], at);
  }, x);
}

/** Column minus row of each element of the last two axes. */
function offsets(op: string, x: Value): Value {
  if (x.shape.length < 2) fail('SHAPE_MISMATCH', op, `shape ${showShape(x.shape)} has no two axes`);
  const matrix = x.shape.slice(-2);
  return broadcast(sub(iota(matrix, 1), iota(matrix, 0)), x.shape);
}

/** The elements on and below the diagonal number `diagonal` of the last two axes; 0 above. */
export const tril = (x: Value, diagonal = 0): Value => where(lessEqual(offsets('tril', x), diagonal), x, zerosLike(x));
/** The elements on and above the diagonal number `diagonal` of the last two axes; 0 below. */
export const triu = (x: Value, diagonal = 0): Value => where(greaterEqual(offsets('triu', x), diagonal), x, zerosLike(x));

/** Element i, i of two axes, shifted by `offset` columns, as a new last axis. */
export function diagonal(x: Value, offset = 0, first = 0, second = 1): Value {
  integer('diagonal', 'offset', offset);
  const rank = x.shape.length;
  const [a, b] = [normaliseAxis('diagonal', first, rank), normaliseAxis('diagonal', second, rank)];
  if (a === b) throw new RangeError(`diagonal: axes ${first} and ${second} are the same`);
  const rest = x.shape.flatMap((_, i) => (i === a || i === b ? [] : [i]));
  const moved = transpose(x, [...rest, a, b]);
  const [rows, columns] = [x.shape[a]!, x.shape[b]!];
  const length = Math.max(0, offset < 0 ? Math.min(rows + offset, columns) : Math.min(rows, columns - offset));
  const flat = reshape(moved, [...moved.shape.slice(0, -2), rows * columns]);
  const start = offset < 0 ? -offset * columns : offset;
  return length === 0 ? sliceAxis(flat, -1, 0, 0) : sliceAxis(flat, -1, start, start + (length - 1) * (columns + 1) + 1, columns + 1);
}

/** Square matrices with the last axis of `x` on the diagonal number `offset`, 0 elsewhere. */
export function diagonalEmbed(x: Value, offset = 0): Value {
  integer('diagonalEmbed', 'offset', offset);
  if (x.shape.length === 0) fail('SHAPE_MISMATCH', 'diagonalEmbed', 'a scalar has no axis to lay on a diagonal');
  const leading = x.shape.slice(0, -1).map(() => 0);
  // One element for each row of the matrix: the rows that the diagonal misses get a 0.
  const rows = pad(x, [...leading, Math.max(0, -offset)], [...leading, Math.max(0, offset)]);
  const spread = broadcast(expandDims(rows, -1), [...rows.shape, rows.shape.at(-1)!]);
  return where(equal(offsets('diagonalEmbed', spread), offset), spread, zerosLike(spread));
}

/** A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector. */
export function diag(x: Value, offset = 0): Value {
  if (x.shape.length === 1) return diagonalEmbed(x, offset);
  requireRank('diag', x, 2, 'x', 'a vector or a matrix; diagonal() and diagonalEmbed() take more axes');
  return diagonal(x, offset);
}

/** The sum of the diagonal of a matrix. */
export function trace(x: Value): Value {
  requireRank('trace', x, 2, 'x', 'a matrix');
  return sum(diagonal(x));
}

/** Each element `count` times in a row along an axis. With counts as data, one for each element, their sum must be given. */
export function repeatInterleave(x: Value, count: number | Value, axis = 0, total?: number): Value {
  const at = normaliseAxis('repeatInterleave', axis, x.shape.length);
  if (typeof count === 'number') {
    integer('repeatInterleave', 'count', count, 0);
    const apart = expandDims(x, at + 1);
    return reshape(broadcast(apart, apart.shape.with(at + 1, count)), x.shape.with(at, x.shape[at]! * count));
  }
  if (total === undefined) throw new TypeError('repeatInterleave: counts that are data need their sum as `total`');
  requireRank('repeatInterleave', count, 1, 'the count', 'one for each element of the axis');
  return gather(x, searchSorted(cumulativeSum(count, 0), iota([total], 0, count.dtype), true), at);
}

/** Turns the plane of two axes by `times` quarter turns, from the first axis towards the second. */
export function rot90(x: Value, times = 1, axes: readonly [number, number] = [0, 1]): Value {
  integer('rot90', 'times', times);
  const [a, b] = axes.map((axis) => normaliseAxis('rot90', axis, x.shape.length)) as [number, number];
  if (a === b) throw new RangeError(`rot90: axes ${showShape(axes)} name one axis twice`);
  const turns = ((times % 4) + 4) % 4;
  if (turns === 0) return x;
  if (turns === 2) return flip(x, [a, b]);
  return turns === 1 ? flip(swapAxes(x, a, b), a) : flip(swapAxes(x, a, b), b);
}

/** Vectors as the coordinates of a grid, one array for each. `xy` exchanges the first two axes, as NumPy does by default. */
export function meshgrid(vectors: readonly Value[], indexing: 'ij' | 'xy' = 'ij'): Value[] {
  if (indexing !== 'ij' && indexing !== 'xy') throw new RangeError(`meshgrid: indexing must be "ij" or "xy", not "${String(indexing)}"`);
  for (const vector of vectors) requireRank('meshgrid', vector, 1, 'a coordinate', 'a vector');
  const shape = vectors.map((vector) => vector.shape[0]!);
  return vectors.map((vector, i) => {
    const grid = broadcast(
      reshape(
        vector,
        shape.map((size, j) => (i === j ? size : 1)),
      ),
      shape,
    );
    return indexing === 'xy' && shape.length > 1 ? swapAxes(grid, 0, 1) : grid;
  });
}

/** The parts of an axis, which goes. */
export function unbind(x: Value, axis = 0): Value[] {
  const at = normaliseAxis('unbind', axis, x.shape.length);
  return split(x, new Array<number>(x.shape[at]!).fill(1), at).map((part) => squeeze(part, at));
}

/** At most `count` parts of equal size along an axis, the last perhaps smaller. */
export function chunk(x: Value, count: number, axis = 0): Value[] {
  integer('chunk', 'count', count, 1);
  const at = normaliseAxis('chunk', axis, x.shape.length);
  const size = x.shape[at]!;
  const part = Math.max(1, Math.ceil(size / count));
  return split(
    x,
    Array.from({ length: Math.max(1, Math.ceil(size / part)) }, (_, i) => Math.min(part, size - i * part)),
    at,
  );
}

/** Moves axes to other places; the rest keep their order. */
export function moveAxis(x: Value, from: number | readonly number[], to: number | readonly number[]): Value {
  const rank = x.shape.length;
  const [source, target] = [from, to].map((axes) =>
    (typeof axes === 'number' ? [axes] : axes).map((axis) => normaliseAxis('moveAxis', axis, rank)),
  );
  if (source!.length !== target!.length || new Set(source).size < source!.length || new Set(target).size < target!.length) {
    throw new RangeError(`moveAxis: ${showShape(source!)} to ${showShape(target!)} pairs no axes`);
  }
  const rest = x.shape.flatMap((_, i) => (source!.includes(i) ? [] : [i]));
  return transpose(
    x,
    x.shape.map((_, i) => (target!.includes(i) ? source![target!.indexOf(i)]! : rest.shift()!)),
  );
}

/** The product of each element of one vector with each of another. */
export function outer(a: Value, b: Value): Value {
  requireRank('outer', a, 1, 'a', 'a vector');
  requireRank('outer', b, 1, 'b', 'a vector');
  return mul(expandDims(a, 1), expandDims(b, 0));
}

/** The sum of the products of two vectors. */
export function dot(a: Value, b: Value): Value {
  requireRank('dot', a, 1, 'a', 'a vector');
  requireRank('dot', b, 1, 'b', 'a vector');
  if (a.shape[0] !== b.shape[0]) fail('SHAPE_MISMATCH', 'dot', `vectors of ${a.shape[0]} and ${b.shape[0]} elements`);
  return a.dtype === 'float32' ? matmul(a, b) : sum(mul(a, b));
}

/** The Kronecker product: each element of `a` times all of `b`, in blocks. */
export function kron(a: Value, b: Value): Value {
  const rank = Math.max(a.shape.length, b.shape.length);
  const [left, right] = [a, b].map(({ shape }) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  const blocks = mul(
    reshape(
      a,
      left!.flatMap((size) => [size, 1]),
    ),
    reshape(
      b,
      right!.flatMap((size) => [1, size]),
    ),
  );
  return reshape(
    blocks,
    left!.map((size, i) => size * right![i]!),
  );
}

/** The vector product along an axis of size 3. */
export function cross(a: Value, b: Value, axis = -1): Value {
  const shape = broadcastShapes('cross', a.shape, b.shape);
  const at = normaliseAxis('cross', axis, shape.length);
  if (shape[at] !== 3) fail('SHAPE_MISMATCH', 'cross', `axis ${at} of shape ${showShape(shape)} must have size 3`);
  const [x, y] = [unbind(broadcast(a, shape), at), unbind(broadcast(b, shape), at)];
  const minor = (i: number, j: number): Value => sub(mul(x[i]!, y[j]!), mul(x[j]!, y[i]!));
  return stack([minor(1, 2), minor(2, 0), minor(0, 1)], at);
}

/** `count` numbers from start to stop, both included. The two halves are reckoned from their own end, which is so exact. */
export function linspace(start: number, stop: number, count: number): Value {
  integer('linspace', 'count', count, 0);
  const place = iota([count], 0, 'float32');
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const rising = add(mul(place, step), start);
  const falling = sub(stop, mul(sub(count - 1, place), step));
  return count < 2 ? rising : where(lessEqual(place, (count - 1) / 2), rising, falling);
}
