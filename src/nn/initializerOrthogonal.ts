import { philox } from '../data/philox.js';
import { PolluxError } from '../errors.js';
import { type DrawSource, type Initializer, leafTensor, wrap } from '../tensor/index.js';

/** Normal numbers of a random source in float64, on the host: the counters of docs/internals.md, section 3. */
function hostNormal(count: number, { state, stream }: DrawSource): Float64Array {
  const words = wrap(state).storage()?.host as BigInt64Array | undefined;
  if (!words) throw new PolluxError('INVALID_ARGUMENT', 'orthogonal: draws on the host, and so not inside of a compiled function.');
  const half = (word: bigint, shift: bigint): number => Number(BigInt.asIntN(32, word >> shift));
  const [seed, step] = [words[0]!, words[1]!];
  const key = half(seed, 0n) ^ Math.imul(half(seed, 32n), 0x9e3779b9);
  const out = new Float64Array(Math.ceil(count / 4) * 4);
  const four = new Uint32Array(4);
  const uniform = (i: number): number => (four[i]! >>> 8) * 2 ** -24;
  for (let at = 0; at < out.length; at += 4) {
    philox(four, 0, at / 4, 0, half(step, 0n), half(step, 32n), key, stream | 0);
    for (let i = 0; i < 4; i += 2) {
      const radius = Math.sqrt(-2 * Math.log1p(-uniform(i)));
      const angle = 2 * Math.PI * uniform(i + 1);
      out[at + i] = radius * Math.cos(angle);
      out[at + i + 1] = radius * Math.sin(angle);
    }
  }
  return out.subarray(0, count);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * Gram and Schmidt's rows, each made orthogonal to those before twice, which is enough (Giraud et al. 2005). R has a positive
 * diagonal, so the rows of a normal draw are uniform over all orthonormal ones.
 */
function orthonormalise(rows: readonly Float64Array[]): void {
  rows.forEach((row, i) => {
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const before = rows[j]!;
        const along = dot(row, before);
        for (let k = 0; k < row.length; k++) row[k]! -= along * before[k]!;
      }
    }
    const norm = Math.sqrt(dot(row, row));
    for (let k = 0; k < row.length; k++) row[k]! /= norm;
  });
}

/**
 * gain times a matrix with orthonormal rows or, where there are more rows than columns, columns; a weight of more axes counts as
 * [out, the rest] (Saxe et al. 2014). Computed on the host in float64, so bits are the same on every device; [1024, 1024] takes seconds.
 */
export function orthogonal(gain = 1): Initializer {
  return (shape, source) => {
    if (shape.length < 2) throw new RangeError(`orthogonal: needs a weight of two axes at least, got [${shape.join(', ')}].`);
    const size = shape.reduce((a, b) => a * b, 1);
    const height = shape[0]!;
    const width = height && size / height;
    const [count, length] = height <= width ? [height, width] : [width, height];
    const drawn = hostNormal(size, source);
    const rows = Array.from({ length: count }, (_, i) => drawn.slice(i * length, (i + 1) * length));
    orthonormalise(rows);
    const out = new Float32Array(size);
    rows.forEach((row, i) => {
      row.forEach((x, j) => {
        out[height <= width ? i * width + j : j * width + i] = gain * x;
      });
    });
    return leafTensor(shape, 'float32', out).value;
  };
}
