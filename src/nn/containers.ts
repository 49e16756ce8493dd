import type { Tensor } from '../tensor/index.js';
import { Module } from './module.js';
import { requireLayer } from './run.js';
import type { io, Layer } from './types.js';

/** Modules (or functions) in a list, named by their places: `0.weight`. It computes nothing: whoever holds it calls them. */
export class ModuleList<M extends Layer | Module = Module> extends Module implements Iterable<M> {
  readonly items: M[] = [];

  constructor(items: Iterable<M> = []) {
    super();
    for (const item of items) this.push(item);
  }

  get length(): number {
    return this.items.length;
  }

  /** The one at a place; negative places count from the end. */
  at(index: number): M {
    const item = this.items.at(index);
    if (item === undefined) throw new RangeError(`ModuleList: there is no ${index} among ${this.length} modules.`);
    return item;
  }

  push(item: M): this {
    requireLayer(`ModuleList: item ${this.length}`, item);
    this.adopt(String(this.items.push(item) - 1), item);
    return this;
  }

  [Symbol.iterator](): Iterator<M> {
    return this.items[Symbol.iterator]();
  }

  override fields(): Iterable<[string, unknown]> {
    return this.items.map((item, i) => [String(i), item]);
  }

  override setField(name: string, value: unknown): void {
    this.items[Number(name)] = value as M;
  }

  forward(): never {
    throw new TypeError('ModuleList: a list computes nothing. Call its modules, or use nn.Sequential.');
  }
}

/** Modules (or functions) by name: `encoder.weight`. It computes nothing: whoever holds it calls them. */
export class ModuleDictionary<T extends Readonly<Record<string, Layer | Module>> = Record<string, Module>> extends Module {
  readonly items = new Map<string, T[string]>();

  constructor(items: T) {
    super();
    for (const [name, item] of Object.entries(items)) {
      requireLayer(`ModuleDictionary: '${name}'`, item);
      if (!name || name.includes('.')) throw new RangeError(`ModuleDictionary: '${name}' is no name: paths are made of names and dots.`);
      this.items.set(name, item as T[string]);
    }
  }

  /** The one of a name. */
  at<K extends keyof T & string>(name: K): T[K] {
    const item = this.items.get(name);
    if (item === undefined) throw new RangeError(`ModuleDictionary: there is no '${name}' among ${[...this.items.keys()].join(', ')}.`);
    return item as T[K];
  }

  keys(): (keyof T & string)[] {
    return [...this.items.keys()] as (keyof T & string)[];
  }

  override fields(): Iterable<[string, unknown]> {
    return this.items;
  }

  override setField(name: string, value: unknown): void {
    this.items.set(name, value as T[string]);
  }

  forward(): never {
    throw new TypeError('ModuleDictionary: a dictionary computes nothing. Call its modules, or use nn.Graph.');
  }
}

/** A function as a module: it has a path, a row in the summary, and hooks. */
export class Lambda<A extends readonly unknown[], R> extends Module {
  constructor(
    readonly fn: (...inputs: A) => R,
    readonly label = fn.name,
  ) {
    super();
    if (typeof fn !== 'function') throw new TypeError(`Lambda: expected a function, got ${typeof fn}.`);
  }

  forward(...inputs: A): R {
    return this.fn(...inputs);
  }
}

/** Gives what it gets: what stands where a layer was taken away. */
export class Identity extends Module {
  declare readonly [io]?: 'same';

  forward<T extends Tensor>(x: T): T {
    return x;
  }
}
