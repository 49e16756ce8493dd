import { isFloat } from '../graph/dtype.js';
import type { Attributes, Type } from '../graph/op.js';
import { sameShape } from '../graph/op.js';
import { foldElementwise } from './fold.js';
import type { Graph, Operand, Operation } from './graph.js';
import { isBuiltIn, isOp, recordOf } from './record.js';
import type { OpName } from './record.js';

/** What an operation may be replaced by: one operand for its first output. */
type Rule = (operation: Operation, graph: Graph) => Operand | undefined;

/** The number that every element of `operand` is, if the graph says so. */
export const constantOf = (operand: Operand): number | undefined =>
  isOp(operand.producer, 'constant') ? (operand.producer.attributes['value'] as number) : undefined;

export function constant(graph: Graph, value: number, type: Type, like: Operation): Operand {
  return graph.add(recordOf('constant'), [], { shape: type.shape, dtype: type.dtype, value }, [type], like).outputs[0]!;
}

const one = (graph: Graph, name: OpName, input: Operand, attributes: Attributes, like: Operation): Operand =>
  graph.add(recordOf(name), [input], attributes, [like.outputs[0]!], like).outputs[0]!;

const alias: Rule = ({ inputs }) => inputs[0];
const isIdentity = (permutation: readonly number[]): boolean => permutation.every((axis, i) => axis === i);
const numbers = (operation: Operation, name: string): readonly number[] => operation.attributes[name] as readonly number[];

/** x op neutral, where it is x to the bit: x + 0 is not (it turns -0 into 0), x - 0 and x + -0 are. */
const neutral =
  (right: number, left?: number): Rule =>
  ({ inputs, outputs }) => {
    const [a, b] = inputs as [Operand, Operand];
    const float = isFloat(outputs[0]!.dtype);
    const is = (operand: Operand, value: number): boolean => {
      const found = constantOf(operand);
      return found !== undefined && (float ? Object.is(found, value) : found === value);
    };
    if (is(b, right)) return a;
    return left !== undefined && is(a, left) ? b : undefined;
  };

const twice =
  (name: OpName): Rule =>
  ({ inputs }) => {
    const inner = inputs[0]!.producer;
    return isOp(inner, name) ? inner.inputs[0] : undefined;
  };

/** A view of a constant is that constant in another shape. */
const ofConstant: Rule = (operation, graph) => {
  const value = constantOf(operation.inputs[0]!);
  return value === undefined ? undefined : constant(graph, value, operation.outputs[0]!, operation);
};

const unchanged: Rule = ({ inputs, outputs }) => (sameShape(inputs[0]!.shape, outputs[0]!.shape) ? inputs[0] : undefined);

const reduced: Rule = (operation, graph) => {
  const input = operation.inputs[0]!;
  if (!numbers(operation, 'axes').every((axis) => input.shape[axis] === 1)) return undefined;
  return one(graph, 'reshape', input, { shape: operation.outputs[0]!.shape }, operation);
};

const rules: Record<string, readonly Rule[]> = {
  identity: [alias],
  detach: [alias],
  copy: [alias],
  add: [neutral(-0, -0)],
  sub: [neutral(0)],
  mul: [neutral(1, 1)],
  div: [neutral(1)],
  neg: [twice('neg')],
  logicalNot: [twice('logicalNot')],
  pow: [
    neutral(1),
    (operation, graph) => (constantOf(operation.inputs[1]!) === 2 ? one(graph, 'square', operation.inputs[0]!, {}, operation) : undefined),
  ],
  cast: [({ inputs, outputs }) => (inputs[0]!.dtype === outputs[0]!.dtype ? inputs[0] : undefined)],
  where: [
    ({ inputs }) => {
      const [condition, a, b] = inputs as [Operand, Operand, Operand];
      const value = constantOf(condition);
      if (a === b) return a;
      return value === undefined ? undefined : value ? a : b;
    },
  ],
  reshape: [
    ofConstant,
    unchanged,
    (operation, graph) => {
      const inner = operation.inputs[0]!.producer;
      return isOp(inner, 'reshape') ? one(graph, 'reshape', inner.inputs[0]!, operation.attributes, operation) : undefined;
    },
  ],
  broadcast: [
    ofConstant,
    unchanged,
    (operation, graph) => {
      const inner = operation.inputs[0]!.producer;
      return isOp(inner, 'broadcast') ? one(graph, 'broadcast', inner.inputs[0]!, operation.attributes, operation) : undefined;
    },
  ],
  transpose: [
    ofConstant,
    (operation) => (isIdentity(numbers(operation, 'axes')) ? operation.inputs[0] : undefined),
    (operation, graph) => {
      const inner = operation.inputs[0]!.producer;
      if (!isOp(inner, 'transpose')) return undefined;
      const before = numbers(inner, 'axes');
      return one(graph, 'transpose', inner.inputs[0]!, { axes: numbers(operation, 'axes').map((axis) => before[axis]!) }, operation);
    },
  ],
  slice: [ofConstant, unchanged],
  flip: [
    ofConstant,
    (operation) => (numbers(operation, 'axes').every((axis) => operation.outputs[0]!.shape[axis]! <= 1) ? operation.inputs[0] : undefined),
  ],
  pad: [unchanged],
  concat: [({ inputs }) => (inputs.length === 1 ? inputs[0] : undefined)],
  // The sum of -0 alone is 0, so in floats it is not the element itself.
  sum: [(operation, graph) => (isFloat(operation.outputs[0]!.dtype) ? undefined : reduced(operation, graph))],
  max: [reduced],
  min: [reduced],
};

/** Elementwise ops whose inputs are all constants. */
function folded(operation: Operation, graph: Graph): Operand | undefined {
  const { inputs, outputs } = operation;
  if (operation.op.cost !== 'elementwise' || !inputs.length || outputs.length !== 1) return undefined;
  const values: number[] = [];
  for (const input of inputs) {
    const value = constantOf(input);
    if (value === undefined) return undefined;
    values.push(value);
  }
  const value = foldElementwise(operation.op.name, values, inputs[0]!.dtype, outputs[0]!.dtype);
  return value === undefined ? undefined : constant(graph, value, outputs[0]!, operation);
}

/** The operand that an operation can be replaced by at no change of a single bit; undefined if no rule applies. */
export function simplified(operation: Operation, graph: Graph): Operand | undefined {
  if (!isBuiltIn(operation)) return undefined;
  for (const rule of rules[operation.op.name] ?? []) {
    const found = rule(operation, graph);
    if (found && found !== operation.outputs[0]) return found;
  }
  return folded(operation, graph);
}
