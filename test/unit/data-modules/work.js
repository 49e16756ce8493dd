// What the threads of the tests run.
export default function double({ x }, out) {
  for (let i = 0; i < x.data.length; i++) out.x.data[i] = 2 * x.data[i];
}
export function random({ x }, out, { indices, seed, epoch }) {
  for (let i = 0; i < x.data.length; i++) out.x.data[i] = x.data[i] + indices[i] * 100 + seed * 10_000 + epoch * 1_000_000;
}
export function refuse({ x }) {
  if (x.data.includes(3)) throw new RangeError('three is too many');
}
export function die({ x }, out) {
  if (x.data.includes(3)) process.exit(7);
  out.x.data.set(x.data);
}
