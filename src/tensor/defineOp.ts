import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { type Attributes, show, type Type } from '../graph/op.js';
import * as ops from '../ops/index.js';
import type { Tensor } from './tensor.js';
import { runRule } from './trace.js';
import { tensorValue, wrap } from './wrap.js';

/** The inputs of an op, to be taken apart: `([x, weight]) => ...`. How many there are is for `infer` to settle. */
export type OpInputs<T> = readonly [T, T, T, T, ...T[]];

type OneOrMore<T> = T | readonly T[];

/** What `defineOp` takes. One output need not be put in a list. */
export interface OpDefinition<A extends Attributes, R extends OneOrMore<Tensor>> {
  /** Stands in profiles and messages. */
  readonly name: string;
  /** Shapes and dtypes of the outputs from those of the inputs. Throws what the op cannot take. */
  infer(inputs: OpInputs<Type>, attributes: A): OneOrMore<Type>;
  /** The op in terms of others. It reads its inputs and attributes alone: no other tensors, no random numbers. */
  decompose(inputs: OpInputs<Tensor>, attributes: A): R;
  /** Cotangents of the inputs (undefined: none) from those of the outputs. Default: the decomposition is differentiated. */
  gradient?(call: {
    readonly cotangents: OpInputs<Tensor | undefined>;
    readonly inputs: OpInputs<Tensor>;
    readonly outputs: OpInputs<Tensor>;
    readonly attributes: A;
  }): OneOrMore<Tensor | undefined>;
}

/** Applies an op to tensors; the attributes may be left out where it has none. */
export type DefinedOp<A extends Attributes, R> = (
  inputs: readonly Tensor[],
  ...attributes: keyof A extends never ? [attributes?: A] : [attributes: A]
) => R extends Tensor ? Tensor : Tensor[];

const isList = <T>(x: OneOrMore<T>): x is readonly T[] => Array.isArray(x);
const listOf = <T>(x: OneOrMore<T>): readonly T[] => (isList(x) ? x : [x]);
const wrapAll = (values: readonly Value[]): OpInputs<Tensor> => values.map((value) => wrap(value)) as unknown as OpInputs<Tensor>;

/**
 * An op of your own, made of others. It stands in graphs, profiles and messages under its name; its gradient, of any order, is
 * that of its decomposition unless a rule is given. A backend with a kernel of that name would run it whole.
 *
 * @throws TypeError without a name, `infer` or `decompose`; SHAPE_MISMATCH where the decomposition does not give what `infer` says.
 */
export function defineOp<A extends Attributes = Record<never, never>, R extends OneOrMore<Tensor> = Tensor>(
  definition: OpDefinition<A, R>,
): DefinedOp<A, R> {
  const { name, infer, decompose, gradient } = definition;
  for (const [rule, given] of Object.entries({ infer, decompose })) {
    if (typeof given !== 'function') throw new TypeError(`defineOp: ${name} needs the function ${rule}.`);
  }
  let single = false;
  const typesOf = (inputs: readonly Type[], attributes: A): Type[] => {
    const types = infer(inputs as unknown as OpInputs<Type>, attributes);
    single = !isList(types);
    return [...listOf(types)];
  };
  const op = ops.defineOp<A>({
    name,
    infer: typesOf,
    decompose(inputs, attributes) {
      const values = runRule(name, () => listOf(decompose(wrapAll(inputs), attributes)).map((x) => tensorValue(x, `${name}: decompose`)));
      const [said, given] = [typesOf(inputs, attributes).map(show).join(', '), values.map(show).join(', ')];
      if (said !== given) throw new PolluxError('SHAPE_MISMATCH', `${name}: infer says ${said}, but decompose gives ${given}.`);
      return values;
    },
    ...(gradient && {
      gradient: (node, cotangents) =>
        runRule(name, () =>
          listOf(
            gradient({
              cotangents: cotangents.map((x) => x && wrap(x)) as unknown as OpInputs<Tensor | undefined>,
              inputs: wrapAll(node.inputs),
              outputs: wrapAll(node.outputs),
              attributes: node.attributes as A,
            }),
          ).map((x) => x && tensorValue(x, `${name}: gradient`)),
        ),
    }),
  });
  const applyOp = (inputs: readonly Tensor[], attributes = {} as A): Tensor | Tensor[] => {
    if (!Array.isArray(inputs)) throw new TypeError(`${name}: expected a list of tensors, ${name}([x], attributes).`);
    const values = inputs.map((x) => tensorValue(x, name));
    const outputs = op(values, attributes).map((value) => wrap(value));
    return single ? outputs[0]! : outputs;
  };
  return applyOp as unknown as DefinedOp<A, R>;
}
