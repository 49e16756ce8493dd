import { PolluxError } from '../errors.js';
import { context, type Value, withContext } from '../graph/node.js';
import { show } from '../graph/op.js';
import { leaf } from '../ops/index.js';
import { type Storage, storageOf } from './storage.js';
import type { TensorBase } from './base.js';

/** A state tensor while a function is traced: the leaf it came in as, and what it stands for now. */
export interface StateSlot {
  readonly tensor: TensorBase;
  readonly path: string;
  readonly leaf: Value;
  value: Value;
}

/** What `compile` learns while it runs the user's function once. */
export class Trace {
  readonly state = new Map<TensorBase, StateSlot>();
  readonly checks: Value[] = [];
  /** Tensors made from data inside the trace: bound again at each run. */
  readonly constants = new Map<Value, Storage>();
  readonly random: Value = leaf([3], 'int64');
  usesRandom = false;
  #draws = new Map<string, number>();

  /** The stream of the next draw: a hash of the module's path and the draw's number within it. */
  nextStream(): number {
    this.usesRandom = true;
    const n = this.#draws.get(context.scope) ?? 0;
    this.#draws.set(context.scope, n + 1);
    return hashStream(`${context.scope}#${n}`);
  }

  addState(tensor: TensorBase, path: string): void {
    if (this.state.has(tensor)) return;
    const value = leaf(tensor.shape, tensor.dtype);
    this.state.set(tensor, { tensor, path, leaf: value, value });
  }

  /** What a tensor stands for inside the trace. */
  read(tensor: TensorBase, own: Value | undefined, madeIn: Trace | undefined): Value {
    const slot = this.state.get(tensor);
    if (slot) return slot.value;
    if (own && madeIn === this) {
      const storage = storageOf(own);
      if (storage) this.constants.set(own, storage);
      return own;
    }
    if (tensor.isParameter) {
      throw new PolluxError(
        'UNREGISTERED_PARAMETER',
        `compile: the function reads the parameter ${tensor.label()}, which belongs to none of the modules in \`state\`. ` +
          'Add its module to compile({ state: [...] }), or keep the parameter in a field (or an array or Map in a field) of that module.',
      );
    }
    throw new PolluxError(
      'CAPTURED_TENSOR',
      `compile: the function reads the tensor ${tensor.label()} from outside; its value would be frozen into the plan. ` +
        'Pass it as an argument, or declare its owner in `state`, or build it inside the function.',
    );
  }

  write(tensor: TensorBase, value: Value): void {
    const slot = this.state.get(tensor);
    if (!slot) {
      throw new PolluxError(
        'CAPTURED_TENSOR',
        `compile: the function assigns to the tensor ${tensor.label()}, which is not declared in \`state\`. Declare its owner there.`,
      );
    }
    if (show(slot.leaf) !== show(value)) {
      throw new PolluxError('SHAPE_MISMATCH', `assign: ${slot.path} is ${show(slot.leaf)} and cannot take ${show(value)}.`);
    }
    slot.value = value;
  }
}

let active: Trace | undefined;

/** The trace that is running, if one is. */
export const currentTrace = (): Trace | undefined => active;

export function runTrace<R>(trace: Trace, fn: () => R): R {
  if (active)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      'compile: a compiled function was called inside the trace of another. Call the plain function there.',
    );
  active = trace;
  try {
    return withContext({ scope: '', captureStacks: true }, fn);
  } finally {
    active = undefined;
  }
}

/**
 * Runs a rule of a user's op, at whatever time the compiler or the gradient asks for it. As in a trace, numbers are constants
 * and other tensors are refused; unlike one, it may run inside of a trace, and keeps the scope.
 */
export function runRule<R>(op: string, fn: () => R): R {
  const before = active;
  const trace = new Trace();
  active = trace;
  try {
    const result = fn();
    if (trace.usesRandom)
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `${op}: the rules of an op draw no random numbers. Draw them outside, and pass them as an input.`,
      );
    return result;
  } finally {
    active = before;
  }
}

/** Throws where reading a value would need it before the plan has run. */
export function refuseInTrace(what: string): void {
  if (!active) return;
  throw new PolluxError(
    'READ_IN_TRACE',
    `${what} was called while compile traces the function: values are not known yet, only shapes. Return the tensor and read it after the step; choose between values with where().`,
  );
}

/** FNV-1a, 32 bits. */
export function hashStream(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
