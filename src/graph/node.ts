import type { Attributes, Op, Type } from './op.js';
import type { DType } from './dtype.js';

/** One output of a node: an edge of the graph. Immutable, and free of data. */
export class Value implements Type {
  constructor(
    readonly node: Node,
    readonly index: number,
    readonly shape: readonly number[],
    readonly dtype: DType,
  ) {}
}

/** One application of an op. Ids grow in the order of creation, which is a topological order. */
export class Node {
  readonly outputs: readonly Value[];
  /** Name of the module that built it, e.g. `encoder.first`; for messages and profiles only. */
  readonly scope: string;
  /** Set inside `noGrad`: gradients do not pass. */
  readonly stopped: boolean;
  /** Inside `checkpoint(fn)`: the region it belongs to; 0 outside. */
  readonly region: number;
  /** Non-zero for the copies that a backward pass makes of a checkpointed region: never merged with the originals. */
  readonly recomputed: number;
  /** Where it was built, captured only while `compile` traces; turned into text only when a message needs it. */
  readonly #origin: Error | undefined;

  constructor(
    readonly id: number,
    readonly op: Op,
    readonly inputs: readonly Value[],
    readonly attributes: Attributes,
    types: readonly Type[],
    context: Context,
  ) {
    this.outputs = types.map((type, i) => new Value(this, i, type.shape, type.dtype));
    this.scope = context.scope;
    this.stopped = context.stopped;
    this.region = context.region;
    this.recomputed = context.recomputed;
    this.#origin = context.captureStacks ? new Error() : undefined;
  }

  /** The caller's stack, if it was captured. */
  get stack(): string | undefined {
    return this.#origin?.stack;
  }
}

/** What surrounds the code that builds nodes. Mutable on purpose: building is synchronous. */
export interface Context {
  scope: string;
  stopped: boolean;
  region: number;
  recomputed: number;
  captureStacks: boolean;
}

export const context: Context = { scope: '', stopped: false, region: 0, recomputed: 0, captureStacks: false };

/** Runs `fn` with parts of the context changed, and puts them back whatever happens. */
export function withContext<R>(change: Partial<Context>, fn: () => R): R {
  const before = { ...context };
  Object.assign(context, change);
  try {
    return fn();
  } finally {
    Object.assign(context, before);
  }
}

let nextId = 1;

/** Id of the node that was made last. */
export const newestId = (): number => nextId - 1;

/** Applies an op: infers the types of its outputs and adds a node to the graph. The only way to make a node. */
export function apply<A extends Attributes>(op: Op<A>, inputs: readonly Value[], attributes: A): readonly Value[] {
  const types = op.infer(inputs, attributes);
  return new Node(nextId++, op as unknown as Op, inputs, attributes, types, context).outputs;
}

/** Nodes that `roots` need, in topological order. Iterative: graphs are deeper than the JavaScript stack. */
export function reachable(roots: readonly Value[]): Node[] {
  return walk(roots, () => false).next().value as Node[];
}

/** What `reachable` returns, found in slices: it yields when `due()` says so. */
export function* walk(roots: readonly Value[], due: () => boolean): Generator<void, Node[]> {
  const found = new Set<Node>();
  const pending = roots.map((value) => value.node);
  while (pending.length) {
    const node = pending.pop()!;
    if (found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) pending.push(input.node);
    if (due()) yield;
  }
  return [...found].sort((a, b) => a.id - b.id);
}
