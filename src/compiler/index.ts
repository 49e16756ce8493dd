import type { Node } from '../graph/node.js';
import { lifetimes, livePeak, planArena } from './arena.js';
import { StepBuilder } from './buildSteps.js';
import { planCommits } from './commit.js';
import { decompose } from './decompose.js';
import { explainPlan } from './explain.js';
import type { FrozenNumber } from './explain.js';
import { fuseContractions } from './fuseContractions.js';
import { fuseElementwise } from './fuseElementwise.js';
import { Graph } from './graph.js';
import type { Operand, Operation } from './graph.js';
import { Lowering, labelOf } from './lower.js';
import { orderSteps } from './order.js';
import { rewritePooling } from './pooling.js';
import { recordOf } from './record.js';
import type { CompileRequest } from './request.js';
import { writeResults } from './results.js';
import { simplify } from './simplify.js';
import { slices } from './slices.js';
import type { PlanDescription } from './wire/description.js';

export { fingerprint } from './fingerprint.js';
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
  yield* simplify(graph, due);
  if (fuse) yield* rewritePooling(graph, due);
  if (yield* decompose(graph, target, due)) yield* simplify(graph, due);
  if (fuse) yield* fuseContractions(graph, target, due);
  yield* fuseElementwise(graph, target, fuse, due);
  yield* addChecks(graph, due);

  const builder = new StepBuilder(target, bindings, graph);
  for (const operation of graph.operations) {
    builder.add(operation);
    if (due()) yield;
  }
  const commits = planCommits(
    builder,
    graph.updates.map(({ binding, value }) => ({ state: builder.bindings[binding]!, value: builder.view(value) })),
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
  const lowering = new Lowering();
  for (const step of ordered) {
    lowering.add(step);
    if (due()) yield;
  }
  const description = lowering.finish({
    arenaBytes,
    bindings: bindings.map(({ kind }, i) => ({ bytes: builder.bindings[i]!.bytes, kind })),
    results,
    constants: builder.constants.bytes(),
  });
  const account = { description, steps: ordered, blocks, livePeak: livePeak(blocks), frozen };
  return {
    description,
    steps: ordered.map((step) => ({ kernel: step.kernel, label: labelOf(step), sources: step.sources })),
    frozen,
    arenaBytes,
    flops: description.steps.reduce((total, step) => total + step.flops, 0),
    bytes: description.steps.reduce((total, step) => total + step.bytes, 0),
    explain: (profile) => explainPlan(account, profile),
  };
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
  for (const { op, attributes, outputs, sources } of graph.operations) {
    if (op !== constant) continue;
    const [output] = outputs as [Operand];
    const scope = sources[0]?.scope ?? '';
    const value = attributes['value'] as number;
    const key = `${scope}|${output.dtype}|${value}`;
    const number = found.get(key) ?? { value, dtype: output.dtype, scope, uses: 0 };
    number.uses += output.users.size;
    found.set(key, number);
  }
  return [...found.values()];
}
