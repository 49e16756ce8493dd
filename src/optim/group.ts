import { leafTensor, type Parameter, type Tensor } from '../tensor/index.js';
import type { Rule } from './rule.js';
import type { Schedule } from './schedules/index.js';

/** Which parameters: a path or the start of one ('encoder'), a pattern, or a function of path and parameter. */
export type Match = string | RegExp | ((path: string, parameter: Parameter) => boolean);

export const matches = (match: Match, path: string, parameter: Parameter): boolean =>
  typeof match === 'function'
    ? match(path, parameter)
    : typeof match === 'string'
      ? path === match || path.startsWith(`${match}.`)
      : path.search(match) >= 0; // `test` would keep its place in a pattern with the flag g

/** Parameters that are trained alike. Undefined: as the rest of them. */
export interface GroupDescription {
  readonly match: Match;
  readonly rule: Rule;
  readonly learningRate?: number | Schedule | undefined;
  /** The common learning rate times this. */
  readonly learningRateFactor?: number | undefined;
  readonly l1?: number | undefined;
}

/** Parameters of an optimizer that share a rule and a learning rate. */
export class ParameterGroup {
  /** @internal The rate as a tensor of the optimizer's state. */
  readonly rate = leafTensor([], 'float32', new Float32Array(1)) as Tensor<readonly [], 'float32'>;
  /** What was asked for: 0.1 rather than the float32 nearest to it. */
  #chosenRate = 0;
  readonly rule: Rule;
  readonly schedule: Schedule | undefined;
  /** Of the common rate; undefined where the group has a rate of its own. */
  readonly factor: number | undefined;
  readonly l1: number;

  /** @internal */
  constructor(
    readonly match: Match,
    { rule, learningRate, learningRateFactor, l1 }: Omit<GroupDescription, 'match'>,
    common?: { readonly rate: number; readonly l1: number },
  ) {
    this.rule = rule;
    this.l1 = l1 ?? common?.l1 ?? 0;
    this.rate.name = 'learningRate';
    this.schedule = typeof learningRate === 'function' ? learningRate : undefined;
    this.factor = learningRate === undefined ? (learningRateFactor ?? 1) : undefined;
    if (this.factor === undefined && learningRateFactor !== undefined)
      throw new RangeError(`${rule.name}: a group takes learningRate or learningRateFactor, not both.`);
    if (!(this.l1 >= 0)) throw new RangeError(`${rule.name}: l1 must not be negative, got ${this.l1}.`);
    this.learningRate = typeof learningRate === 'function' ? learningRate(0) : (learningRate ?? common!.rate * this.factor!);
  }

  /** Read by the next step from memory: setting it makes no new plan. */
  get learningRate(): number {
    const rate = this.rate.item();
    return rate === Math.fround(this.#chosenRate) ? this.#chosenRate : rate;
  }

  set learningRate(value: number) {
    if (!(Number.isFinite(value) && value >= 0))
      throw new RangeError(`${this.rule.name}: learningRate must be a finite number of at least 0, got ${value}.`);
    this.#chosenRate = value;
    this.rate.settle(leafTensor([], 'float32', Float32Array.of(value)).storage()!);
  }
}
