import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import type { Module, StateDictionary } from '../nn/index.js';
import * as ops from '../ops/index.js';
import {
  currentTrace,
  leafTensor,
  outsideTidy,
  type Parameter,
  reachedGradients,
  type Stateful,
  type Tensor,
  type TensorBase,
  wrap,
  zeros,
} from '../tensor/index.js';
import { globalNorm } from './clipping.js';
import { commitEager } from './commit.js';
import type { OptimizerDescription } from './description.js';
import { matches, ParameterGroup } from './group.js';
import type { Schedule } from './schedules/index.js';
import { copiesOf, putBack, type Saved, type SavedState, schedulesFrom, schedulesOf } from './state.js';

/** What the optimizer keeps for one parameter. */
interface ParameterState {
  readonly group: ParameterGroup;
  readonly slots: Record<string, Tensor>;
  /** Sum of the gradients since the last update. */
  readonly accumulated: Tensor | undefined;
  /** Its own count of steps, where it began to be trained after the others. */
  step: Tensor | undefined;
}

const counter = (): Tensor<readonly [], 'float32'> => leafTensor([], 'float32', new Float32Array(1)) as Tensor<readonly [], 'float32'>;
const number = (x: number): Value => ops.constant(x, [], 'float32');

/**
 * An optimizer with its state for the parameters of one model. `minimize(loss)` inside a compiled step (with the model and
 * the optimizer in `state`) becomes part of the plan; outside it runs one eager step.
 */
export class Optimizer implements Stateful {
  readonly #model: Module;
  readonly #clipNorm: number | undefined;
  readonly #clipValue: number | undefined;
  readonly #accumulate: number;
  /** Takes the parameters that no group matches. */
  readonly #rest: ParameterGroup;
  /** The groups as they were given, each with its learning rate. */
  readonly groups: readonly ParameterGroup[];
  /** Updates done so far, a float32 scalar. */
  readonly step = counter();
  /** Gradients accumulated since the last update. */
  readonly #pending = counter();
  readonly #states = new Map<Parameter, ParameterState>();
  #begun = false;
  #scheduleStep = 0;

