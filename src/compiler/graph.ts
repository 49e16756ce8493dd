import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { walk } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import type { Attributes, Op, Type } from '../graph/op.js';
import type { Program } from '../ops/elementwiseProgram.js';
import { topologicalOrder } from './topological.js';

/** One output of an operation. */
export class Operand implements Type {
  /** Operations that read it, the sink included. */
  readonly users = new Set<Operation>();

  constructor(
    readonly producer: Operation,
    readonly index: number,
    readonly shape: readonly number[],
    readonly dtype: DType,
  ) {}
}

/**
 * One op of the graph that the passes rewrite. Unlike a `Node` of the traced graph it knows its users and may get other inputs;
 * it remembers the nodes that it stands for, which messages and `explain()` name.
 */
export class Operation {
  readonly outputs: readonly Operand[];
  readonly inputs: Operand[];
  /** Place in `Graph.operations`, as of the last `tidy()`. */
  position = 0;

  constructor(
    readonly op: Op,
    inputs: readonly Operand[],
    readonly attributes: Attributes,
    types: readonly Type[],
    readonly sources: readonly Node[],
    /** Where the traced graph would have it: order is kept as far as the rewrites allow. */
    readonly order: number,
    /** Of `elementwise` only. */
    readonly program?: Program,
  ) {
    this.inputs = [...inputs];
    this.outputs = types.map((type, i) => new Operand(this, i, type.shape, type.dtype));
    for (const input of inputs) input.users.add(this);
  }

  /** Copies of a checkpointed region are never merged with the originals. */
  get recomputed(): number {
    return this.sources[0]?.recomputed ?? 0;
  }
}

/** Reads whatever the graph must produce, so that a root counts as a user like any other. */
const sinkRecord: Op = { name: 'sink', cost: 'effect', infer: () => [] };

export interface Binding {
  readonly value: Value;
  readonly kind: 'input' | 'state';
}

export interface Roots {
  readonly results: readonly Value[];
  readonly updates: readonly { readonly target: Value; readonly value: Value }[];
  readonly checks: readonly Value[];
  readonly bindings: readonly Binding[];
}

/** The operations of one plan, and what must come out of them. */
export class Graph {
  /** In topological order after `tidy()`; a pass that adds operations calls it when done. */
  operations: Operation[] = [];
  readonly sink: Operation;
  /** The leaf of each binding; undefined for one that nothing reads. */
  readonly leaves: (Operand | undefined)[];
  private readonly counts: { readonly results: number; readonly updates: number; readonly checks: number };
  private readonly targets: readonly number[];

  /** Takes over what `roots` need of the traced graph. */
  static *of(roots: Roots, due: () => boolean): Generator<void, Graph> {
    const values = [...roots.results, ...roots.updates.map((update) => update.value), ...roots.checks];
    const imported = new Map<Value, Operand>();
    const operations: Operation[] = [];
    for (const node of yield* walk(values, due)) {
      const operation = new Operation(
        node.op,
        node.inputs.map((input) => imported.get(input)!),
        node.attributes,
        node.outputs,
        [node],
        operations.length,
      );
      operations.push(operation);
      node.outputs.forEach((value, i) => imported.set(value, operation.outputs[i]!));
      if (due()) yield;
    }
    const graph = new Graph(roots, imported, values);
    graph.operations = operations;
    yield* graph.tidy(due);
    return graph;
  }

  private constructor(roots: Roots, imported: ReadonlyMap<Value, Operand>, values: readonly Value[]) {
    this.leaves = roots.bindings.map(({ value }) => imported.get(value));
    const bindingOf = new Map(roots.bindings.map(({ value }, i) => [value, i]));
    this.targets = roots.updates.map(({ target }) => {
      const index = bindingOf.get(target);
      if (index === undefined || roots.bindings[index]!.kind !== 'state') {
        throw new PolluxError('INTERNAL', 'compile: an update must name a leaf that is bound as state');
      }
      return index;
    });
    this.counts = { results: roots.results.length, updates: roots.updates.length, checks: roots.checks.length };
    this.sink = new Operation(
      sinkRecord,
      values.map((value) => imported.get(value)!),
      {},
      [],
      [],
      Infinity,
    );
  }

  get results(): readonly Operand[] {
    return this.sink.inputs.slice(0, this.counts.results);
  }

  /** `binding` is the number of the state that takes the value. */
  get updates(): readonly { readonly binding: number; readonly value: Operand }[] {
    return this.targets.map((binding, i) => ({ binding, value: this.sink.inputs[this.counts.results + i]! }));
  }

  get checks(): readonly Operand[] {
    const start = this.counts.results + this.counts.updates;
    return this.sink.inputs.slice(start, start + this.counts.checks);
  }

  /** Keeps an operation that is there for its effect. */
  guard(operation: Operation): void {
    for (const output of operation.outputs) {
      this.sink.inputs.push(output);
      output.users.add(this.sink);
    }
  }

  /** Adds an operation that takes the place of `like` in the order, and its provenance. */
  add(
    op: Op,
    inputs: readonly Operand[],
    attributes: Attributes,
    types: readonly Type[],
    like: Operation,
    sources: readonly Node[] = like.sources,
    program?: Program,
  ): Operation {
    const operation = new Operation(op, inputs, attributes, types, sources, like.order, program);
    this.operations.push(operation);
    return operation;
  }

  /** Lets every user of `old` read `by` instead. */
  replace(old: Operand, by: Operand): void {
    if (old === by) return;
    for (const user of old.users) {
      for (let i = 0; i < user.inputs.length; i++) if (user.inputs[i] === old) user.inputs[i] = by;
      by.users.add(user);
    }
    old.users.clear();
  }

  /** Drops what nothing needs and restores the topological order. */
  *tidy(due: () => boolean): Generator<void, void> {
    const needed = new Set<Operation>();
    const pending = this.sink.inputs.map((input) => input.producer);
    while (pending.length) {
      const operation = pending.pop()!;
      if (needed.has(operation)) continue;
      needed.add(operation);
      for (const input of operation.inputs) pending.push(input.producer);
      if (due()) yield;
    }
    for (const operation of this.operations) {
      if (!needed.has(operation)) for (const input of operation.inputs) input.users.delete(operation);
    }
    const kept = this.operations.filter((operation) => needed.has(operation));
    kept.forEach((operation, i) => {
      operation.position = i;
    });
    const successors: number[][] = [];
    for (const operation of kept) {
      const list: number[] = [];
      for (const output of operation.outputs) for (const user of output.users) if (user !== this.sink) list.push(user.position);
      successors.push(list);
      if (due()) yield;
    }
    const order = yield* topologicalOrder(
      kept.map((operation) => operation.order),
      successors,
      due,
    );
    this.operations = order.map((i) => kept[i]!);
    if (this.operations.length < kept.length) throw new PolluxError('INTERNAL', 'compile: a pass has made a cycle');
    this.operations.forEach((operation, i) => {
      operation.position = i;
    });
    this.sink.position = this.operations.length;
  }
}

/** A user other than the sink, if it is the only one. */
export function soleUser(operand: Operand): Operation | undefined {
  if (operand.users.size !== 1) return undefined;
  const [user] = operand.users;
  return user;
}
