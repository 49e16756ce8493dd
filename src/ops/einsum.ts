// Sums of products in Einstein's notation. Operands are contracted two at a time, in the order that needs the fewest
// multiplications; each contraction is a matrix product, or a product and a sum.
import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { reshape, sum } from './broadcast.js';
import { matmul } from './matmul.js';
import { expandDims, squeeze, transpose } from './movement.js';
import { diagonal } from './structural.js';
import { fail, normaliseAxis, requireSameDtype, showShape } from './support.js';

/** A value whose axes have names. Axes under an ellipsis are named by their distance from its end: `.1`, `.0`. */
interface Term {
  readonly value: Value;
  readonly labels: readonly string[];
}

const without = (labels: readonly string[], others: Iterable<string>): string[] => {
  const gone = new Set(others);
  return labels.filter((label) => !gone.has(label));
};
const common = (a: readonly string[], b: readonly string[]): string[] => a.filter((label) => b.includes(label));

/** Labels of one subscript for a value of `rank` axes (undefined: of an output, whose ellipsis has `wide` axes). */
function labelsOf(equation: string, subscript: string, rank: number | undefined, wide = 0): string[] {
  const parts = subscript.replaceAll(' ', '').split('...');
  const refuse = (why: string): never => fail('INVALID_ARGUMENT', 'einsum', `"${equation}": ${why}`);
  if (parts.length > 2) refuse(`"${subscript}" has more than one ellipsis`);
  const wrong = /[^A-Za-z]/.exec(parts.join(''));
  if (wrong) refuse(`"${wrong[0]}" in "${subscript}" is no letter`);
  const named = parts.join('').length;
  const hidden = parts.length === 2 ? (rank === undefined ? wide : rank - named) : 0;
  if (rank !== undefined && (hidden < 0 || named + hidden !== rank)) {
    refuse(`"${subscript}" names ${named} axes, but its operand has ${rank}`);
  }
  const ellipsis = Array.from({ length: hidden }, (_, i) => `.${hidden - 1 - i}`);
  return [...parts[0]!, ...ellipsis, ...(parts[1] ?? '')];
}

/** The sizes that labels stand for. Axes of size 1 broadcast, as in PyTorch. */
function sizesOf(equation: string, terms: readonly Term[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { value, labels } of terms) {
    labels.forEach((label, i) => {
      const [size, known] = [value.shape[i]!, sizes.get(label) ?? 1];
      if (size !== 1 && known !== 1 && size !== known) {
        const name = label.startsWith('.') ? 'the ellipsis' : `"${label}"`;
        fail(
          'SHAPE_MISMATCH',
          'einsum',
          `"${equation}": ${name} is ${known} and ${size} (${terms.map((t) => showShape(t.value.shape)).join(', ')})`,
        );
      }
      sizes.set(label, known === 1 ? size : known);
    });
  }
  return sizes;
}

/** Repeated labels become diagonals, axes of size 1 that broadcast go, and what no one else names is summed. */
function prepared({ value, labels }: Term, sizes: ReadonlyMap<string, number>, wanted: readonly string[]): Term {
  let [x, names] = [value, [...labels]];
  const alone = names.flatMap((label, i) => (x.shape[i] === 1 && sizes.get(label) !== 1 ? [i] : []));
  if (alone.length) {
    x = squeeze(x, alone);
    names = names.filter((_, i) => !alone.includes(i));
  }
  for (;;) {
    const second = names.findIndex((label, i) => names.indexOf(label) < i);
    if (second < 0) break;
    const first = names.indexOf(names[second]!);
    x = diagonal(x, 0, first, second);
    names = [...names.filter((_, i) => i !== first && i !== second), names[second]!];
  }
  return summed({ value: x, labels: names }, wanted);
}

/** Sums over all labels that are not wanted. */
function summed({ value, labels }: Term, wanted: readonly string[]): Term {
  const gone = labels.flatMap((label, i) => (wanted.includes(label) ? [] : [i]));
  return gone.length ? { value: sum(value, gone), labels: common(labels, wanted) } : { value, labels };
}