  /** @internal Made by `description.for(model)`. */
  constructor(model: Module, { rule, options, groups }: OptimizerDescription) {
    this.#model = model;
    const { learningRate, clipNorm, clipValue, accumulate = 1, l1 = 0 } = options;
    if (clipNorm !== undefined && !(clipNorm > 0)) throw new RangeError(`${rule.name}: clipNorm must be above 0, got ${clipNorm}.`);
    if (clipValue !== undefined && !(clipValue > 0)) throw new RangeError(`${rule.name}: clipValue must be above 0, got ${clipValue}.`);
    if (!Number.isInteger(accumulate) || accumulate < 1)
      throw new RangeError(`${rule.name}: accumulate must be an integer of at least 1, got ${accumulate}.`);
    this.#clipNorm = clipNorm;
    this.#clipValue = clipValue;
    this.#accumulate = accumulate;
    this.#rest = new ParameterGroup(() => true, { rule, learningRate, l1 });
    this.groups = groups.map(({ match, ...group }) => new ParameterGroup(match, group, { rate: this.#rest.learningRate, l1 }));
    this.#requireMatches();
    this.step.name = 'step';
    this.#pending.name = 'pending';
  }

  #requireMatches(): void {
    const parameters = [...this.#model.parameters()];
    for (const [i, { match }] of this.groups.entries()) {
      if (parameters.some(([path, parameter]) => matches(match, path, parameter))) continue;
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `${this.name}: groups[${i}] (${String(match)}) matches no parameter. Paths: ${parameters.map(([path]) => path).join(', ')}.`,
      );
    }
  }

  get name(): string {
    return this.#rest.rule.name;
  }

  get schedule(): Schedule | undefined {
    return this.#rest.schedule;
  }

  /**
   * Read by the next step from memory: setting it makes no new plan. Groups without a rate of their own follow, each by its
   * factor.
   */
  get learningRate(): number {
    return this.#rest.learningRate;
  }

  set learningRate(value: number) {
    this.#rest.learningRate = value;
    for (const group of this.groups) if (group.factor !== undefined) group.learningRate = value * group.factor;
  }

  get #allGroups(): ParameterGroup[] {
    return [this.#rest, ...this.groups];
  }

  get #schedules(): Schedule[] {
    return [...new Set(this.#allGroups.map((group) => group.schedule))].filter((schedule) => schedule !== undefined);
  }

  /** Sets the learning rates to what the schedules say for a step, counted from 0. Without a schedule they stay. */
  applySchedule(step: number): void {
    this.#scheduleStep = step;
    if (this.#rest.schedule) this.learningRate = this.#rest.schedule(step);
    for (const group of this.groups) if (group.schedule) group.learningRate = group.schedule(step);
  }

  /** Tells the schedules that follow a metric its new value, such as the loss of a validation. */
  observe(value: number): void {
    const listening = this.#schedules.filter((schedule) => schedule.observe);
    for (const schedule of listening) schedule.observe!(value);
    if (listening.length) this.applySchedule(this.#scheduleStep);
  }

  /** State of a parameter, made on first sight. */
  #stateOf(path: string, parameter: Parameter): ParameterState {
    const known = this.#states.get(parameter);
    if (known) return known;
    const group = this.groups.find(({ match }) => matches(match, path, parameter)) ?? this.#rest;
    const state = outsideTidy(() => ({
      group,
      slots: group.rule.slots(parameter),
      accumulated: this.#accumulate > 1 ? (zeros(parameter.shape) as Tensor) : undefined,
      // Bias corrections count from a parameter's own first step.
      step: this.#begun ? counter() : undefined,
    }));
    for (const [name, tensor] of this.#tensorsOf(state)) tensor.name = `${path}.${name}`;
    this.#states.set(parameter, state);
    return state;
  }

  *#tensorsOf({ slots, accumulated, step }: ParameterState): Iterable<[string, Tensor]> {
    yield* Object.entries(slots);
    if (accumulated) yield ['accumulated', accumulated];
    if (step) yield ['step', step];
  }

  /** @internal */
  visitState(visit: (path: string, tensor: TensorBase) => void): void {
    visit('learningRate', this.#rest.rate);
    for (const [i, { rate }] of this.groups.entries()) visit(`groups.${i}.learningRate`, rate);
    visit('step', this.step);
    if (this.#accumulate > 1) visit('pending', this.#pending);
    for (const [path, parameter] of this.#model.parameters()) {
      if (!parameter.trainable && !this.#states.has(parameter)) continue;
      for (const [name, tensor] of this.#tensorsOf(this.#stateOf(path, parameter))) visit(`${path}.${name}`, tensor);
    }
  }

  /** @internal */
  stateKey(): string {
    return this.name;
  }

  #trainable(): [string, Parameter][] {
    const found = [...this.#model.parameters()].filter(([, parameter]) => parameter.trainable);
    if (!found.length)
      throw new PolluxError('INVALID_ARGUMENT', `${this.name}: the model has no trainable parameters. Unfreeze some: model.unfreeze().`);
    return found;
  }

  /**
   * One step down the gradient of a float32 scalar. In a compiled step the loss guards the commit: if it is NaN or infinite,
   * nothing is overwritten and the step rejects with NOT_FINITE. Outside, await it.
   * @throws NOT_DIFFERENTIABLE for a loss that depends on none of the parameters: nothing would be learnt.
   */
  minimize(loss: Tensor): Promise<void> {
    const parameters = this.#trainable().map(([, parameter]) => parameter);
    currentTrace()?.checks.push(loss.value);
    const reached = reachedGradients(loss, parameters);
    if (!reached.some(Boolean))
      throw new PolluxError(
        'NOT_DIFFERENTIABLE',
        `${this.name}: the loss depends on none of the model's trainable parameters. Was it detached, computed in noGrad, evaluated before, or made by another model?`,
      );
    return this.apply(
      reached.map((gradient, i) => gradient ?? wrap(ops.zerosLike(parameters[i]!.value))),
      loss,
    );
  }

  /** One step with gradients in the order of the model's trainable parameters. `guard` must be finite for it to count. */
  apply(gradients: readonly Tensor[], guard?: Tensor): Promise<void> {
    const entries = this.#trainable();
    if (gradients.length !== entries.length)
      throw new PolluxError('INVALID_ARGUMENT', `${this.name}: ${gradients.length} gradients for ${entries.length} trainable parameters.`);
    const changes = this.#update(entries, gradients);
    this.#begun = true;
    if (!currentTrace()) return commitEager(changes, guard);
    for (const [tensor, value] of changes) tensor.assign(wrap(value));
    return Promise.resolve();
  }

  /** The new values of the parameters and of all state. */
  #update(entries: readonly [string, Parameter][], gradients: readonly Tensor[]): [Tensor, Value][] {
    const changes: [Tensor, Value][] = [];
    const states = entries.map(([path, parameter]) => this.#stateOf(path, parameter));
    const { sums, due } = this.#accumulated(states, gradients, changes);
    // Without accumulation every call updates; else the new values are taken at every k-th call alone.
    const isDue = due && ops.greater(due, 0);
    const take = (tensor: Tensor, next: Value): void => void changes.push([tensor, isDue ? ops.where(isDue, next, tensor.value) : next]);
    const advanced = (count: Tensor): Value => {
      const next = ops.add(count.value, number(1));
      take(count, next);
      return next;
    };
    const step = advanced(this.step);
    const scale = this.#scale(sums);
    for (const [i, [path, parameter]] of entries.entries()) {
      const { group, slots, step: own, accumulated } = states[i]!;
      const gradient = gradients[i]!.value;
      if (show(gradient) !== show(parameter))
        throw new PolluxError('SHAPE_MISMATCH', `${this.name}: ${path} is ${show(parameter)}, its gradient ${show(gradient)}.`);
      const next = group.rule.update({
        parameter: parameter.value,
        gradient,
        scale,
        clipValue: this.#clipValue,
        l1: group.l1,
        accumulation: due && { accumulated: accumulated!.value, sum: sums[i]!, due },
        slots: Object.fromEntries(Object.entries(slots).map(([name, tensor]) => [name, tensor.value])),
        learningRate: group.rate.value,
        step: own ? advanced(own) : step,
      });
      const news: [Tensor, Value][] = [[parameter, next.parameter]];
      for (const [name, value] of Object.entries(next.slots)) news.push([slots[name]!, value]);
      if (!isDue) changes.push(...news);
      else if (next.accumulated) changes.push(...news, [accumulated!, next.accumulated]);
      else {
        for (const change of news) take(...change);
        changes.push([accumulated!, ops.where(isDue, 0, sums[i]!)]);
      }
    }
    return changes;
  }

  /** The gradients, summed over the calls since the last update, and a number: 1 where an update is due, else 0. */
  #accumulated(
    states: readonly ParameterState[],
    gradients: readonly Tensor[],
    changes: [Tensor, Value][],
  ): { sums: Value[]; due?: Value } {
    const values = gradients.map((gradient) => gradient.value);
    if (this.#accumulate === 1) return { sums: values };
    const count = ops.add(this.#pending.value, number(1));
    const due = ops.greaterEqual(count, number(this.#accumulate));
    changes.push([this.#pending, ops.where(due, number(0), count)]);
    return { sums: states.map(({ accumulated }, i) => ops.add(accumulated!.value, values[i]!)), due: ops.cast(due, 'float32') };
  }

  /** Factor of the summed gradients: 1 / accumulate, and what brings the common norm of their mean down to `clipNorm`. */
  #scale(sums: readonly Value[]): Value {
    const share = number(1 / this.#accumulate);
    if (this.#clipNorm === undefined) return share;
    const norm = ops.mul(globalNorm(sums.map((sum) => wrap(sum))).value, share);
    currentTrace()?.checks.push(norm);
    const factor = ops.minimum(ops.div(number(this.#clipNorm), ops.add(norm, number(1e-6))), number(1));
    return ops.mul(factor, share);
  }

  /** State by path: step count and slots; the tensors themselves. */
  stateDictionary(): StateDictionary {
    const found: StateDictionary = new Map();
    this.visitState((path, tensor) => found.set(path, tensor as Tensor));
    return found;
  }

  /** Copies of all state, of one moment; what the schedules remember too. */
  async snapshot(): Promise<Map<string, Saved>> {
    const schedules = schedulesOf(this.#schedules);
    return new Map([...(await copiesOf(this.stateDictionary())), ...schedules]);
  }

  /** Takes what `snapshot` gave. Throws SHAPE_MISMATCH naming what differs; then nothing is changed. */
  restore(source: SavedState): void {
    for (const [path, parameter] of this.#model.parameters()) {
      const late = source.has(`${path}.step`);
      const saved = [...source.keys()].some((name) => name.startsWith(`${path}.`));
      if (parameter.trainable || saved) this.#stateOf(path, parameter).step = late ? counter() : undefined;
    }
    putBack(this.name, this.stateDictionary(), source);
    schedulesFrom(this.#schedules, source);
    // What is thawed after a resume counts its own steps, as it would have without the break.
    this.#begun = [...source].some(([path, { data }]) => (path === 'step' || path === 'pending') && Number(data[0]) > 0);
  }

  /** Frees the state. */
  dispose(): void {
    for (const tensor of this.stateDictionary().values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
