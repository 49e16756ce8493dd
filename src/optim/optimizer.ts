import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import type { Module, StateDictionary } from '../nn/index.js';
import * as ops from '../ops/index.js';
import {
  currentTrace,
  evaluate,
  gradientsOf,
  leafTensor,
  outsideTidy,
  type Parameter,
  type Stateful,
  type Tensor,
  type TensorBase,
  type TypedArray,
  wrap,
} from '../tensor/index.js';
import { globalNorm } from './clipping.js';
import type { Rule } from './rule.js';
import type { Schedule } from './schedules/index.js';

/** Options that every optimizer takes. */
export interface CommonOptions {
  /** A number, or a schedule: a function of the step, counted from 0. */
  learningRate?: number | Schedule;
  /** Scale all gradients so that their common Euclidean norm is at most this. */
  clipNorm?: number;
}

export const commonOptions = ['learningRate', 'clipNorm'] as const;

/** Describes an optimizer; `for(model)` makes one with its state. */
export class OptimizerDescription {
  constructor(
    readonly rule: Rule,
    readonly options: CommonOptions & { learningRate: number | Schedule },
  ) {}

  /** An optimizer of the model's trainable parameters. */
  for(model: Module): Optimizer {
    return new Optimizer(model, this.rule, this.options);
  }
}

/**
 * An optimizer with its state for the parameters of one model. `minimize(loss)` inside a compiled step (with the model and
 * the optimizer in `state`) becomes part of the plan; outside it runs one eager step.
 */
export class Optimizer implements Stateful {
  readonly #model: Module;
  readonly #rule: Rule;
  readonly #clipNorm: number | undefined;
  readonly #rate = leafTensor([], 'float32', new Float32Array(1)) as Tensor<readonly [], 'float32'>;
  /** What was asked for: 0.1 rather than the float32 nearest to it. */
  #chosenRate = 0;
  /** Steps done so far, a float32 scalar. */
  readonly step = leafTensor([], 'float32', new Float32Array(1)) as Tensor<readonly [], 'float32'>;
  readonly #slots = new Map<Parameter, Record<string, Tensor>>();
  readonly schedule: Schedule | undefined;

  constructor(model: Module, rule: Rule, options: CommonOptions & { learningRate: number | Schedule }) {
    this.#model = model;
    this.#rule = rule;
    const { learningRate, clipNorm } = options;
    if (clipNorm !== undefined && !(clipNorm > 0)) throw new RangeError(`${rule.name}: clipNorm must be above 0, got ${clipNorm}.`);
    this.#clipNorm = clipNorm;
    this.schedule = typeof learningRate === 'function' ? learningRate : undefined;
    this.learningRate = typeof learningRate === 'function' ? learningRate(0) : learningRate;
    this.step.name = 'step';
    this.#rate.name = 'learningRate';
  }

  get name(): string {
    return this.#rule.name;
  }

