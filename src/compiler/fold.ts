import type { DType } from '../graph/dtype.js';

const clampInt = (value: number, low: number, high: number): number =>
  Number.isNaN(value) ? 0 : Math.min(high, Math.max(low, Math.trunc(value)));

/** `value` as an element of `dtype`, or undefined where this file does not know the exact bits. */
function castNumber(value: number, dtype: DType): number | undefined {
  switch (dtype) {
    case 'float32':
      return Math.fround(value);
    case 'int32':
      return clampInt(value, -(2 ** 31), 2 ** 31 - 1);
    case 'int64':
      return exactInteger(clampInt(value, -(2 ** 63), 2 ** 63));
    case 'bool':
      return value !== 0 ? 1 : 0;
    default:
      return undefined;
  }
}

const exactInteger = (value: number): number | undefined => (Number.isSafeInteger(value) ? value + 0 : undefined);

/** float32 results of one correctly rounded double operation, rounded again: innocuous for + - * / and sqrt. */
const float: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
  abs: Math.abs,
  square: (a) => a * a,
  reciprocal: (a) => 1 / a,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
};

const integer: Record<string, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  neg: (a) => -a,
  square: (a) => a * a,
};

const comparison: Record<string, (a: number, b: number) => boolean> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

/**
 * The value of an elementwise op on constants, where JavaScript has the kernel's exact bits; otherwise undefined, and the kernel
 * computes it. Overflow of integers is left to the kernel, and so are the transcendental functions.
 */
export function foldElementwise(op: string, operands: readonly number[], from: DType, to: DType): number | undefined {
  if (op === 'cast') return castNumber(operands[0]!, to);
  const [a, b] = operands as [number, number];
  const compare = comparison[op];
  if (compare) return compare(a, b) ? 1 : 0;
  if (from === 'float32' && to === 'float32') {
    const compute = float[op];
    return compute && Math.fround(compute(a, b));
  }
  if (from === to && (from === 'int32' || from === 'int64')) {
    const compute = integer[op];
    if (!compute || !operands.every(Number.isSafeInteger)) return undefined;
    const result = Number(compute(BigInt(a), BigInt(b ?? 0)));
    return from === 'int32' && result !== (result | 0) ? undefined : exactInteger(result);
  }
  return undefined;
}
