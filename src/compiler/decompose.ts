import { PolluxError } from '../errors.js';
import { Node, context, reachable, withContext } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import type { Graph, Operand, Operation } from './graph.js';
import { isBuiltIn, isOp, recordOf } from './record.js';
import type { OpName } from './record.js';
import type { Target } from './target.js';

/** What the compiler does by itself: no backend has a kernel for them. */
const compiled = new Set<string>([
  'leaf',
  'constant',
  'identity',
  'detach',
  'copy',
  'reshape',
  'transpose',
  'broadcast',
  'slice',
  'flip',
] satisfies OpName[]);

/** A decomposition of a decomposition of ... this deep leads back to itself, as that of a matmul without bias does. */
const DEEPEST = 32;

/** Runs as an instruction of an elementwise program. */
export function isInstruction(operation: Operation, target: Target): boolean {
  const { op, outputs, inputs } = operation;
  return (
    op.cost === 'elementwise' &&
    outputs.length === 1 &&
    inputs.length <= 3 &&
    isBuiltIn(operation) &&
    (target.instruction(op.name)?.dtypes.has(outputs[0]!.dtype) ?? false)
  );
}

/** Runs as a kernel of the op's name, epilogues included. */
export function hasKernel(operation: Operation, target: Target): boolean {
  if (isOp(operation, 'elementwise') && !operation.program) return false; // traced, not fused: it has yet to become a program
  const kernel = target.kernel(operation.op.name);
  const first: Type | undefined = operation.inputs[0] ?? operation.outputs[0];
  if (!kernel || !first || !kernel.dtypes.has(first.dtype)) return false;
  const { activation } = operation.attributes;
  if (activation !== undefined && activation !== 'none' && !kernel.fusions.has(String(activation))) return false;
  return !hasBias(operation) || kernel.fusions.has('bias');
}

const hasBias = (operation: Operation): boolean => (isOp(operation, 'matmul') || isOp(operation, 'conv2d')) && operation.inputs.length > 2;

/** Stays a loop: one iteration alone is better written out. */
const isLoop = ({ op, attributes }: Operation): boolean => op.loop !== undefined && (attributes['length'] as number) > 1;

const isSupported = (operation: Operation, target: Target): boolean =>
  isLoop(operation) ||
  (isBuiltIn(operation) && compiled.has(operation.op.name)) ||
  isInstruction(operation, target) ||
  hasKernel(operation, target);

/** Replaces one operation by its decomposition; returns the operations that it is made of. */
function expand(operation: Operation, graph: Graph): Operation[] {
  const { op, inputs, attributes, sources } = operation;
  const around = { ...context, scope: sources[0]?.scope ?? '', stopped: false, recomputed: operation.recomputed, captureStacks: false };
  const stubs = inputs.map(
    ({ shape, dtype }) => new Node(0, recordOf('leaf'), [], { shape, dtype }, [{ shape, dtype }], around).outputs[0]!,
  );
  const results = withContext(around, () =>
    op.decompose!(stubs, attributes, new Node(0, op, stubs, attributes, operation.outputs, around)),
  );
  const imported = new Map<Value, Operand>(stubs.map((stub, i) => [stub, inputs[i]!]));
  const made: Operation[] = [];
  for (const node of reachable(results)) {
    if (imported.has(node.outputs[0]!)) continue;
    const part = graph.add(
      node.op,
      node.inputs.map((input) => imported.get(input)!),
      node.attributes,
      node.outputs,
      operation,
    );
    node.outputs.forEach((value, i) => imported.set(value, part.outputs[i]!));
    made.push(part);
  }
  operation.outputs.forEach((output, i) => graph.replace(output, imported.get(results[i]!)!));
  return made;
}

function unsupported(operation: Operation, target: Target): PolluxError {
  const { op, inputs, outputs, sources } = operation;
  const scope = sources[0]?.scope;
  const types = `${inputs.map(show).join(', ')}${inputs.length ? ' -> ' : ''}${outputs.map(show).join(', ')}`;
  return new PolluxError(
    'UNSUPPORTED',
    `${op.name}: the ${target.name ?? 'chosen'} backend has no kernel for ${types}${scope ? ` (in ${scope})` : ''}, and the op has no ` +
      'decomposition. Cast its inputs to float32, or run it on another device.',
  );
}

/**
 * Replaces what the target lacks by simpler ops until all is supported.
 *
 * @returns whether anything was replaced
 * @throws PolluxError UNSUPPORTED naming the op, its types and the backend
 */
export function* decompose(graph: Graph, target: Target, due: () => boolean): Generator<void, boolean> {
  let level = graph.operations.filter((operation) => !isSupported(operation, target));
  const changed = level.length > 0;
  for (let depth = 0; level.length; depth++) {
    const made: Operation[] = [];
    for (const operation of level) {
      if (!operation.op.decompose || depth >= DEEPEST) throw unsupported(operation, target);
      made.push(...expand(operation, graph));
      if (due()) yield;
    }
    level = made.filter((operation) => !isSupported(operation, target));
  }
  if (changed) yield* graph.tidy(due);
  return changed;
}
