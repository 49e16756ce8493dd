import type { Attribute, Attributes, Op } from '../graph/op.js';

const numbers = new WeakMap<Op, number>();
let next = 0;

/** A number for each record: two records may share a name (ops of the user's own), but not an identity. */
export function opNumber(op: Op): number {
  let number = numbers.get(op);
  if (number === undefined) {
    number = next++;
    numbers.set(op, number);
  }
  return number;
}

const text = (value: Attribute): string => (Object.is(value, -0) ? '-0' : String(value));

/** Attributes as text; equal attributes of one op give equal texts. */
export function attributesKey(attributes: Attributes): string {
  let key = '';
  for (const name in attributes) key += `${name}=${text(attributes[name]!)};`;
  return key;
}