/** The axes in the order of `labels`, with axes of size 1 for those that it lacks. */
function arranged({ value, labels }: Term, order: readonly string[]): Value {
  const present = common(order, labels);
  const moved = transpose(
    value,
    present.map((label) => labels.indexOf(label)),
  );
  const missing = order.flatMap((label, i) => (labels.includes(label) ? [] : [i]));
  return missing.length ? expandDims(moved, missing) : moved;
}

/** The axes in groups, each joined into one. */
const grouped = (term: Term, ...groups: (readonly string[])[]): Value => {
  const moved = arranged(term, groups.flat());
  let at = 0;
  return reshape(
    moved,
    groups.map((group) => sizeOf(moved.shape.slice(at, (at += group.length)))),
  );
};

/** Two terms multiplied, summed over what is not wanted any more. */
function contracted(a: Term, b: Term, wanted: readonly string[]): Term {
  const shared = common(a.labels, b.labels);
  const [batch, inner] = [common(shared, wanted), without(shared, wanted)];
  const [left, right] = [without(a.labels, shared), without(b.labels, shared)];
  const labels = [...batch, ...left, ...right];
  if (a.value.dtype !== 'float32' || inner.length === 0 || (left.length === 0 && right.length === 0)) {
    const all = [...labels, ...inner];
    return summed({ value: mul(arranged(a, all), arranged(b, all)), labels: all }, wanted);
  }
  const y = matmul(grouped(a, batch, left, inner), grouped(b, batch, inner, right));
  const sizeIn = (term: Term, label: string): number => term.value.shape[term.labels.indexOf(label)]!;
  const shape = labels.map((label) => sizeIn(a.labels.includes(label) ? a : b, label));
  return { value: reshape(y, shape), labels };
}

/** Up to this many operands every order is weighed; beyond, the cheapest next contraction is taken. */
const WEIGHED = 8;

/** Contracts all terms, in the order that multiplies least. */
function reduced(terms: readonly Term[], sizes: ReadonlyMap<string, number>, output: readonly string[]): Term {
  const cost = (labels: Iterable<string>): number => [...labels].reduce((product, label) => product * sizes.get(label)!, 1);
  if (terms.length > WEIGHED) {
    let best: { cost: number; i: number; j: number } | undefined;
    for (const [i, a] of terms.entries())
      for (let j = i + 1; j < terms.length; j++) {
        const price = cost(new Set([...a.labels, ...terms[j]!.labels]));
        if (!best || price < best.cost) best = { cost: price, i, j };
      }
    const { i, j } = best!;
    const rest = terms.filter((_, k) => k !== i && k !== j);
    const wanted = [...output, ...rest.flatMap(({ labels }) => labels)];
    return reduced([...rest, contracted(terms[i]!, terms[j]!, wanted)], sizes, output);
  }
  // Dynamic programming over sets of operands, as bits: the price of contracting each, and where it is cut in two.
  const all = (1 << terms.length) - 1;
  const plans = new Map<number, { price: number; left: number; labels: readonly string[] }>();
  const wantedOutside = (set: number): string[] => [...output, ...terms.flatMap(({ labels }, i) => ((set >> i) & 1 ? [] : labels))];
  const plan = (set: number): { price: number; left: number; labels: readonly string[] } => {
    const known = plans.get(set);
    if (known) return known;
    const members = terms.filter((_, i) => (set >> i) & 1);
    let found = { price: members.length === 1 ? 0 : Infinity, left: 0 };
    const lowest = set & -set;
    for (let part = (set - 1) & set; part; part = (part - 1) & set) {
      if (!(part & lowest)) continue;
      const [a, b] = [plan(part), plan(set ^ part)];
      const price = a.price + b.price + cost(new Set([...a.labels, ...b.labels]));
      if (price < found.price) found = { price, left: part };
    }
    const labels = common([...new Set(members.flatMap((term) => term.labels))], wantedOutside(set));
    const made = { ...found, labels };
    plans.set(set, made);
    return made;
  };
  const make = (set: number): Term => {
    const { left } = plan(set);
    if (!left) return terms[Math.log2(set)]!;
    return contracted(make(left), make(set ^ left), wantedOutside(set));
  };
  return make(all);
}

