import type { Module } from './module.js';

/** One call of a module's forward. */
export interface ForwardEvent {
  readonly module: Module;
  /** Path of the module in the model that the hook was set on. */
  readonly path: string;
  readonly inputs: readonly unknown[];
  /** What it gave; undefined before the call. */
  readonly output: unknown;
}

/** What a hook does: look, or return what stands in place of the inputs (a list) or of the output. */
export interface ForwardHook {
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks has no return
  before?(event: ForwardEvent): readonly unknown[] | undefined | void;
  after?(event: ForwardEvent): unknown;
}

/** A hook that is set. */
export interface HookHandle {
  /** Takes the hook away; plans that were compiled before it was set are found again. */
  remove(): void;
  [Symbol.dispose](): void;
}

let hooks = 0;

/** A hook on one module. */
export class SetHook {
  /** Enters the key of compiled plans: a hook is called while a step is traced, and its doing is part of the plan. */
  readonly id = hooks++;

  constructor(
    readonly hook: ForwardHook,
    readonly path: string,
  ) {}
}

/** Calls forward between the hooks. */
export function runHooked(
  module: Module,
  set: readonly SetHook[],
  given: readonly unknown[],
  forward: (inputs: readonly unknown[]) => unknown,
): unknown {
  let inputs = given;
  for (const { hook, path } of set) inputs = hook.before?.({ module, path, inputs, output: undefined }) ?? inputs;
  let output = forward(inputs);
  for (const { hook, path } of set) {
    const replaced = hook.after?.({ module, path, inputs, output });
    if (replaced !== undefined) output = replaced;
  }
  return output;
}