  /** Read by the next step from memory: setting it makes no new plan. */
  get learningRate(): number {
    const rate = this.#rate.item();
    return rate === Math.fround(this.#chosenRate) ? this.#chosenRate : rate;
  }

  set learningRate(value: number) {
    if (!(Number.isFinite(value) && value >= 0))
      throw new RangeError(`${this.#rule.name}: learningRate must be a finite number of at least 0, got ${value}.`);
    this.#chosenRate = value;
    this.#rate.settle(leafTensor([], 'float32', Float32Array.of(value)).storage()!);
  }

  /** Sets the learning rate to what the schedule says for a step, counted from 0. Without a schedule it stays. */
  applySchedule(step: number): void {
    if (this.schedule) this.learningRate = this.schedule(step);
  }

  /** State tensors of a parameter, made on first sight. */
  #slotsOf(path: string, parameter: Parameter): Record<string, Tensor> {
    let slots = this.#slots.get(parameter);
    if (!slots) {
      slots = outsideTidy(() => this.#rule.slots(parameter));
      for (const [name, tensor] of Object.entries(slots)) tensor.name = `${path}.${name}`;
      this.#slots.set(parameter, slots);
    }
    return slots;
  }

  /** @internal */
  visitState(visit: (path: string, tensor: TensorBase) => void): void {
    visit('learningRate', this.#rate);
    visit('step', this.step);
    for (const [path, parameter] of this.#model.parameters()) {
      if (!parameter.trainable && !this.#slots.has(parameter)) continue;
      for (const [name, tensor] of Object.entries(this.#slotsOf(path, parameter))) visit(`${path}.${name}`, tensor);
    }
  }

  /** @internal */
  stateKey(): string {
    return this.#rule.name;
  }

  #trainable(): [string, Parameter][] {
    const found = [...this.#model.parameters()].filter(([, parameter]) => parameter.trainable);
    if (!found.length)
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `${this.#rule.name}: the model has no trainable parameters. Unfreeze some: model.unfreeze().`,
      );
    return found;
  }

  /**
   * One step down the gradient of a float32 scalar. In a compiled step the loss guards the commit: if it is NaN or infinite,
   * nothing is overwritten and the step rejects with NOT_FINITE. Outside, await it.
   */
  minimize(loss: Tensor): Promise<void> {
    const parameters = this.#trainable().map(([, parameter]) => parameter);
    currentTrace()?.checks.push(loss.value);
    return this.apply(gradientsOf(loss, parameters), loss);
  }

  /** One step with gradients in the order of the model's trainable parameters. `guard` must be finite for it to count. */
  apply(gradients: readonly Tensor[], guard?: Tensor): Promise<void> {
    const entries = this.#trainable();
    if (gradients.length !== entries.length)
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `${this.#rule.name}: ${gradients.length} gradients for ${entries.length} trainable parameters.`,
      );
    const step = ops.add(this.step.value, ops.constant(1, [], 'float32'));
    const learningRate = this.#rate.value;
    const scale = this.#scale(gradients);
    const changes: [Tensor, Value][] = [[this.step, step]];
    entries.forEach(([path, parameter], i) => {
      const gradient = gradients[i]!.value;
      const slots = this.#slotsOf(path, parameter);
      if (show(gradient) !== show(parameter))
        throw new PolluxError('SHAPE_MISMATCH', `${this.#rule.name}: ${path} is ${show(parameter)}, its gradient ${show(gradient)}.`);
      const next = this.#rule.update({
        parameter: parameter.value,
        gradient,
        slots: mapValues(slots, (tensor) => tensor.value),
        learningRate,
        step,
        scale,
      });
      changes.push([parameter, next.parameter]);
      for (const [name, value] of Object.entries(next.slots)) changes.push([slots[name]!, value]);
    });
    if (!currentTrace()) return commitEager(changes, guard);
    for (const [tensor, value] of changes) tensor.assign(wrap(value));
    return Promise.resolve();
  }

  /** Factor of the gradients: 1, or what brings their common norm down to `clipNorm`. */
  #scale(gradients: readonly Tensor[]): Value {
    if (this.#clipNorm === undefined) return ops.constant(1, [], 'float32');
    const norm = globalNorm(gradients);
    currentTrace()?.checks.push(norm.value);
    return ops.minimum(
      ops.div(ops.constant(this.#clipNorm, [], 'float32'), ops.add(norm.value, ops.constant(1e-6, [], 'float32'))),
      ops.constant(1, [], 'float32'),
    );
  }

  /** State by path: step count and slots; the tensors themselves. */
  stateDictionary(): StateDictionary {
    const found: StateDictionary = new Map();
    this.visitState((path, tensor) => found.set(path, tensor as Tensor));
    return found;
  }

  /** Copies of all state, of one moment. */
  async snapshot(): Promise<Map<string, { shape: readonly number[]; dtype: Tensor['dtype']; data: TypedArray }>> {
    const entries = [...this.stateDictionary()];
    const data = await Promise.all(entries.map(([, tensor]) => tensor.data() as Promise<TypedArray>));
    return new Map(entries.map(([path, tensor], i) => [path, { shape: tensor.shape, dtype: tensor.dtype, data: data[i]! }]));
  }

  /** Takes what `snapshot` gave. Throws SHAPE_MISMATCH naming what differs; then nothing is changed. */
  restore(source: ReadonlyMap<string, { shape: readonly number[]; dtype: string; data: TypedArray }>): void {
    const own = this.stateDictionary();
    for (const [path, tensor] of own) {
      const found = source.get(path);
      if (!found || `${found.dtype}[${found.shape.join(', ')}]` !== show(tensor)) {
        throw new PolluxError(
          'SHAPE_MISMATCH',
          `${this.#rule.name}: the saved state ${found ? `has ${found.dtype}[${found.shape.join(', ')}]` : 'has nothing'} for ${path}, which is ${show(tensor)}. Was it saved by another optimizer or model?`,
        );
      }
    }
    for (const [path, tensor] of own) tensor.settle(leafTensor(tensor.shape, tensor.dtype, source.get(path)!.data.slice()).storage()!);
  }

  /** Frees the state. */
  dispose(): void {
    for (const tensor of this.stateDictionary().values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const mapValues = <T, R>(record: Record<string, T>, map: (value: T) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));

/** Evaluates the new values together, and takes them only if the guard is finite. */
async function commitEager(changes: readonly [Tensor, Value][], guard: Tensor | undefined): Promise<void> {
  const next = changes.map(([, value]) => wrap(value));
  await evaluate(...next, ...(guard ? [guard] : []));
  if (guard && !Number.isFinite(guard.item())) {
    for (const tensor of next) tensor.dispose();
    throw new PolluxError(
      'NOT_FINITE',
      `minimize: the loss is ${guard.item()}. Nothing was changed. Lower the learning rate, or look at the data of this batch.`,
    );
  }
  changes.forEach(([tensor], i) => {
    tensor.storage()?.supersede();
    tensor.settle(next[i]!.storage()!);
  });
}
