import { TensorBase } from './base.js';

/** Tensors (or T) in nested arrays and plain objects, as functions take and return them. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** True for the containers that trees are made of; class instances are leaves. */
const isPlain = (x: unknown): x is Record<string, unknown> => {
  if (typeof x !== 'object' || x === null) return false;
  const prototype = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
};

/** Visits the leaves in order of appearance, with their paths (`[0].x`). `leaf` says what is not to be entered. */
export function visitTree(tree: unknown, visit: (leaf: unknown, path: string) => void, leaf: (x: unknown) => boolean, path = ''): void {
  if (leaf(tree)) visit(tree, path);
  else if (Array.isArray(tree)) tree.forEach((child, i) => visitTree(child, visit, leaf, `${path}[${i}]`));
  else if (isPlain(tree)) for (const [key, child] of Object.entries(tree)) visitTree(child, visit, leaf, path ? `${path}.${key}` : key);
  else visit(tree, path);
}

/** A copy of the tree with each leaf replaced. */
export function mapTree(tree: unknown, map: (leaf: unknown) => unknown, leaf: (x: unknown) => boolean = isTensor): unknown {
  if (leaf(tree)) return map(tree);
  if (Array.isArray(tree)) return tree.map((child) => mapTree(child, map, leaf));
  if (isPlain(tree)) return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, mapTree(child, map, leaf)]));
  return map(tree);
}

export const isTensor = (x: unknown): x is TensorBase => x instanceof TensorBase;

/** The tensors of a tree, in order. */
export function tensorsOf(tree: unknown): TensorBase[] {
  const found: TensorBase[] = [];
  visitTree(tree, (x) => isTensor(x) && found.push(x), isTensor);
  return found;
}
