import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { drawingInLoop } from './random.js';
import type { OpenShape, Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { currentTrace } from './trace.js';
import { isTensor, mapTree, visitTree } from './tree.js';
import { wrap } from './wrap.js';

/** A shape without its first axis. */
type Rest<S extends Shape> = 0 extends 1 & S
  ? OpenShape
  : S extends readonly [number, ...infer R extends Shape]
    ? readonly [...R]
    : OpenShape;
type Longer<S extends Shape> = 0 extends 1 & S ? OpenShape : readonly [number, ...S];

/** What one iteration sees of the sequences `X`: each tensor without its first axis. */
export type SliceOf<X> = X extends Tensor<infer S, infer D> ? Tensor<Rest<S>, D> : X extends object ? { [K in keyof X]: SliceOf<X[K]> } : X;

/** What is yielded by all iterations: each tensor with a new first axis. */
export type StackOf<Y> =
  Y extends Tensor<infer S, infer D> ? Tensor<Longer<S>, D> : Y extends object ? { [K in keyof Y]: StackOf<Y[K]> } : Y;

export interface ScanOptions {
  /** Number of iterations. Needed without `xs`; with it, it must be the size of the first axis. */
  length?: number;
  /** From the last slice to the first. What an iteration yields lies where its slice lay. */
  reverse?: boolean;
}

/** The tensors of a tree, in order, with their paths; throws for what is no tensor. `undefined` stands for nothing. */
function leavesOf(tree: unknown, role: string): { path: string; value: Value }[] {
  const found: { path: string; value: Value }[] = [];
  visitTree(
    tree,
    (x, path) => {
      if (x === undefined) return;
      if (!isTensor(x)) {
        const what = x instanceof Promise ? 'a promise: the body must be synchronous' : x === null ? 'null' : typeof x;
        throw new TypeError(
          `scan: ${role}${path && ` ${path}`} is ${what}. Only tensors, and lists and objects of tensors, go through a loop; wrap a number as tensor(x).`,
        );
      }
      found.push({ path, value: x.value });
    },
    isTensor,
  );
  return found;
}

/** The tree with its tensors replaced, in order. */
function replaceLeaves(tree: unknown, values: readonly Value[]): unknown {
  let next = 0;
  return mapTree(tree, (x) => (isTensor(x) ? wrap(values[next++]!) : x));
}

const leafName = (role: string, path: string): string => (path ? `${role} ${path}` : `the ${role}`);

function lengthOf(xs: readonly { path: string; value: Value }[], length: number | undefined): number {
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw new RangeError(`scan: length ${length} must be an integer of at least 0`);
  }
  const [first] = xs;
  if (!first) {
    if (length === undefined)
      throw new TypeError('scan: without sequences the number of iterations must be given: scan(fn, init, undefined, { length })');
    return length;
  }
  const count = length ?? first.value.shape[0];
  for (const { path, value } of xs) {
    if (value.shape.length === 0 || value.shape[0] !== count) {
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `scan: ${leafName('sequence', path)} is ${show(value)}, but the loop runs over a first axis of size ${count}.`,
      );
    }
  }
  return count!;
}

/** Throws where an iteration does not leave the carry as it found it. */
function checkCarry(before: readonly { path: string; value: Value }[], after: readonly { path: string; value: Value }[]): void {
  for (const { path, value } of before) {
    const next = after.find((leaf) => leaf.path === path)?.value;
    if (next && next.dtype === value.dtype && sameShape(next.shape, value.shape)) continue;
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `scan: ${leafName('carry', path)} is ${show(value)} at first, but the body returns ${next ? show(next) : 'nothing in its place'}. ` +
        'A carry keeps its shape and dtype: begin with a tensor of the final type, or cast and reshape in the body.',
    );
  }
  const extra = after.find(({ path }) => !before.some((leaf) => leaf.path === path));
  if (extra) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `scan: the body returns ${leafName('carry', extra.path)} (${show(extra.value)}), which the first carry has not.`,
    );
  }
}

/** A state that the body assigns would be overwritten once, with the value of no iteration. */
function refuseAssignments<R>(body: () => R): R {
  const state = currentTrace()?.state;
  const before = new Map([...(state?.values() ?? [])].map((slot) => [slot, slot.value]));
  const result = body();
  for (const [slot, value] of before) {
    if (slot.value === value) continue;
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `scan: the body assigns to ${slot.path}. Return the new value in the carry, and assign it after the loop.`,
    );
  }
  return result;
}

/**
 * A loop as one node of the graph: `fn` is traced once and runs for each slice of `xs` along the first axis, each time with the
 * carry of the time before. The plan does not grow with the number of iterations, and gradients of any order flow through it.
 *
 * ```ts
 * const [last, all] = scan((h, x) => { const next = x.add(h.matmul(w)).tanh(); return [next, next]; }, h0, xs);
 * ```
 *
 * Tensors from outside that `fn` uses are the same in every iteration, and what it computes of them alone is computed once.
 * Random numbers differ between iterations. Control flow in JavaScript is evaluated while `fn` is traced; a choice that depends on
 * data is `where`.
 *
 * @param fn from the carry and one slice to `[carry, y]`; synchronous. `y` may be undefined
 * @param init the first carry: a tensor, or lists and objects of tensors, whose shapes and dtypes stay the same
 * @param xs tensors [length, ...], or undefined with `length` given
 * @returns the last carry, and each `y` stacked along a new first axis: [length, ...]
 * @throws SHAPE_MISMATCH naming the carry or sequence that does not fit; TypeError for what is no tensor
 */
export function scan<C, Y, X = undefined>(
  fn: (carry: C, x: SliceOf<X>) => readonly [carry: C, y?: Y],
  init: C,
  xs?: X,
  options: ScanOptions = {},
): [carry: C, ys: StackOf<Y>] {
  if (typeof fn !== 'function') throw new TypeError('scan: expected a function, scan(fn, init, xs).');
  checkOptions('scan', options, ['length', 'reverse']);
  const carries = leavesOf(init, 'the carry');
  const sequences = leavesOf(xs, 'the sequence');
  const length = lengthOf(sequences, options.length);
  let states: () => { slice: Value; sequence: Value } | undefined = () => undefined;
  let template: unknown;

  const { carry, ys } = ops.scan(
    (carryValues, xValues) => {
      const run = drawingInLoop(length, () =>
        refuseAssignments(() => fn(replaceLeaves(init, carryValues) as C, replaceLeaves(xs, xValues) as SliceOf<X>)),
      );
      states = run.states;
      const result: unknown = run.result;
      if (!Array.isArray(result)) {
        const what =
          (result as unknown) instanceof Promise ? 'a promise: it must be synchronous' : `${result === null ? 'null' : typeof result}`;
        throw new TypeError(`scan: the body must return [carry, y], not ${what}.`);
      }
      const next = leavesOf(result[0], 'the carry');
      checkCarry(carries, next);
      template = result[1];
      return {
        carry: carries.map(({ path }) => next.find((leaf) => leaf.path === path)!.value),
        y: leavesOf(template, 'the yield').map(({ value }) => value),
      };
    },
    carries.map(({ value }) => value),
    sequences.map(({ value }) => value),
    {
      length,
      reverse: options.reverse,
      late: () => {
        const drawn = states();
        return drawn ? [drawn] : [];
      },
    },
  );
  return [replaceLeaves(init, carry) as C, replaceLeaves(template, ys) as StackOf<Y>];
}
