import { byteSize } from '../graph/dtype.js';
import type { Type } from '../graph/op.js';
import { sizeOf } from '../graph/op.js';
import type { ScanAttributes } from '../ops/index.js';
import { lifetimes, planArena } from './arena.js';
import type { Block } from './arena.js';
import { StepBuilder } from './buildSteps.js';
import { downstream, mayOverwrite } from './commit.js';
import { Graph } from './graph.js';
import type { Operation } from './graph.js';
import { contiguous, isContiguous } from './layout.js';
import { optimise } from './optimise.js';
import { orderSteps } from './order.js';
import { Buffer, isWhole, Step } from './step.js';
import type { LoopSteps, Move, View } from './step.js';
import type { Target } from './target.js';

const bytesOf = ({ shape, dtype }: Type): number => sizeOf(shape) * byteSize(dtype);

/** Adds the steps of a graph, which has been optimised. */
export function* addSteps(builder: StepBuilder, graph: Graph, target: Target, fuse: boolean, due: () => boolean): Generator<void, void> {
  for (const operation of graph.operations) {
    if (operation.op.loop) yield* addLoop(builder, operation, target, fuse, due);
    else builder.add(operation);
    if (due()) yield;
  }
}

/** A value that lies elsewhere in each iteration. */
function moving(type: Type, move: Move): View {
  const buffer = new Buffer(bytesOf(type), undefined);
  buffer.location = { kind: 'moving', move, offset: 0 };
  return { ...contiguous(type.shape), dtype: type.dtype, buffer };
}

/** How a slice of `whole` along its first axis moves: to the next, or to the one before. */
function sliceBySlice(body: LoopSteps, whole: View, reverse: boolean): Move {
  const stride = whole.strides[0]! * byteSize(whole.dtype);
  return { body, even: whole, odd: whole, start: reverse ? (body.length - 1) * stride : 0, stride: reverse ? -stride : stride };
}

/**
 * Turns a loop into one step that holds the steps of its body.
 *
 * A captured value is read where it lies. A slice of a sequence, or of what is yielded, moves along it. A carry is written to one
 * of two places and read from the other, which change parts with each iteration (or overwritten, if the step that computes it may);
 * the last iteration writes to the step's output, and the first reads what the loop is given. Everything else that the body writes lies in the step's workspace, which is garbage
 * when an iteration begins.
 */
