import { byteSize } from '../graph/dtype.js';
import type { Loop } from '../graph/loop.js';
import { reachable } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { lifetimes, livePeak, planArena } from './arena.js';
import { StepBuilder } from './buildSteps.js';
import { planCommits } from './commit.js';
import { explainPlan } from './explain.js';
import type { FrozenNumber } from './explain.js';
import { Graph } from './graph.js';
import type { Operation } from './graph.js';
import { contiguous } from './layout.js';
import { addSteps, placeWorkspaces } from './loopSteps.js';
import { Lowering, labelOf } from './lower.js';
import { optimise } from './optimise.js';
import { orderSteps } from './order.js';
import { recordOf } from './record.js';
import type { CompileRequest } from './request.js';
import { writeResults } from './results.js';
import { slices } from './slices.js';
import { Buffer } from './step.js';
import type { View } from './step.js';
import type { PlanDescription } from './wire/description.js';

export { fingerprint, fingerprintInSlices } from './fingerprint.js';
export { slices } from './slices.js';
export { PlanCache } from './planCache.js';
export type { FrozenNumber } from './explain.js';
export type { Binding } from './graph.js';
export type { CompileOptions, CompileRequest } from './request.js';
export type { KernelDescription, Target } from './target.js';
export type { PlanDescription } from './wire/description.js';

/** A step, and the nodes of the trace that it stands for: messages name their ops, modules and stacks. */
export interface PlanStep {
  readonly kernel: string;
  readonly label: string;
  readonly sources: readonly Node[];
}

/** A graph turned into steps on memory. */
export interface CompiledPlan {
  readonly description: PlanDescription;
  readonly steps: readonly PlanStep[];
  /** Numbers that stood in the traced code: a plan does not see them change. */
  readonly frozen: readonly FrozenNumber[];
  readonly arenaBytes: number;
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Bytes that the steps of one run read and write. */
  readonly bytes: number;
  /** A table of the steps; with a profile (nanoseconds of each step), of their times too. */
  explain(profile?: Float64Array): string;
}

/** Compiles step by step: every `next()` holds the thread for about 4 ms. */
export function* compileGraph(request: CompileRequest): Generator<void, CompiledPlan> {
  const { target, bindings, options } = request;
  const fuse = options?.fuse ?? true;
  const due = slices();

  const graph = yield* Graph.of(request, due);
  const frozen = frozenNumbers(graph);
  yield* optimise(graph, target, fuse, due);
  yield* addChecks(graph, due);

  const given = bindings.map(({ value }, index) => bound(value, index));
  const builder = new StepBuilder(target, graph, given);
  yield* addSteps(builder, graph, target, fuse, due);
  const commits = yield* planCommits(
    builder,
    graph.updates.map(({ binding, value }) => ({ state: given[binding]!.buffer, value: builder.view(value) })),
    due,
  );
  const results = writeResults(
    builder,
    graph.results.map((result) => builder.view(result)),
    commits,
  );
  if (due()) yield;

  const ordered = yield* orderSteps(builder.steps, commits, due);
  const blocks = yield* lifetimes(ordered, due);
  const arenaBytes = yield* planArena(blocks, due);
  placeWorkspaces(ordered);
  const lowering = new Lowering();
  for (const step of ordered) {
    lowering.add(step);
    if (due()) yield;
  }
  const description = lowering.finish({
    arenaBytes,
    bindings: bindings.map(({ kind }, i) => ({ bytes: given[i]!.buffer.bytes, kind })),
    results,
    constants: builder.constants.bytes(),
  });
  const account = { description, steps: lowering.order, blocks, livePeak: livePeak(blocks), frozen };
  return {
    description,
    steps: lowering.order.map((step) => ({ kernel: step.kernel, label: labelOf(step), sources: step.sources })),
    frozen,
    arenaBytes,
    flops: description.steps.reduce((total, step) => total + step.flops, 0),
    bytes: description.steps.reduce((total, step) => total + step.bytes, 0),
    explain: (profile) => explainPlan(account, profile),
  };
}

/** What a binding holds before the plan runs. */
function bound({ shape, dtype }: Value, index: number): View {
  const buffer = new Buffer(sizeOf(shape) * byteSize(dtype), undefined);
  buffer.location = { kind: 'binding', index, offset: 0 };
  return { ...contiguous(shape), dtype, buffer };
}

/** Every loss and norm is looked at where it lies, once. */
function* addChecks(graph: Graph, due: () => boolean): Generator<void, void> {
  for (const check of new Set(graph.checks)) {
    const producer: Operation = check.producer;
    graph.guard(graph.add(recordOf('checkFinite'), [check], {}, [check], producer));
  }
  yield* graph.tidy(due);
}

function frozenNumbers(graph: Graph): FrozenNumber[] {
  const found = new Map<string, { value: number; dtype: string; scope: string; uses: number }>();
  const constant = recordOf('constant');
  const add = ({ attributes, outputs: [output], scope }: Node, uses: number): void => {
    const value = attributes['value'] as number;
    const { dtype } = output!;
    const key = `${scope}|${dtype}|${value}`;
    const number = found.get(key) ?? { value, dtype, scope, uses: 0 };
    number.uses += uses;
    found.set(key, number);
  };
  const addBody = (loop: Loop): void => {
    for (const { op, inputs } of reachable(loop.results)) {
      for (const { node } of inputs) if (node.op === constant) add(node, 1);
      if (op.loop) addBody(op.loop);
    }
  };
  for (const { op, outputs, sources } of graph.operations) {
    if (op === constant) add(sources[0]!, outputs[0]!.users.size);
    if (op.loop) addBody(op.loop);
  }
  return [...found.values()];
}