/**
 * A sum of products in Einstein's notation, e.g. `einsum('bij,bjk->bik', a, b)`. Axes of one letter go together; letters that the
 * output lacks are summed over. Without `->` the output has the letters that occur once, in alphabetical order. A letter twice in
 * one operand takes the diagonal. `...` stands for axes that broadcast.
 */
export function einsum(equation: string, ...operands: readonly Value[]): Value {
  const [left, right, ...more] = equation.replaceAll(' ', '').split('->') as [string, string?, ...string[]];
  if (more.length) fail('INVALID_ARGUMENT', 'einsum', `"${equation}" has more than one arrow`);
  const subscripts = left.split(',');
  if (operands.length === 0 || subscripts.length !== operands.length) {
    fail('INVALID_ARGUMENT', 'einsum', `"${equation}" describes ${subscripts.length} operands, but there are ${operands.length}`);
  }
  for (const operand of operands) requireSameDtype('einsum', operands[0]!, operand);
  const terms = operands.map((value, i) => ({ value, labels: labelsOf(equation, subscripts[i]!, value.shape.length) }));
  const sizes = sizesOf(equation, terms);
  const every = terms.flatMap(({ labels }) => labels);
  const hidden = [...new Set(every.filter((label) => label.startsWith('.')))].sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
  const once = [...new Set(every)].filter((label) => !label.startsWith('.') && every.indexOf(label) === every.lastIndexOf(label)).sort();
  const output = right === undefined ? [...hidden, ...once] : labelsOf(equation, right, undefined, hidden.length);
  const twice = output.find((label, i) => output.indexOf(label) < i);
  if (twice !== undefined) fail('INVALID_ARGUMENT', 'einsum', `"${equation}": the output names "${twice}" twice`);
  const unknown = output.find((label) => !sizes.has(label));
  if (unknown !== undefined) fail('INVALID_ARGUMENT', 'einsum', `"${equation}": no operand has the output's "${unknown}"`);

  const ready = terms.map((term, i) => {
    const elsewhere = terms.flatMap(({ labels }, j) => (i === j ? [] : labels));
    return prepared(term, sizes, [...output, ...elsewhere]);
  });
  return arranged(summed(reduced(ready, sizes, output), output), output);
}

/**
 * Sums over pairs of axes of two values: the last `axes` of `a` with the first of `b`, or those of the two lists. The rest of a's
 * axes come first, then those of b.
 */
export function tensordot(a: Value, b: Value, axes: number | readonly [readonly number[], readonly number[]] = 2): Value {
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  if (typeof axes === 'number' && !(Number.isInteger(axes) && axes >= 0 && axes <= Math.min(rankA, rankB))) {
    throw new RangeError(`tensordot: axes ${axes} does not go with shapes ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  const [ofA, ofB] =
    typeof axes === 'number'
      ? [Array.from({ length: axes }, (_, i) => rankA - axes + i), Array.from({ length: axes }, (_, i) => i)]
      : [axes[0].map((axis) => normaliseAxis('tensordot', axis, rankA)), axes[1].map((axis) => normaliseAxis('tensordot', axis, rankB))];
  if (ofA.length !== ofB.length || ofA.some((axis, i) => a.shape[axis] !== b.shape[ofB[i]!])) {
    fail(
      'SHAPE_MISMATCH',
      'tensordot',
      `axes ${showShape(ofA)} of ${showShape(a.shape)} and ${showShape(ofB)} of ${showShape(b.shape)} do not pair`,
    );
  }
  requireSameDtype('tensordot', a, b);
  const left = { value: a, labels: a.shape.map((_, i) => (ofA.includes(i) ? `s${ofA.indexOf(i)}` : `a${i}`)) };
  const right = { value: b, labels: b.shape.map((_, i) => (ofB.includes(i) ? `s${ofB.indexOf(i)}` : `b${i}`)) };
  const kept = [...left.labels, ...right.labels].filter((label) => !label.startsWith('s'));
  return arranged(contracted(left, right, kept), kept);
}
