import { createHash } from 'node:crypto';
import type { Loop } from '../graph/loop.js';
import { reachable } from '../graph/node.js';
import type { Node } from '../graph/node.js';
import type { Attribute, Attributes, Op } from '../graph/op.js';
import { atOnce } from './slices.js';

const numbers = new WeakMap<Op, number>();
const loops = new Map<string, number>();
let next = 0;

/**
 * A number for each record: two records may share a name (ops of the user's own), but not an identity. Loops of equal bodies are
 * one op.
 */
export function opNumber(op: Op): number {
  let number = numbers.get(op);
  if (number === undefined) {
    const content = op.loop && loopKey(op.loop);
    number = (content !== undefined && loops.get(content)) || ++next;
    if (content !== undefined) loops.set(content, number);
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

/**
 * What nodes compute, as a text each: the op, where its inputs come from, its attributes. Shapes inside a graph follow from those
 * of its leaves, which are named by `leaf`.
 */
export function* describeNodes(
  nodes: Iterable<Node>,
  leaf: (node: Node) => string | undefined,
  due: () => boolean,
): Generator<void, { parts: string[]; numbers: Map<Node, number> }> {
  const parts: string[] = [];
  const numbers = new Map<Node, number>();
  const regions = new Map<number, number>();
  for (const node of nodes) {
    if (due()) yield;
    numbers.set(node, numbers.size);
    const name = leaf(node);
    if (name !== undefined) {
      parts.push(name);
      continue;
    }
    let part = `${opNumber(node.op)}(`;
    for (const input of node.inputs) part += `${numbers.get(input.node)}.${input.index},`;
    if (node.recomputed) {
      // Regions are numbered as they are built; only which nodes share one matters.
      if (!regions.has(node.recomputed)) regions.set(node.recomputed, regions.size);
      part += `r${regions.get(node.recomputed)}`;
    }
    parts.push(`${part})${attributesKey(node.attributes)}`);
  }
  return { parts, numbers };
}

function loopKey({ parameters, captures, carries, results }: Loop): string {
  const places = new Map(parameters.map(({ node }, i) => [node, `#${i}`]));
  const { parts, numbers } = atOnce((due) => describeNodes(reachable(results), (node) => places.get(node), due));
  const types = parameters.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`);
  const yields = results.map(({ node, index }) => `${numbers.get(node)}.${index}`);
  // Keys live as long as the process: bodies are large, hashes are not.
  return createHash('sha256')
    .update([captures, carries, ...types, ...parts, ...yields].join('\n'))
    .digest('base64');
}
