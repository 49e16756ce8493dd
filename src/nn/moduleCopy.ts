import { PolluxError } from '../errors.js';
import { leafTensor, Parameter, TensorBase, type Tensor, type TypedArray } from '../tensor/index.js';
import type { Attachment } from './attachment.js';
import type { Module } from './module.js';
import { buffer, isPersistent } from './persistence.js';
import { isModule } from './walk.js';

type Make = (module: Module) => Module;

/** Copies everything that a module holds; functions and foreign objects are shared. */
class Copier {
  readonly #known = new Map<object, object>();

  constructor(
    readonly values: ReadonlyMap<TensorBase, TypedArray>,
    readonly make: Make,
  ) {}

  copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#known.get(value);
    if (known) return known;
    if (value instanceof TensorBase) return this.#remember(value, this.#tensor(value as Tensor));
    if (isModule(value)) return this.module(value);
    if (Array.isArray(value)) return this.#remember(value, [] as unknown[], (made) => made.push(...value.map((item) => this.copy(item))));
    if (value instanceof Map)
      return this.#remember(value, new Map<unknown, unknown>(), (made) =>
        value.forEach((item, key) => void made.set(key, this.copy(item))),
      );
    if (Object.getPrototypeOf(value) === Object.prototype)
      return this.#remember(value, {}, (made) =>
        Object.assign(made, Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.copy(item)]))),
      );
    return value;
  }

  module(from: Module): Module {
    const made = this.make(from);
    this.#known.set(from, made);
    for (const [key, value] of Object.entries(from)) (made as unknown as Record<string, unknown>)[key] = this.copy(value);
    for (const [name, attachment] of from.attachments) made.attach(name, this.copy(attachment) as Attachment);
    return made;
  }

  #remember<T extends object>(from: object, made: T, fill?: (made: T) => void): T {
    this.#known.set(from, made);
    fill?.(made);
    return made;
  }

  #tensor(from: Tensor): Tensor {
    const data = this.values.get(from);
    if (!data) return from; // an expression in a field that is not walked: as much a constant as a number
    const value = leafTensor(from.shape, from.dtype, data);
    if (!(from instanceof Parameter)) return buffer(value, { persistent: isPersistent(from) });
    const made = new Parameter(from.shape, () => value.value, from.dtype);
    made.trainable = from.trainable;
    return made as Tensor;
  }
}

/** @internal Throws for classes with members that a copy without their constructor would lack. */
export function requireOpen(module: Module): void {
  for (let at = module.constructor; at.name !== 'Module'; at = Object.getPrototypeOf(at) as typeof at) {
    if (!/(^|[\s.;{*])#[A-Za-z_$]/.test(Function.prototype.toString.call(at))) continue;
    throw new PolluxError(
      'UNSUPPORTED',
      `copy: ${at.name} has #private members, which only its constructor makes. Give it a method renew() { return new ${at.name}(...); }.`,
    );
  }
}

/** @internal A copy of a module with values at hand; `make` gives a module of the class with nothing in its fields. */
export function copyOf(root: Module, values: ReadonlyMap<TensorBase, TypedArray>, make: Make): Module {
  return new Copier(values, make).module(root);
}
