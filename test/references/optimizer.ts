import type { UpdateAttributes } from '../../src/ops/optimizer.js';
import type { optimizerRecords } from '../../src/ops/optimizerRules.js';
import { type AttributesOf, build } from './array.js';
import type { NdArray64, Reference, References } from './array.js';

type Name = keyof typeof optimizerRecords;

/** What a rule sees of one element, and what it makes of it; `own` are its own numbers. */
interface Element {
  readonly p: number;
  readonly g: number;
  readonly slots: readonly number[];
  readonly rate: number;
  readonly t: number;
  readonly own: readonly number[];
}
type Rule<N extends Name> = (element: Element, attributes: AttributesOf<N>) => readonly [p: number, ...slots: number[]];

/** Penalties, accumulation and lookahead around a rule, element by element. */
function updates<N extends Name>(slotsOf: (attributes: AttributesOf<N>) => number, rule: Rule<N>): Reference<AttributesOf<N>> {
  return (inputs, attributes) => {
    const {
      weightDecay,
      decoupled = false,
      clipValue,
      l1 = 0,
      accumulates = false,
      lookahead = 0,
      alpha = 1,
    } = attributes as unknown as UpdateAttributes;
    const rest = [...inputs];
    const take = (count: number): NdArray64[] => rest.splice(0, count);
    const [p, g] = take(2) as [NdArray64, NdArray64];
    const held = take(slotsOf(attributes));
    const [accumulated] = take(accumulates ? 1 : 0);
    const [slow] = take(lookahead ? 1 : 0);
    const numbers = rest.map(({ data }) => data[0]!);
    const due = !accumulates || numbers.pop() !== 0;
    const [rate, t, scale, ...own] = numbers as [number, number, number, ...number[]];

    const elements = Array.from(p.data, (before, i) => {
      const slots = held.map(({ data }) => data[i]!);
      const sum = g.data[i]! + (accumulated ? accumulated.data[i]! : 0);
      if (!due) return [before, ...slots, sum, ...(slow ? [slow.data[i]!] : [])];
      let slope = sum * scale;
      if (clipValue) slope = Math.min(Math.max(slope, -clipValue), clipValue);
      slope += l1 * Math.sign(before);
      if (!decoupled) slope += weightDecay * before;
      const start = decoupled ? before * (1 - rate * weightDecay) : before;
      let [next, ...moved] = rule({ p: start, g: slope, slots, rate, t, own }, attributes) as [number, ...number[]];
      if (accumulated) moved = [...moved, 0];
      if (slow) {
        const begun = t <= 1 ? before : slow.data[i]!;
        const anchor = t % lookahead === 0 ? begun + alpha * (next - begun) : begun;
        if (t % lookahead === 0) next = anchor;
        moved = [...moved, anchor];
      }
      return [next, ...moved];
    });
    const kept = [p, ...held, ...(accumulated ? [accumulated] : []), ...(slow ? [slow] : [])];
    return kept.map((tensor, k) => (tensor.data.length === 0 ? tensor : build(tensor, (_, i) => elements[i]![k]!)));
  };
}

/** The moments of Adam, and its denominator. */
function adam({ g, slots, t }: Element, { beta1, beta2, epsilon }: { beta1: number; beta2: number; epsilon: number }) {
  const m = beta1 * slots[0]! + (1 - beta1) * g;
  const v = beta2 * slots[1]! + (1 - beta2) * g ** 2;
  return { m, v, corrected: (x: number): number => Math.sqrt(x / (1 - beta2 ** t)) + epsilon };
}

