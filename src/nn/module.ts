import { checkOptions, PolluxError } from '../errors.js';
import { context, withContext } from '../graph/node.js';
import { readSafetensors, writeSafetensors } from '../io/index.js';
import {
  evaluate,
  generator,
  leafTensor,
  type Parameter,
  type Stateful,
  type Tensor,
  type TensorBase,
  type TypedArray,
} from '../tensor/index.js';
import type { Attachment } from './attachment.js';
import { type ForwardEvent, type ForwardHook, type HookHandle, runHooked, SetHook } from './hooks.js';
import { copyOf, requireOpen } from './moduleCopy.js';
import { matchNames } from './names.js';
import { lookUp, putAt } from './paths.js';
import { isPersistent } from './persistence.js';
import { type SummaryInput, type SummaryOptions, summarize } from './summary.js';
import type { Layer } from './types.js';
import { join, moduleMark, walk } from './walk.js';

/** Data of a model by path. */
export type StateDictionary = Map<string, Tensor>;

let modules = 0;

/** Whether a path is meant: by a pattern, by its name or that of a module around it. */
const isMeant = (path: string, pattern: RegExp | string): boolean =>
  typeof pattern === 'string' ? path === pattern || pattern === '' || path.startsWith(`${pattern}.`) : pattern.test(path);

/**
 * Base of layers and models. Parameters, buffers and submodules are found by walking the fields; their paths are the names
 * in saved files (`first.weight`). A `Parameter` field is trained, a plain `Tensor` field is a buffer: saved, not trained.
 */
export abstract class Module implements Stateful {
  #training = true;
  #path: string | undefined;
  /** Tells plans of one structure from those of another: a module that is replaced, or whose function is, counts as another. */
  #id = `${modules++}`;
  #hooks: readonly SetHook[] = [];
  /** @internal What is added to it from outside, by name. */
  readonly #attachments = new Map<string, Attachment>();
  /** @internal */
  readonly [moduleMark] = true;

