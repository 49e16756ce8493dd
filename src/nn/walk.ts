import { Parameter, type Tensor, TensorBase } from '../tensor/index.js';
import type { Module } from './module.js';

/** What a walk over a module's fields meets. */
export interface Visitor {
  parameter?(path: string, parameter: Parameter): void;
  /** A Tensor field that is no Parameter: saved, not trained. */
  buffer?(path: string, buffer: Tensor): void;
  /** A module, before its fields; the root has the path ''. */
  module?(path: string, module: Module): void;
}

export const join = (path: string, key: string): string => (path ? `${path}.${key}` : `${key}`);

/**
 * Visits parameters, buffers and modules in the order of the fields: own fields, arrays and Maps in fields, what a static
 * `privateFields(instance)` names, and what is attached. Tied weights and shared modules are met once, under their first path.
 */
export function walk(root: Module, visitor: Visitor, at = ''): void {
  const seen = new Set<object>();
  const visit = (value: object, path: string): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (value instanceof TensorBase) {
      if (value instanceof Parameter) visitor.parameter?.(path, value);
      else visitor.buffer?.(path, value as Tensor);
    } else if (isModule(value)) {
      visitor.module?.(path, value);
    }
    eachEntry(value, (key, item) => {
      if (typeof item === 'object' && item !== null) visit(item, join(path, key));
    });
  };
  visit(root, at);
}

/** Calls a function with what lies under a module, an array or a Map, by name. Each step walks its model: no lists are made. */
export function eachEntry(value: object, fn: (key: string, item: unknown) => void): void {
  if (value instanceof TensorBase) return;
  if (isModule(value)) {
    for (const [key, item] of value.fields()) fn(key, item);
    if (value.attachments.size) for (const [key, item] of value.attachments) fn(key, item);
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) fn(String(i), value[i]);
  } else if (value instanceof Map) {
    for (const [key, item] of value) fn(String(key), item);
  }
}

/** Marks modules without importing their class, which imports this file. */
export const moduleMark = Symbol('pollux.module');
export const isModule = (value: object): value is Module => moduleMark in value;