export const optimizerReferences: References<Name> = {
  sgdUpdate: updates<'sgdUpdate'>(
    () => 1,
    ({ p, g, slots: [buffer], rate, t }, { momentum, dampening, nesterov }) => {
      if (momentum === 0) return [p - rate * g, 0];
      const moved = t <= 1 ? g : momentum * buffer! + (1 - dampening) * g;
      return [p - rate * (nesterov ? g + momentum * moved : moved), moved];
    },
  ),
  adamUpdate: updates<'adamUpdate'>(
    ({ amsgrad }) => (amsgrad ? 3 : 2),
    (element, attributes) => {
      const { m, v, corrected } = adam(element, attributes);
      const largest = attributes.amsgrad ? [Math.max(element.slots[2]!, v)] : [];
      const mean = m / (1 - attributes.beta1 ** element.t);
      return [element.p - (element.rate * mean) / corrected(largest[0] ?? v), m, v, ...largest];
    },
  ),
  nadamUpdate: updates<'nadamUpdate'>(
    () => 2,
    (element, attributes) => {
      const { m, v, corrected } = adam(element, attributes);
      return [element.p - (element.own[0]! * element.g + element.own[1]! * m) / corrected(v), m, v];
    },
  ),
  radamUpdate: updates<'radamUpdate'>(
    () => 2,
    (element, attributes) => {
      const { m, v } = adam(element, attributes);
      const [rectification] = element.own;
      const mean = m / (1 - attributes.beta1 ** element.t);
      const scale = rectification! > 0 ? rectification! / (Math.sqrt(v) + attributes.epsilon) : 1;
      return [element.p - element.rate * mean * scale, m, v];
    },
  ),
  adamaxUpdate: updates<'adamaxUpdate'>(
    () => 2,
    ({ p, g, slots: [mean, largest], rate, t }, { beta1, beta2, epsilon }) => {
      const m = beta1 * mean! + (1 - beta1) * g;
      const u = Math.max(beta2 * largest!, Math.abs(g) + epsilon);
      return [p - ((rate / (1 - beta1 ** t)) * m) / u, m, u];
    },
  ),
  lionUpdate: updates<'lionUpdate'>(
    () => 1,
    ({ p, g, slots: [mean], rate }, { beta1, beta2 }) => [
      p - rate * Math.sign(beta1 * mean! + (1 - beta1) * g),
      beta2 * mean! + (1 - beta2) * g,
    ],
  ),
  rmspropUpdate: updates<'rmspropUpdate'>(
    ({ centered, momentum }) => 1 + Number(centered) + Number(momentum !== 0),
    ({ p, g, slots, rate }, { decay, epsilon, momentum, centered }) => {
      const meanSquare = decay * slots[0]! + (1 - decay) * g ** 2;
      const mean = centered ? [decay * slots[1]! + (1 - decay) * g] : [];
      const direction = g / (Math.sqrt(Math.max(meanSquare - (mean[0] ?? 0) ** 2, 0)) + epsilon);
      if (momentum === 0) return [p - rate * direction, meanSquare, ...mean];
      const moved = momentum * slots.at(-1)! + direction;
      return [p - rate * moved, meanSquare, ...mean, moved];
    },
  ),
  adagradUpdate: updates<'adagradUpdate'>(
    () => 1,
    ({ p, g, slots: [sum], rate }, { epsilon }) => [p - (rate * g) / (Math.sqrt(sum! + g ** 2) + epsilon), sum! + g ** 2],
  ),
  adadeltaUpdate: updates<'adadeltaUpdate'>(
    () => 2,
    ({ p, g, slots: [squares, changes], rate }, { decay, epsilon }) => {
      const meanSquare = decay * squares! + (1 - decay) * g ** 2;
      const change = Math.sqrt((changes! + epsilon) / (meanSquare + epsilon)) * g;
      return [p - rate * change, meanSquare, decay * changes! + (1 - decay) * change ** 2];
    },
  ),
  rpropUpdate: updates<'rpropUpdate'>(
    () => 2,
    ({ p, g, slots: [previous, sizes], rate, t }, { less, more, least, most }) => {
      const agreement = Math.sign(g * previous!);
      const factor = agreement < 0 ? less : agreement > 0 ? more : 1;
      const size = Math.min(Math.max((t <= 1 ? rate : sizes!) * factor, least), most);
      const kept = agreement < 0 ? 0 : g;
      return [p - Math.sign(kept) * size, kept, size];
    },
  ),
};
