import { reachable } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { attributesKey, opNumber } from './identity.js';
import type { CompileRequest } from './request.js';

/**
 * The plan cache's key: what a graph computes, with shapes, dtypes, attributes, kinds of bindings and structure. Two requests of
 * one key may run one plan. Shapes inside the graph follow from those of its leaves, so these alone are written down.
 */
export function fingerprint(request: CompileRequest): string {
  const { results, updates, checks, bindings } = request;
  const leaves = new Map(bindings.map(({ value }, i) => [value.node, i]));
  const numbers = new Map<Value['node'], number>();
  const regions = new Map<number, number>();
  const parts: string[] = [request.options?.fuse === false ? 'unfused' : ''];
  for (const { kind, value } of bindings) parts.push(`${kind[0]}${value.dtype}[${value.shape.join()}]`);
  const name = (value: Value): string => `${numbers.get(value.node)}.${value.index}`;
  for (const node of reachable([...results, ...updates.map(({ value }) => value), ...checks])) {
    numbers.set(node, numbers.size);
    const leaf = leaves.get(node);
    if (leaf !== undefined) {
      parts.push(`#${leaf}`);
      continue;
    }
    let part = `${opNumber(node.op)}(`;
    for (const input of node.inputs) part += `${name(input)},`;
    if (node.recomputed) {
      // Regions are numbered as they are built; only which nodes share one matters.
      if (!regions.has(node.recomputed)) regions.set(node.recomputed, regions.size);
      part += `r${regions.get(node.recomputed)}`;
    }
    parts.push(`${part})${attributesKey(node.attributes)}`);
  }
  parts.push(
    results.map(name).join(),
    updates.map(({ target, value }) => `${leaves.get(target.node)}=${name(value)}`).join(),
    checks.map(name).join(),
  );
  return parts.join('\n');
}
