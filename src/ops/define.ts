import { apply } from '../graph/node.js';
import type { Node, Value } from '../graph/node.js';
import type { Attributes, Cost, Op, Type } from '../graph/op.js';

/**
 * The inputs of a node, to be taken apart. `infer` settles how many there are, so the rules of an op may name them without
 * asking whether each exists; only those of ops with optional operands (a bias) look at `length`.
 */
export type Operands = readonly [Value, Value, Value, Value, Value, Value, Value, ...Value[]];
export type OperandTypes = readonly [Type, Type, Type, Type, Type, Type, Type, ...Type[]];

/** The cotangent of one input: a value, or a function that builds it if it is needed; undefined where nothing flows. */
export type Flow = Value | undefined | (() => Value | undefined);

/** What a gradient rule sees of the node that it differentiates. */
export interface GradientCall<A> {
  /** Cotangent of the first output; of ops with several outputs it may be undefined, and `cotangents` is to be asked. */
  readonly dy: Value;
  readonly cotangents: readonly (Value | undefined)[];
  readonly inputs: Operands;
  /** The first output. */
  readonly y: Value;
  readonly outputs: Operands;
  readonly attributes: A;
  readonly needed: readonly boolean[];
}

/** An op as its author writes it; `defineRecord` makes the record of it. One output or flow need not be put in a list. */
export interface Definition<A extends Attributes> {
  readonly name: string;
  readonly cost: Cost;
  infer(inputs: OperandTypes, attributes: A): Type | Type[];
  gradient?(call: GradientCall<A>): Flow | readonly Flow[];
  readonly stops?: boolean;
  decompose?(inputs: Operands, attributes: A): Value | Value[];
  readonly inPlace?: Op<A>['inPlace'];
  readonly reports?: boolean;
  readonly appends?: boolean;
  flops?(inputs: OperandTypes, outputs: OperandTypes, attributes: A): number;
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value);
const listOf = <T>(value: T | readonly T[]): T[] => (isList(value) ? [...value] : [value]);

/** Makes the record of an op. */
export function defineRecord<A extends Attributes = Record<never, never>>(definition: Definition<A>): Op<A> {
  const { name, cost, infer, gradient, stops, decompose, inPlace, reports, appends, flops } = definition;
  return {
    name,
    cost,
    stops,
    inPlace,
    reports,
    appends,
    infer: (inputs, attributes) => listOf<Type>(infer(inputs as unknown as OperandTypes, attributes)),
    gradient:
      gradient &&
      ((node, cotangents, needed) => {
        const flows = listOf<Flow>(
          gradient({
            dy: cotangents[0]!,
            cotangents,
            inputs: node.inputs as unknown as Operands,
            y: node.outputs[0]!,
            outputs: node.outputs as unknown as Operands,
            attributes: node.attributes as A,
            needed,
          }),
        );
        return node.inputs.map((_, i) => {
          if (!needed[i]) return undefined;
          const flow = flows[i];
          return typeof flow === 'function' ? flow() : flow;
        });
      }),
    decompose: decompose && ((inputs, attributes) => listOf<Value>(decompose(inputs as unknown as Operands, attributes))),
    flops:
      flops && ((inputs, outputs, attributes) => flops(inputs as unknown as OperandTypes, outputs as unknown as OperandTypes, attributes)),
  };
}

/** Applies an op of one output. */
export const applyOne = <A extends Attributes>(op: Op<A>, inputs: readonly Value[], attributes: A): Value =>
  apply(op, inputs, attributes)[0]!;

/** What `defineOp` takes. */
export interface OpDefinition<A extends Attributes> {
  readonly name: string;
  /** Shapes and dtypes of the outputs from those of the inputs. */
  infer(inputs: readonly Type[], attributes: A): Type[];
  /** The op in terms of others. */
  decompose(inputs: readonly Value[], attributes: A): Value[];
  /** Cotangents of the inputs from those of the outputs. Default: the decomposition is differentiated. */
  gradient?(node: Node, cotangents: readonly (Value | undefined)[], needed: readonly boolean[]): (Value | undefined)[];
}

/**
 * A composite op of the user's own, made of other ops. It stands in graphs, profiles and messages under its name; its gradient,
 * of any order, is that of its decomposition unless a rule is given. A backend that has a kernel of that name may run it whole.
 *
 * @returns a function that applies the op to values.
 */
export function defineOp<A extends Attributes = Record<never, never>>(
  definition: OpDefinition<A>,
): (inputs: readonly Value[], attributes: A) => readonly Value[] {
  if (!definition.name) throw new TypeError('defineOp: an op needs a name');
  for (const rule of ['infer', 'decompose'] as const) {
    if (typeof definition[rule] !== 'function') throw new TypeError(`defineOp: ${definition.name} needs the function ${rule}.`);
  }
  const record: Op<A> = { cost: 'elementwise', ...definition };
  return (inputs, attributes) => apply(record, inputs, attributes);
}