function* addLoop(outer: StepBuilder, operation: Operation, target: Target, fuse: boolean, due: () => boolean): Generator<void, void> {
  const loop = operation.op.loop!;
  const { captures, carries, parameters, results } = loop;
  const { length, reverse } = operation.attributes as ScanAttributes;
  const { sources } = operation;
  const graph = yield* Graph.of(
    { results, updates: [], checks: [], bindings: parameters.map((value) => ({ value, kind: 'input' as const })) },
    due,
  );
  yield* optimise(graph, target, fuse, due);

  const body: LoopSteps = { length, steps: [], buffers: [] };
  const inputs = operation.inputs.map((input, i) => {
    const view = outer.view(input);
    if (i < captures) return view;
    const rest = i < captures + carries ? view : { ...view, shape: view.shape.slice(1), strides: view.strides.slice(1) };
    return isContiguous(rest) ? view : outer.compact(view, sources);
  });
  const step = new Step('scan', operation.op, [], operation.outputs, operation.attributes, sources);
  step.loop = body;
  operation.outputs.forEach((output, i) => outer.define(output, step.outputs[i]!));

  const spares: Block[] = [];
  const written: Move[] = results.map((result, i) => {
    const output = step.outputs[i]!;
    if (i >= carries) return sliceBySlice(body, output, reverse);
    const spare: View = { ...contiguous(result.shape), dtype: result.dtype, buffer: new Buffer(bytesOf(result), undefined) };
    spares.push({ buffers: [spare.buffer], first: 0, last: Infinity, bytes: Math.ceil(spare.buffer.bytes / 64) * 64, offset: 0 });
    // Iteration `length - 1` is the one that must write to the output.
    const [even, odd] = length % 2 ? [output, spare] : [spare, output];
    return { body, even, odd, start: 0, stride: 0 };
  });
  const given = parameters.map((parameter, i) => {
    const input = inputs[i]!;
    if (i < captures) return input;
    if (i >= captures + carries) return moving(parameter, sliceBySlice(body, input, reverse));
    const { even, odd } = written[i - captures]!;
    return moving(parameter, { body, first: input, even: odd, odd: even, start: 0, stride: 0 });
  });

  const inner = new StepBuilder(target, graph, given, { builder: outer, body });
  yield* addSteps(inner, graph, target, fuse, due);
  graph.results.forEach((result, i) => deliver(inner, inner.view(result), written[i]!));

  const overwrites = new Map<Buffer, Step>();
  for (let i = 0; i < carries; i++) {
    const carry = given[captures + i]!.buffer;
    const writer = writerInPlace(inner, carry, written[i]!, overwrites);
    if (!writer || carry.location.kind !== 'moving') continue;
    overwrites.set(carry, writer);
    for (const move of [carry.location.move, written[i]!]) move.even = move.odd = step.outputs[i]!;
  }
  const ordered = yield* orderSteps(inner.steps, { last: new Set(), overwrites }, due);
  const needed = spares.filter((_, i) => !overwrites.has(given[captures + i]!.buffer));
  for (const spare of needed) spare.last = ordered.length;
  const blocks = [...needed, ...(yield* lifetimes(ordered, due))];
  const bytes = yield* planArena(blocks, due);
  body.steps = ordered;
  body.buffers = blocks.flatMap(({ buffers }) => buffers);
  if (bytes) step.write({ shape: [bytes], dtype: 'uint8' });
  // To the steps around it, the loop reads all at once.
  const read = new Set(inputs.slice(captures));
  for (const part of ordered) {
    for (const view of part.inputs) {
      if (inner.owns(view.buffer)) continue;
      view.buffer.readers.delete(part);
      read.add(view);
    }
  }
  for (const view of read) step.read(view);
  outer.append(step);
}

/** Lets the body's result lie where it is wanted: the step that computes it writes it there, or it is copied. */
function deliver(inner: StepBuilder, view: View, move: Move): void {
  const { buffer } = view;
  const producer = inner.owns(buffer) && isWhole(view) ? buffer.producer : undefined;
  const room = (producer?.inputs.length ?? 0) + (producer?.outputs.length ?? 0) < 60;
  const target =
    producer && buffer.location.kind === 'arena'
      ? buffer
      : producer?.program && room
        ? producer.storeAgain(view).buffer
        : inner.copy(view, buffer.producer?.sources ?? []).outputs[0]!.buffer;
  target.location = { kind: 'moving', move, offset: 0 };
}

/**
 * The step that may write the next carry over the one that it reads, so that one place serves: every other reader must be able to
 * go before it. What is updated in part, as a cache is, is not copied then.
 */
function writerInPlace(inner: StepBuilder, carry: Buffer, written: Move, overwrites: ReadonlyMap<Buffer, Step>): Step | undefined {
  for (const step of carry.readers) {
    const output = inner.owns(carry)
      ? step.outputs.findIndex(({ buffer: { location } }) => location.kind === 'moving' && location.move === written)
      : -1;
    if (output < 0 || step.loop || !mayOverwrite(step, output, carry)) continue;
    const behind = downstream(step, overwrites);
    return behind.some((other) => other !== step && carry.readers.has(other)) ? undefined : step;
  }
  return undefined;
}

/** Gives what lies in the workspaces of loops its place in the arena of the plan, once that is laid out. */
export function placeWorkspaces(steps: readonly Step[]): void {
  for (const { loop, outputs } of steps) {
    if (!loop?.buffers.length) continue;
    const { location } = outputs.at(-1)!.buffer;
    for (const buffer of loop.buffers) {
      if (buffer.location.kind === 'arena' && location.kind === 'arena') buffer.location.offset += location.offset;
    }
    placeWorkspaces(loop.steps);
  }
}
