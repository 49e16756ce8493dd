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
import { matchNames } from './names.js';
import { type SummaryOptions, summarize } from './summary.js';
import { moduleMark, walk } from './walk.js';

/** Data of a model by path. */
export type StateDictionary = Map<string, Tensor>;

/**
 * Base of layers and models. Parameters, buffers and submodules are found by walking the fields; their paths are the names
 * in saved files (`first.weight`). A `Parameter` field is trained, a plain `Tensor` field is a buffer: saved, not trained.
 */
export abstract class Module implements Stateful {
  #training = true;
  #path: string | undefined;
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
      value: (...inputs: unknown[]) => this.#enter(() => plain.call(this, ...inputs)),
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a module may take and give any number of tensors of any shapes
  abstract forward(...inputs: any[]): any;

  #enter<R>(fn: () => R): R {
    if (this.#path === undefined) this.place();
    return withContext({ scope: this.#path || context.scope }, fn);
  }

  /** Names and values of the fields that are walked. Override to give a container's children other names. */
  fields(): Iterable<[string, unknown]> {
    const hook = (this.constructor as { privateFields?: (module: Module) => Record<string, unknown> }).privateFields;
    return hook ? [...Object.entries(this), ...Object.entries(hook(this))] : Object.entries(this);
  }

  /** @internal Gives each module and parameter its path, once: the first root that is used names what it holds. */
  place(): void {
    const number = generator.step++;
    walk(this, {
      module: (path, module) => {
        module.#path ??= path;
      },
      parameter: (path, parameter) => parameter.place(path, number),
      buffer: (path, buffer) => {
        buffer.name ??= path;
      },
    });
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
    const matches = (path: string): boolean =>
      pattern === undefined || (typeof pattern === 'string' ? path === pattern || path.startsWith(`${pattern}.`) : pattern.test(path));
    let count = 0;
    for (const [path, parameter] of this.parameters()) {
      if (!matches(path)) continue;
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

  /** @internal */
  stateKey(): string {
    let key = '';
    walk(this, {
      module: (_, module) => {
        key += module.#training ? 't' : 'e';
      },
      parameter: (_, parameter) => {
        key += parameter.trainable ? 'p' : 'f';
      },
    });
    return key;
  }

  /** Parameters and buffers by path; the tensors themselves, not copies. */
  stateDictionary(): StateDictionary {
    const found: StateDictionary = new Map();
    this.visitState((path, tensor) => found.set(path, tensor as Tensor));
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

  /** Copies of all values by path, of one moment: no step comes between them. */
  async snapshot(): Promise<Map<string, { shape: readonly number[]; dtype: Tensor['dtype']; data: TypedArray }>> {
    const entries = [...this.stateDictionary()];
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
   * A table of the layers with their parameters; with the shape of an input (the batch included), also with the shapes of
   * their outputs and the floating-point operations of one forward pass. Nothing runs: the shapes are inferred.
   * @throws SHAPE_MISMATCH if the input does not fit the model.
   */
  summary(inputShape?: readonly number[], options: SummaryOptions = {}): string {
    return summarize(this, inputShape, options);
  }

  /** Moves parameters and buffers to a device. */
  async to(device: string): Promise<this> {
    await Promise.all([...this.stateDictionary().values()].map((tensor) => tensor.to(device)));
    return this;
  }

  /** Frees the data of all parameters and buffers. Steps in flight end first. */
  dispose(): void {
    for (const tensor of this.stateDictionary().values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
