// Special functions in float64, by other ways than the kernels go.

/** The error function: its series with positive terms only, which converges fast enough below 6, where it reaches 1. */
export function erf(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** 1 - erf(x); where that cancels, by its continued fraction, evaluated from the far end. */
export function erfc(x: number): number {
  if (x < 2) return 1 - erf(x);
  if (x === Infinity) return 0;
  let fraction = x;
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (fraction * Math.sqrt(Math.PI));
}

/** The inverse of erf, by bisection: of erfc in the upper half, where erf has no digits left. */
export function erfinv(y: number): number {
  if (!(Math.abs(y) < 1)) return Math.abs(y) === 1 ? y * Infinity : NaN;
  if (y === 0) return y;
  const t = Math.abs(y);
  let [low, high] = [0, t < 0.5 ? t : 7];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    const below = t < 0.5 ? erf(middle) < t : erfc(middle) > 1 - t;
    if (below) low = middle;
    else high = middle;
  }
  return Math.sign(y) * low;
}

/** ln |Gamma|: Stirling's series beyond 20, to which the recurrence and the reflection lead. */
export function lgamma(x: number): number {
  if (Math.abs(x) === Infinity) return Infinity;
  if (x <= 0) {
    if (x === Math.floor(x)) return Infinity;
    return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * (x - Math.round(x))))) - lgamma(1 - x);
  }
  // Near the zeros at 1 and 2 a product of many factors would cancel: integrate digamma from there.
  const root = [1, 2].find((at) => Math.abs(x - at) < 0.1);
  if (root !== undefined) {
    let [sum, power] = [0, 1];
    for (let n = 0; n < 16; n++) {
      power *= (x - root) / (n + 1);
      sum += polygamma(n, root) * power;
    }
    return sum;
  }
  let shift = 0;
  let z = x;
  for (; z < 20; z++) shift -= Math.log(z);
  return shift + (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5);
}

/** The derivative of digamma of order n (0: itself): the recurrence up to 30, and the asymptotic series from there. */
export function polygamma(n: number, x: number): number {
  if (x === 0 && n === 0) return Object.is(x, -0) ? Infinity : -Infinity;
  if (x === -Infinity || Number.isNaN(x)) return NaN;
  if (x <= 0 && x === Math.floor(x)) return n === 0 ? NaN : n % 2 ? Infinity : -Infinity;
  if (n === 0 && x < -40) return polygamma(0, 1 - x) - Math.PI / Math.tan(Math.PI * (x - Math.floor(x)));
  const numbers = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730];
  let factorial = 1;
  for (let i = 2; i <= n; i++) factorial *= i;
  const sign = n % 2 ? 1 : -1;
  let sum = 0;
  let z = x;
  for (; z < 30; z++) sum += n ? sign * factorial * z ** -(n + 1) : -1 / z;
  if (n === 0) {
    sum += Math.log(z) - 1 / (2 * z);
    numbers.forEach((b, i) => {
      sum -= b / ((2 * i + 2) * z ** (2 * i + 2));
    });
    return sum;
  }
  if (z === Infinity) return 0;
  sum += sign * ((factorial / n) * z ** -n + (factorial / 2) * z ** -(n + 1));
  numbers.forEach((b, i) => {
    const k = 2 * i + 2;
    let rising = 1; // (k + n - 1)! / k!
    for (let j = k + 1; j <= k + n - 1; j++) rising *= j;
    sum += sign * b * rising * z ** -(k + n);
  });
  return sum;
}
