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

const join = (path: string, key: string | number): string => (path ? `${path}.${key}` : `${key}`);

/**
 * Visits parameters, buffers and modules in the order of the fields: own fields, arrays and Maps in fields, and what a
 * static `privateFields(instance)` names. Tied weights and shared modules are met once, under their first path.
 */
export function walk(root: Module, visitor: Visitor): void {
  const seen = new Set<object>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    if (value instanceof TensorBase) {
      seen.add(value);
      if (value instanceof Parameter) visitor.parameter?.(path, value);
      else visitor.buffer?.(path, value as Tensor);
    } else if (isModule(value)) {
      seen.add(value);
      visitor.module?.(path, value);
      for (const [key, field] of value.fields()) visit(field, join(path, key));
    } else if (Array.isArray(value)) {
      seen.add(value);
      value.forEach((item, i) => visit(item, join(path, i)));
    } else if (value instanceof Map) {
      seen.add(value);
      for (const [key, item] of value) visit(item, join(path, String(key)));
    }
  };
  visit(root, '');
}

/** Marks modules without importing their class, which imports this file. */
export const moduleMark = Symbol('pollux.module');
const isModule = (value: object): value is Module => moduleMark in value;
