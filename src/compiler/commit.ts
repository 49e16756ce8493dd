import type { StepBuilder } from './buildSteps.js';
import { isContiguous } from './layout.js';
import { isWhole } from './step.js';
import type { Buffer, Step, View } from './step.js';

/** A state and the value that it takes at the end of the plan. */
export interface Update {
  /** The state's buffer before the plan runs. */
  readonly state: Buffer;
  readonly value: View;
}

/** The steps that end a plan, and what must come before each. */
export interface CommitPhase {
  /** Steps that overwrite state and all that reads what they wrote. */
  readonly last: Set<Step>;
  /** The step that overwrites a state: every reader of the old content goes first. */
  readonly overwrites: ReadonlyMap<Buffer, Step>;
}

/**
 * Decides how each state gets its new value.
 *
 * A step that may write over its input writes into the state itself if that input is the state. Every other value is computed
 * elsewhere and copied at the end. In place is refused where a step that can fail, or that reads the old content, would have to
 * run after the overwrite.
 */
export function* planCommits(builder: StepBuilder, updates: readonly Update[], due: () => boolean): Generator<void, CommitPhase> {
  const overwrites = new Map<Buffer, Step>();
  const last = new Set<Step>();
  const final = new Map(updates.map((update) => [update.state, update.value]));
  const changed = [...final].filter(([state, value]) => !(value.buffer === state && isWhole(value)));
  const overwritten = new Set(changed.map(([state]) => state));

  const copied: [Buffer, View][] = [];
  for (const [state, value] of changed) {
    if (due()) yield;
    if (appendInPlace(state, value, { last, overwrites })) continue;
    const writer = inPlaceWriter(state, value);
    const behind = writer && downstream(writer, overwrites);
    if (!writer || !behind || behind.some((step) => canFail(step) || (step !== writer && state.readers.has(step)))) {
      // A value that is another state, or a view of one, is saved before that state is overwritten.
      copied.push([state, overwritten.has(value.buffer) ? builder.copy(value, []).outputs[0]! : value]);
      continue;
    }
    value.buffer.location = state.location;
    writer.commit = true;
    overwrites.set(state, writer);
    for (const step of behind) last.add(step);
  }
  for (const [state, value] of copied) {
    const step = builder.copy(value, value.buffer.producer?.sources ?? []);
    step.outputs[0]!.buffer.location = state.location;
    step.commit = true;
    overwrites.set(state, step);
    last.add(step);
  }
  return { last, overwrites };
}

/** Ops that may set the status word: none may run once a state has been overwritten. */
const canFail = (step: Step): boolean => step.op.reports === true;

/**
 * Lets steps that append rows to a state write into it at once: what they write counts only once another state says so, so they are
 * no commits, and what comes behind them may fail. Refused where the content before is still to be read behind one of them.
 */
function appendInPlace(state: Buffer, value: View, { last, overwrites }: { last: Set<Step>; overwrites: Map<Buffer, Step> }): boolean {
  if (value.buffer === state) return false; // a view of itself
  const chain: { step: Step; from: Buffer }[] = [];
  for (let to = value.buffer; to !== state; to = chain[0]!.from) {
    const step = to.producer;
    const from = step?.inputs[0]?.buffer;
    if (!step?.op.appends || !from || to.location.kind !== 'arena' || !isWhole(value) || !mayOverwrite(step, 0, from)) return false;
    chain.unshift({ step, from });
  }
  for (const { step, from } of chain) {
    const behind = new Set(downstream(step, overwrites));
    for (const reader of from.readers) if (reader !== step && (behind.has(reader) || last.has(reader))) return false;
  }
  for (const { step, from } of chain) {
    step.append = true;
    step.outputs[0]!.buffer.location = state.location;
    overwrites.set(from, step);
  }
  return true;
}

/** The step that may compute `value` right into `state`. */
function inPlaceWriter(state: Buffer, value: View): Step | undefined {
  const step = value.buffer.producer;
  if (!step || value.buffer.location.kind !== 'arena' || !isWhole(value) || value.buffer.bytes !== state.bytes) return undefined;
  const output = step.outputs.findIndex(({ buffer }) => buffer === value.buffer);
  return mayOverwrite(step, output, state) ? step : undefined;
}

/**
 * Whether output `output` of a step may lie where its input `state` lies. A program reads an element of every input before it
 * stores that element, so it may if it reads `state` as it lies in memory; other ops declare which input an output may take.
 */
export function mayOverwrite(step: Step, output: number, state: Buffer): boolean {
  const readers = step.inputs.filter(({ buffer }) => buffer === state);
  if (!readers.length || !readers.every(isWhole)) return false;
  if (step.program) return readers.every((view) => isContiguous(view));
  if (readers.length > 1) return false;
  return step.op.inPlace?.some(([to, from]) => to === output && step.inputs[from]?.buffer === state) ?? false;
}

/** `step` and all that must run after it, by what it writes or by what is overwritten. */
export function downstream(step: Step, overwrites: ReadonlyMap<Buffer, Step>): Step[] {
  const found = new Set([step]);
  for (const current of found) {
    for (const consumer of current.consumers()) found.add(consumer);
    for (const { buffer } of current.inputs) {
      const writer = overwrites.get(buffer);
      if (writer) found.add(writer);
    }
  }
  return [...found];
}
