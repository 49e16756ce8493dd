import type { CompileRequest } from '../compiler/index.js';
import { PolluxError } from '../errors.js';
import { reachable, type Value } from '../graph/node.js';
import type { Type } from '../graph/op.js';
import { leaf } from '../ops/index.js';
import type { Device } from '../runtime/index.js';
import { type Argument, replaceArguments } from './arguments.js';
import type { TensorBase } from './base.js';
import type { Storage } from './storage.js';
import type { Tensor } from './tensor.js';
import { runTrace, type StateSlot, Trace } from './trace.js';
import { isTensor, mapTree } from './tree.js';
import { wrap } from './wrap.js';

/** Something whose tensors a step may read and overwrite: a module, an optimizer, a metric. */
export interface Stateful {
  /** Visits the tensors with their paths. */
  visitState(visit: (path: string, tensor: TensorBase) => void): void;
  /** What, beside the tensors, decides which graph the function builds: train or eval mode, frozen parameters. */
  stateKey(): string;
}

/** Where a binding of the plan comes from at each run. */
export type Source =
  | { readonly from: 'argument'; readonly index: number }
  | { readonly from: 'state'; readonly slot: StateSlot; readonly updated: boolean }
  | { readonly from: 'constant'; readonly storage: Storage }
  | { readonly from: 'random' };

/** What one run of the user's function gave: the graph of a step, and how calls are mapped on it. */
export interface TracedStep {
  readonly request: CompileRequest;
  readonly sources: readonly Source[];
  readonly updated: readonly StateSlot[];
  /** The function's result with each tensor replaced by its number among the results. */
  readonly template: unknown;
  readonly results: readonly Value[];
  readonly nodes: number;
  readonly milliseconds: number;
}

/** A placeholder in the result template. */
export class ResultNumber {
  constructor(readonly index: number) {}
}

/** Runs a function on tensors without data, to see what it builds: no state is drawn, read or changed. */
export function dryRun<R>(state: readonly Stateful[], inputs: readonly Type[], fn: (...inputs: Tensor[]) => R): R {
  const trace = new Trace();
  for (const owner of state) owner.visitState((path, tensor) => trace.addState(tensor, path));
  const leaves = inputs.map(({ shape, dtype }) => leaf(shape, dtype));
  return runTrace(trace, () => fn(...leaves.map((value) => wrap(value))));
}

/** The error of a function that is async; what its promise comes to is of no interest. */
export function refuseAsync(promise?: Promise<unknown>): PolluxError {
  promise?.catch(() => undefined);
  return new PolluxError(
    'ASYNC_TRACE',
    'compile: the function is async. It is traced once, synchronously, and must not await: read data and results outside of it.',
  );
}

/** Runs the function once on tensors without data, and collects what it built. */
export function traceStep(
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  list: readonly Argument[],
  state: readonly Stateful[],
  device: Device,
  fuse: boolean,
): TracedStep {
  const begin = performance.now();
  const trace = new Trace();
  for (const owner of state) {
    owner.visitState((path, tensor) => trace.addState(tensor, path));
  }
  const inputs = list.map((argument) => leaf(argument.shape, argument.dtype));
  const returned = runTrace(trace, () => {
    const tensors = inputs.map((value, i) => Object.assign(wrap(value), { name: list[i]!.path }));
    const result = fn(...(replaceArguments(args, tensors) as never[]));
    const results: Value[] = [];
    const template = mapTree(result, (x) => {
      if (x instanceof Promise) throw refuseAsync(x);
      if (!isTensor(x)) return x;
      results.push(x.value);
      return new ResultNumber(results.length - 1);
    });
    return { results, template };
  });
  const updated = [...trace.state.values()].filter((slot) => slot.value !== slot.leaf);
  const checks = trace.checks;
  const used = reachable([...returned.results, ...checks, ...updated.flatMap((slot) => [slot.value, slot.leaf])]);
  const known = new Map<Value, Source>();
  inputs.forEach((value, index) => known.set(value, { from: 'argument', index }));
  for (const slot of trace.state.values()) known.set(slot.leaf, { from: 'state', slot, updated: slot.value !== slot.leaf });
  for (const [value, storage] of trace.constants) known.set(value, { from: 'constant', storage });
  known.set(trace.random, { from: 'random' });
  const bindings: { value: Value; kind: 'input' | 'state' }[] = [];
  const sources: Source[] = [];
  for (const node of used) {
    if (node.op.name !== 'leaf') continue;
    const value = node.outputs[0]!;
    const source = known.get(value);
    if (!source)
      throw new PolluxError(
        'CAPTURED_TENSOR',
        'compile: the function uses a tensor from another trace. Return tensors from the function that built them, and pass them in.',
      );
    sources.push(source);
    bindings.push({ value, kind: source.from === 'state' && source.updated ? 'state' : 'input' });
  }
  return {
    request: {
      results: returned.results,
      updates: updated.map((slot) => ({ target: slot.leaf, value: slot.value })),
      checks,
      bindings,
      target: device,
      options: { fuse },
    },
    sources,
    updated,
    template: returned.template,
    results: returned.results,
    nodes: used.length,
    milliseconds: performance.now() - begin,
  };
}
