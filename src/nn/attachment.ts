import type { Module } from './module.js';

/**
 * A module that is added to a layer from outside: a parametrisation of its weight, an adapter beside it. Its parameters and buffers
 * are found under the layer's path and its own name.
 */
export interface Attachment extends Module {
  /** Called when it is attached, and for each copy that is. */
  install?(layer: Module): void;
  /** What the layer gives in place of its output. */
  adapt?(output: unknown, inputs: readonly unknown[]): unknown;
}