  constructor() {
    // Every call of forward enters the module's scope, so that errors, profiles and random streams know its path.
    const plain = this.forward;
    if (typeof plain !== 'function') return;
    Object.defineProperty(this, 'forward', {
      configurable: true,
      writable: true,
      enumerable: false,
      value: (...inputs: unknown[]) => this.#enter((given) => plain.call(this, ...given), inputs),
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a module may take and give any number of tensors of any shapes
  abstract forward(...inputs: any[]): any;

  #enter(forward: (inputs: readonly unknown[]) => unknown, inputs: readonly unknown[]): unknown {
    if (this.#path === undefined) this.place();
    return withContext({ scope: this.#path || context.scope }, () =>
      runHooked(this, this.#hooks, inputs, (given) => {
        let output = forward(given);
        for (const attachment of this.#attachments.values()) if (attachment.adapt) output = attachment.adapt(output, given);
        return output;
      }),
    );
  }

  /** Names and values of the fields that are walked. Override to give a container's children other names, and setField with it. */
  fields(): Iterable<[string, unknown]> {
    const hook = (this.constructor as { privateFields?: (module: Module) => Record<string, unknown> }).privateFields;
    return hook ? [...Object.entries(this), ...Object.entries(hook(this))] : Object.entries(this);
  }

  /** Puts a value in place of what `fields()` gives by this name: what `replace` does to the module that holds it. */
  setField(name: string, value: unknown): void {
    if (!(name in this))
      throw new PolluxError('UNSUPPORTED', `replace: '${name}' of ${this.constructor.name} is private; override setField to put it there.`);
    (this as Record<string, unknown>)[name] = value;
  }

  /** @internal Gives a module that was put into this one later its paths, if the others have theirs. */
  protected adopt(name: string, value: unknown): void {
    if (value instanceof Module && this.#path !== undefined) value.place(join(this.#path, name));
  }

  /** @internal */
  get attachments(): ReadonlyMap<string, Attachment> {
    return this.#attachments;
  }

  /** @internal Adds a module from outside, or takes it away. */
  attach(name: string, attachment: Attachment | undefined): void {
    if (!attachment) {
      this.#attachments.delete(name);
      return;
    }
    this.#attachments.set(name, attachment);
    this.adopt(name, attachment);
    attachment.install?.(this);
  }

  /** @internal Gives each module and parameter its path, once: the first root that is used names what it holds. */
  place(at = ''): void {
    const number = generator.step++;
    const visitor = {
      module: (path: string, module: Module) => {
        module.#path ??= path;
      },
      parameter: (path: string, parameter: Parameter) => parameter.place(path, number),
      buffer: (path: string, buffer: Tensor) => {
        buffer.name ??= path;
      },
    };
    walk(this, visitor, at);
  }

  /** Parameters by path, each once. */
  parameters(): Map<string, Parameter> {
    const found = new Map<string, Parameter>();
    walk(this, { parameter: (path, parameter) => found.set(path, parameter) });
    return found;
  }

  /** Buffers by path: running statistics and the like. */
  buffers(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    walk(this, { buffer: (path, buffer) => found.set(path, buffer) });
    return found;
  }

  /** Submodules by path; this module has the path ''. */
  modules(): Map<string, Module> {
    const found = new Map<string, Module>();
    walk(this, { module: (path, module) => found.set(path, module) });
    return found;
  }

  /** The modules directly below this one, by name; one in an array or Map as `layers.0`. */
  children(): Map<string, Module> {
    const all = this.modules();
    const inner = (path: string): boolean => [...all.keys()].some((other) => other && other !== path && path.startsWith(`${other}.`));
    return new Map([...all].filter(([path]) => path !== '' && !inner(path)));
  }

  /** The module, parameter or buffer at a path; with a class it is checked, and typed. Throws INVALID_ARGUMENT. */
  get(path: string): Module | Tensor;
  get<T extends Module | Tensor>(path: string, type: abstract new (...args: never[]) => T): T;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  get(path: string, type?: abstract new (...args: never[]) => unknown): unknown {
    const found = lookUp(this, path);
    if (!type || found instanceof type) return found;
    throw new PolluxError('INVALID_ARGUMENT', `get: '${path}' is a ${found.constructor.name}, not a ${type.name}.`);
  }

  /** Puts another layer in the place of one. Optimizers that were made before do not know its parameters. */
  replace(path: string, layer: Layer | Module): this {
    putAt(this, path, layer);
    this.#id = `${modules++}`;
    this.adopt(path, layer);
    return this;
  }

  /** Calls a function for every module, children before the modules that hold them. */
  apply(fn: (module: Module, path: string) => void): this {
    for (const [path, module] of [...this.modules()].reverse()) fn(module, path);
    return this;
  }

  /** Number of trained numbers; with `trainable`, of those alone that are not frozen (true) or are (false). */
  countParameters(options: { trainable?: boolean } = {}): number {
    checkOptions('countParameters', options, ['trainable']);
    const { trainable } = options;
    const counted = [...this.parameters().values()].filter((parameter) => trainable === undefined || parameter.trainable === trainable);
    return counted.reduce((sum, parameter) => sum + parameter.size, 0);
  }

  /**
   * Calls a hook with each forward pass of the modules that are meant: this one (''), the one at a path, or all whose path matches. A
   * function is called after forward; it may return what stands in place of the output. While a step is compiled hooks see tensors
   * without data, and what they do is part of the plan: they are not called again when it runs.
   */
  onForward(where: string | RegExp, hook: ForwardHook | ((event: ForwardEvent) => unknown)): HookHandle {
    const targets = [...this.modules()].filter(([path]) => (typeof where === 'string' ? path === where : where.test(path)));
    if (typeof where === 'string' && !targets.length) lookUp(this, where);
    if (!targets.length)
      throw new PolluxError('INVALID_ARGUMENT', `onForward: no module matches ${where}. Paths: ${[...this.modules().keys()].join(', ')}.`);
    const set = targets.map(([path, module]) => [module, new SetHook(typeof hook === 'function' ? { after: hook } : hook, path)] as const);
    for (const [module, one] of set) module.#hooks = [...module.#hooks, one];
    const remove = (): void => {
      for (const [module, one] of set) module.#hooks = module.#hooks.filter((other) => other !== one);
    };
    return { remove, [Symbol.dispose]: remove };
  }

  /** True in training mode, the initial one. */
  get training(): boolean {
    return this.#training;
  }

  /** Training mode for this module and all below: dropout drops, batch norm takes the batch's statistics. */
  train(on = true): this {
    walk(this, {
      module: (_, module) => {
        module.#training = on;
      },
    });
    return this;
  }

  /** Inference mode for this module and all below. */
  eval(): this {
    return this.train(false);
  }

  /** Runs a synchronous function in training or inference mode, and puts the modes back. A compiled step called inside keeps the mode. */
  inMode<R>(training: boolean, fn: () => R): R {
    const before = [...this.modules().values()].map((module) => [module, module.#training] as const);
    this.train(training);
    try {
      return fn();
    } finally {
      for (const [module, mode] of before) module.#training = mode;
    }
  }

  /** Keeps parameters from being trained: all, or those whose path matches. */
  freeze(pattern?: RegExp | string, frozen = true): this {
    let count = 0;
    for (const [path, parameter] of this.parameters()) {
      if (pattern !== undefined && !isMeant(path, pattern)) continue;
      parameter.trainable = !frozen;
      count++;
    }
    if (pattern !== undefined && !count)
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `freeze: no parameter matches ${pattern}. Paths: ${[...this.parameters().keys()].join(', ')}.`,
      );
    return this;
  }

  unfreeze(pattern?: RegExp | string): this {
    return this.freeze(pattern, false);
  }

  /** @internal */
  visitState(visit: (path: string, tensor: TensorBase) => void): void {
    if (this.#path === undefined) this.place();
    walk(this, { parameter: visit, buffer: visit });
  }

  /** @internal What, beside tensors, modes and hooks, decides which graph forward builds. */
  structureKey(): string {
    return '';
  }

  /** @internal */
  stateKey(): string {
    let key = '';
    walk(this, {
      module: (_, module) => {
        key += (module.#training ? 't' : 'e') + module.#id + module.structureKey();
        if (module.#hooks.length) for (const { id } of module.#hooks) key += `h${id}`;
      },
      parameter: (_, parameter) => {
        key += parameter.trainable ? 'p' : 'f';
      },
    });
    return key;
  }

  /** Parameters and buffers by path, those of `nn.buffer(x, { persistent: false })` aside; the tensors themselves, not copies. */
  stateDictionary(): StateDictionary {
    const found: StateDictionary = new Map();
    this.visitState((path, tensor) => isPersistent(tensor) && found.set(path, tensor as Tensor));
    return found;
  }

  #tensors(): Tensor[] {
    const found: Tensor[] = [];
    this.visitState((_, tensor) => found.push(tensor as Tensor));
    return found;
  }

  /**
   * Takes values by path. Every name must be there with its shape and dtype, or nothing is changed and the error lists the
   * missing, unexpected and mis-shaped names. `strict: false` takes what fits by name.
   */
  loadStateDictionary(
    source: ReadonlyMap<string, { shape: readonly number[]; dtype: string; data: TypedArray }>,
    options: { strict?: boolean } = {},
  ): void {
    const own = this.stateDictionary();
    checkOptions('loadStateDictionary', options, ['strict']);
    matchNames(own, source, options.strict ?? true);
    for (const [path, tensor] of own) {
      const found = source.get(path);
      if (found) tensor.assign(leafTensor(tensor.shape, tensor.dtype, found.data.slice()));
    }
  }

  /** Copies of all values by path (or of those that are asked for), of one moment: no step comes between them. */
  async snapshot(
    wanted?: (path: string) => boolean,
  ): Promise<Map<string, { shape: readonly number[]; dtype: Tensor['dtype']; data: TypedArray }>> {
    const entries = [...this.stateDictionary()].filter(([path]) => !wanted || wanted(path));
    const open = entries.map(([, tensor]) => tensor).filter((tensor) => !tensor.storage() || tensor.storage()!.pending);
    if (open.length) await evaluate(...open);
    const data = await Promise.all(entries.map(([, tensor]) => tensor.data() as Promise<TypedArray>));
    return new Map(entries.map(([path, tensor], i) => [path, { shape: tensor.shape, dtype: tensor.dtype, data: data[i]! }]));
  }

  /** Writes parameters and buffers to a safetensors file; the old file stays whole until the new one is. */
  async save(file: string): Promise<void> {
    await writeSafetensors(file, await this.snapshot());
  }

  /** Reads what `save` wrote. Throws FILE_CORRUPT on a broken file, SHAPE_MISMATCH on one of another architecture; then nothing is changed. */
  async load(file: string, options: { strict?: boolean } = {}): Promise<this> {
    this.loadStateDictionary((await readSafetensors(file)).tensors, options);
    return this;
  }

  /**
   * A table of the layers with their parameters; with the shape of an input (the batch included), a list of shapes, or a function
   * that gives the inputs, also with the shapes of their outputs and the floating-point operations of one forward pass. Nothing
   * runs: the shapes are inferred.
   * @throws SHAPE_MISMATCH if the input does not fit the model.
   */
  summary(input?: SummaryInput, options: SummaryOptions = {}): string {
    return summarize(this, input, options);
  }

  /**
   * A model of its own with the same settings and values: tied weights stay tied, what is attached is copied, hooks are not. Classes
   * with `#private` members override `renew`.
   */
  async copy(): Promise<this> {
    const tensors = this.#tensors();
    await evaluate(...tensors);
    const data = await Promise.all(tensors.map((tensor) => tensor.data() as Promise<TypedArray>));
    const values = new Map(tensors.map((tensor, i) => [tensor as TensorBase, data[i]!]));
    return copyOf(this, values, (module) => {
      const renewed = module.renew();
      if (!renewed) requireOpen(module);
      const made = renewed ?? (Reflect.construct(Base, [], module.constructor) as Module);
      made.#training = module.#training;
      return made;
    }) as this;
  }

  /**
   * A new module of the same settings, whose fields `copy` then fills; undefined for a bare one. Classes with #private members must
   * make one with their constructor.
   */
  protected renew(): Module | undefined {
    return undefined;
  }

  /** Moves parameters and buffers to a device. */
  async to(device: string): Promise<this> {
    await Promise.all(this.#tensors().map((tensor) => tensor.to(device)));
    return this;
  }

  /** Frees the data of all parameters and buffers. Steps in flight end first. */
  dispose(): void {
    for (const tensor of this.#tensors()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The constructor alone, which runs no subclass's. */
const Base = Module as unknown as new () => Module;
