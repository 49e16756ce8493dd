import { walk } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { describeNodes } from './identity.js';
import type { CompileRequest } from './request.js';
import { atOnce } from './slices.js';

/**
 * The plan cache's key: what a graph computes, with shapes, dtypes, attributes, kinds of bindings and structure. Two requests of
 * one key may run one plan. Shapes inside the graph follow from those of its leaves, so these alone are written down.
 */
export const fingerprint = (request: CompileRequest): string => atOnce((due) => fingerprintInSlices(request, due));

/** The same, yielding when `due()` says so. */
export function* fingerprintInSlices(request: CompileRequest, due: () => boolean): Generator<void, string> {
  const { results, updates, checks, bindings } = request;
  const leaves = new Map(bindings.map(({ value }, i) => [value.node, i]));
  const nodes = yield* walk([...results, ...updates.map(({ value }) => value), ...checks], due);
  const { parts, numbers } = yield* describeNodes(nodes, (node) => (leaves.has(node) ? `#${leaves.get(node)}` : undefined), due);
  const name = (value: Value): string => `${numbers.get(value.node)}.${value.index}`;
  return [
    request.options?.fuse === false ? 'unfused' : '',
    ...bindings.map(({ kind, value }) => `${kind[0]}${value.dtype}[${value.shape.join()}]`),
    ...parts,
    results.map(name).join(),
    updates.map(({ target, value }) => `${leaves.get(target.node)}=${name(value)}`).join(),
    checks.map(name).join(),
  ].join('\n');
}
