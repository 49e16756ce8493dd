import { decodeProgram } from '../../src/ops/index.js';
import type { OpName } from '../../src/ops/index.js';
import { build, convert, roundHalfEven, wrap } from './array.js';
import type { NdArray64, Reference, References } from './array.js';
import { erf, erfc, erfinv, lgamma, polygamma } from './special.js';

type NoAttributes = Record<never, never>;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const unaryFunctions = {
  neg: (x: number) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x: number) => 1 / Math.sqrt(x),
  square: (x: number) => x * x,
  reciprocal: (x: number) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  sigmoid,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  relu: (x: number) => Math.max(x, 0),
  softplus: (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  silu: (x: number) => x * sigmoid(x),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  geluTanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  isNan: (x: number) => Number(Number.isNaN(x)),
  isFinite: (x: number) => Number(Number.isFinite(x)),
  logicalNot: (x: number) => 1 - x,
  exp2: (x: number) => 2 ** x,
  log2: Math.log2,
  log10: Math.log10,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erfc,
  erfinv,
  lgamma,
} satisfies Partial<Record<OpName, (x: number) => number>>;

const floatFunctions = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  // IEEE 754, where JavaScript has NaN: 1 to any power, and -1 to an infinite one, are 1.
  pow: (a: number, b: number) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  maximum: Math.max,
  minimum: Math.min,
  remainder: (a: number, b: number) => {
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  atan2: Math.atan2,
  xlogy: (a: number, b: number) => (a === 0 && !Number.isNaN(b) ? 0 : a * Math.log(b)),
  hypot: (a: number, b: number) => Math.hypot(a, b),
  equal: (a: number, b: number) => Number(a === b),
  notEqual: (a: number, b: number) => Number(a !== b),
  less: (a: number, b: number) => Number(a < b),
  lessEqual: (a: number, b: number) => Number(a <= b),
  greater: (a: number, b: number) => Number(a > b),
  greaterEqual: (a: number, b: number) => Number(a >= b),
  logicalAnd: (a: number, b: number) => a & b,
  logicalOr: (a: number, b: number) => a | b,
  logicalXor: (a: number, b: number) => a ^ b,
} satisfies Partial<Record<OpName, (a: number, b: number) => number>>;

/** Where integers differ: division truncates, by zero gives 0, and a product may need more bits than a double has. */
const integerFunctions: Partial<Record<OpName, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? 0n : a / b),
  remainder: (a, b) => {
    if (b === 0n) return 0n;
    const rest = a % b;
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  },
  pow: (a, b) => (b >= 0n ? a ** b : a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n),
};

const isInteger = (dtype: string): boolean => dtype === 'int32' || dtype === 'int64';

function applyBinary(name: keyof typeof floatFunctions, x: NdArray64, i: number, b: number): number {
  const a = x.data[i]!;
  const exact = isInteger(x.dtype) ? integerFunctions[name] : undefined;
  if (!exact) return floatFunctions[name](a, b);
  return Number(BigInt.asIntN(x.dtype === 'int32' ? 32 : 64, exact(BigInt(a), BigInt(b))));
}

const unary =
  (fn: (x: number) => number): Reference<NoAttributes> =>
  ([x], _, [type]) => [build(type!, (__, i) => (isInteger(type!.dtype) ? wrap(fn(x!.data[i]!), type!.dtype) : fn(x!.data[i]!)))];

const binary =
  (name: keyof typeof floatFunctions): Reference<NoAttributes> =>
  ([a, b], _, [type]) => [build(type!, (__, i) => applyBinary(name, a!, i, b!.data[i]!))];

const mapValues = <K extends string, T, R>(object: Record<K, T>, fn: (value: T, key: K) => R): Record<K, R> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, fn(value as T, key as K)])) as Record<K, R>;

const plain = {
  ...mapValues(unaryFunctions, unary),
  ...mapValues(floatFunctions, (_, name) => binary(name)),
  where: (([condition, a, b], _, [type]) => [
    build(type!, (__, i) => (condition!.data[i] ? a!.data[i]! : b!.data[i]!)),
  ]) satisfies Reference<NoAttributes>,
  polygamma: (([x], { order }, [type]) => [build(type!, (_, i) => polygamma(order, x!.data[i]!))]) satisfies Reference<{ order: number }>,
  cast: (([x], _, [type]) => [build(type!, (__, i) => convert(x!.data[i]!, x!.dtype, type!.dtype))]) satisfies Reference<{ dtype: string }>,
};

/** Runs a program instruction by instruction. */
const elementwise: References<'elementwise'>['elementwise'] = (inputs, { program, shape }) => {
  const { instructions, stored } = decodeProgram(program);
  const values = [...inputs];
  for (const { op, dtype, sources, immediate } of instructions) {
    const type = { shape, dtype };
    const operands = sources.map((source) => values[source]!);
    const made =
      op === 'constant'
        ? [build(type, () => immediate!)]
        : (plain[op as keyof typeof plain] as Reference<object>)(operands, { dtype }, [type]);
    values.push(made[0]!);
  }
  return stored.map((value) => values[value]!);
};

export const elementwiseReferences: References<keyof typeof plain | 'elementwise'> = { ...plain, elementwise };
