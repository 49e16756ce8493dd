import { checkOptions } from '../errors.js';
import type { Module } from '../nn/index.js';
import type { GroupDescription, Match } from './group.js';
import { Optimizer } from './optimizer.js';
import type { Rule } from './rule.js';
import type { Schedule } from './schedules/index.js';

/** Options that every optimizer takes. */
export interface CommonOptions {
  /** A number, or a schedule: a function of the step, counted from 0. */
  learningRate?: number | Schedule;
  /** Scale all gradients so that their common Euclidean norm is at most this. */
  clipNorm?: number;
  /** Cut each element of each gradient to [-clipValue, clipValue], after `clipNorm`. */
  clipValue?: number;
  /** An L1 penalty: l1 * sign(parameter) is added to the gradient. Default 0. */
  l1?: number;
  /** Update at every k-th call with the mean of k gradients: k batches act as one of k times their size. Default 1. */
  accumulate?: number;
}

/** A group of parameters with options of its own; what it does not say holds as for the rest. */
export type Group<O> = { match: Match; learningRateFactor?: number } & Omit<O, Exclude<keyof CommonOptions, 'learningRate' | 'l1'>>;

/** Options with groups: a parameter belongs to the first group that matches its path, else to the rest. */
export type Grouped<O> = O & { groups?: readonly Group<O>[] };

const common = ['learningRate', 'clipNorm', 'clipValue', 'l1', 'accumulate'] as const;

/** Describes an optimizer; `for(model)` makes one with its state. */
export class OptimizerDescription {
  constructor(
    readonly rule: Rule,
    readonly options: CommonOptions & { learningRate: number | Schedule },
    readonly groups: readonly GroupDescription[] = [],
  ) {}

  /** An optimizer of the model's trainable parameters. */
  for(model: Module): Optimizer {
    return new Optimizer(model, this);
  }

  /** The same with every rule replaced. */
  map(change: (rule: Rule) => Rule): OptimizerDescription {
    return new OptimizerDescription(
      change(this.rule),
      this.options,
      this.groups.map((group) => ({ ...group, rule: change(group.rule) })),
    );
  }
}

/** Checks the options of an optimizer and of its groups, and makes the rule of each. */
export function describe<O extends CommonOptions>(
  name: string,
  options: Grouped<O>,
  { learningRate, own, rule }: { learningRate: number | Schedule; own: readonly (keyof O & string)[]; rule: (options: O) => Rule },
): OptimizerDescription {
  checkOptions(name, options, [...common, 'groups', ...own]);
  const { groups = [], ...rest } = options;
  const described = groups.map((group, i): GroupDescription => {
    checkOptions(`${name}.groups[${i}]`, group, ['match', 'learningRate', 'learningRateFactor', 'l1', ...own]);
    const { match, learningRateFactor, learningRate: rate, l1 } = group as Group<CommonOptions>;
    if (match === undefined) throw new TypeError(`${name}.groups[${i}]: match says which parameters: a path, a pattern or a function.`);
    return { match, rule: rule({ ...rest, ...group } as unknown as O), learningRate: rate, learningRateFactor, l1 };
  });
  return new OptimizerDescription(rule(rest as unknown as O), { ...rest, learningRate: options.learningRate ?? learningRate }, described);
}
