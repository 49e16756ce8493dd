import type { Attributes } from '../graph/op.js';
import { sameShape, sizeOf } from '../graph/op.js';
import { undilated } from '../ops/window.js';
import type { Graph, Operand, Operation } from './graph.js';
import { soleUser } from './graph.js';
import { isDisjoint } from './pooling.js';
import { isOp, recordOf } from './record.js';
import type { Target } from './target.js';

const joined = (...operations: Operation[]): Operation['sources'] => operations.flatMap((operation) => operation.sources);

/** A transpose of the last two axes in front of a matmul becomes its attribute. */
function absorbTranspose(matmul: Operation, graph: Graph): Operation {
  let { attributes } = matmul;
  const inputs = [...matmul.inputs];
  for (const [i, name] of [
    [0, 'transposeA'],
    [1, 'transposeB'],
  ] as const) {
    const { producer } = inputs[i]!;
    if (!isOp(producer, 'transpose')) continue;
    const axes = producer.attributes['axes'] as readonly number[];
    const rank = axes.length;
    if (!axes.every((axis, at) => axis === (at < rank - 2 ? at : 2 * rank - 3 - at))) continue;
    inputs[i] = producer.inputs[0]!;
    attributes = { ...attributes, [name]: !attributes[name] };
  }
  if (attributes === matmul.attributes) return matmul;
  const better = graph.add(matmul.op, inputs, attributes, matmul.outputs, matmul);
  graph.replace(matmul.outputs[0]!, better.outputs[0]!);
  return better;
}

/** The [N] that `operand` repeats along all axes but the last. */
function biasOf(operand: Operand, columns: number, graph: Graph, like: Operation): Operand | undefined {
  if (!isOp(operand.producer, 'broadcast')) return undefined;
  const bias = operand.producer.inputs[0]!;
  if (sizeOf(bias.shape) !== columns || (bias.shape.at(-1) ?? 1) !== columns) return undefined;
  if (bias.shape.length === 1) return bias;
  return graph.add(recordOf('reshape'), [bias], { shape: [columns] }, [{ shape: [columns], dtype: bias.dtype }], like).outputs[0]!;
}

/** The only reader of a contraction; `through` is a reshape between them that keeps the last axis. */
function onlyReader(contraction: Operation): { reader: Operation; operand: Operand; through?: Operation } | undefined {
  const [operand] = contraction.outputs as [Operand];
  const user = soleUser(operand);
  if (!user || !isOp(user, 'reshape')) return user && { reader: user, operand };
  const [reshaped] = user.outputs as [Operand];
  const reader = reshaped.shape.at(-1) === operand.shape.at(-1) ? soleUser(reshaped) : undefined;
  return reader && { reader, operand: reshaped, through: user };
}

/** Puts a contraction that does its reader's work too in the place of both. */
function absorb(
  graph: Graph,
  contraction: Operation,
  reader: Operation,
  through: Operation | undefined,
  inputs: readonly Operand[],
  attributes: Attributes,
): Operation {
  const fused = graph.add(contraction.op, inputs, attributes, contraction.outputs, reader, joined(contraction, reader));
  const [output] = fused.outputs as [Operand];
  const result = through
    ? graph.add(through.op, [output], through.attributes, through.outputs, reader, through.sources).outputs[0]!
    : output;
  graph.replace(reader.outputs[0]!, result);
  return fused;
}

/** contraction + bias, if nothing else reads the contraction. */
function absorbBias(contraction: Operation, graph: Graph): Operation {
  const found = onlyReader(contraction);
  const { inputs, attributes, outputs } = contraction;
  if (!found || !isOp(found.reader, 'add') || inputs.length > 2 || attributes['activation'] === 'relu') return contraction;
  const { reader, operand, through } = found;
  const other = reader.inputs[0] === operand ? reader.inputs[1]! : reader.inputs[0]!;
  const bias = other === operand ? undefined : biasOf(other, outputs[0]!.shape.at(-1)!, graph, reader);
  return bias ? absorb(graph, contraction, reader, through, [...inputs, bias], attributes) : contraction;
}

/** relu(contraction), if nothing else reads the contraction. */
function absorbRelu(contraction: Operation, graph: Graph): Operation {
  const found = onlyReader(contraction);
  if (!found || !isOp(found.reader, 'relu')) return contraction;
  return absorb(graph, contraction, found.reader, found.through, contraction.inputs, { ...contraction.attributes, activation: 'relu' });
}

/** Whether a convolution has neither dilation nor groups: the fused kernels take no other. */
const isPlain = ({ attributes: { dilation, groups } }: Operation): boolean =>
  groups === undilated.groups && sameShape(dilation as readonly number[], undilated.dilation);

/** conv2d + bias + maxPool2d (+ relu): the convolution is never written at its full size. */
function absorbPool(convolution: Operation, graph: Graph, target: Target): void {
  const {
    inputs,
    attributes: { stride, padding, activation },
    outputs,
  } = convolution;
  const pool = soleUser(outputs[0]!);
  const kernel = target.kernel('conv2dMaxPool');
  if (!pool || !isOp(pool, 'maxPool2d') || !isDisjoint(pool) || inputs.length < 3 || activation === 'relu' || !isPlain(convolution)) return;
  if (!kernel?.dtypes.has(inputs[0]!.dtype)) return;
  const [pooled, index] = pool.outputs as [Operand, Operand];
  const user = kernel.fusions.has('relu') ? soleUser(pooled) : undefined;
  const relu = user && isOp(user, 'relu') ? user : undefined;
  const attributes: Attributes = {
    stride: stride!,
    padding: padding!,
    window: pool.attributes['window']!,
    activation: relu ? 'relu' : 'none',
  };
  const fused = graph.add(
    recordOf('conv2dMaxPool'),
    inputs,
    attributes,
    pool.outputs,
    relu ?? pool,
    relu ? joined(convolution, pool, relu) : joined(convolution, pool),
  );
  graph.replace(relu ? relu.outputs[0]! : pooled, fused.outputs[0]!);
  graph.replace(index, fused.outputs[1]!);
}

/** The gradient of a max pooling that only a weight gradient reads is spread out while it is read. */
function absorbUnpool(gradient: Operation, graph: Graph, target: Target): void {
  const [x, dy] = gradient.inputs as [Operand, Operand];
  const unpool = dy.producer;
  if (!isOp(unpool, 'maxPool2dGrad') || !isDisjoint(unpool) || soleUser(dy) !== gradient || !isPlain(gradient)) return;
  if (!target.kernel('conv2dGradWeightUnpool')?.dtypes.has(x.dtype)) return;
  const { stride, padding, kernelSize } = gradient.attributes;
  const attributes: Attributes = {
    stride: stride!,
    padding: padding!,
    kernelSize: kernelSize!,
    window: unpool.attributes['window']!,
    outputSize: [dy.shape[1]!, dy.shape[2]!],
  };
  const fused = graph.add(
    recordOf('conv2dGradWeightUnpool'),
    [x, ...unpool.inputs],
    attributes,
    gradient.outputs,
    gradient,
    joined(unpool, gradient),
  );
  graph.replace(gradient.outputs[0]!, fused.outputs[0]!);
}

/** Moves transposes, bias, activation and pooling into the kernels of matmul and conv2d that say that they take them. */
export function* fuseContractions(graph: Graph, target: Target, due: () => boolean): Generator<void, void> {
  const snapshot = graph.operations.slice();
  for (const operation of snapshot) {
    const isMatmul = isOp(operation, 'matmul');
    if (isMatmul || isOp(operation, 'conv2d')) {
      const fusions = target.kernel(operation.op.name)?.fusions;
      let contraction = isMatmul ? absorbTranspose(operation, graph) : operation;
      if (fusions?.has('bias')) contraction = absorbBias(contraction, graph);
      if (fusions?.has('relu')) contraction = absorbRelu(contraction, graph);
      if (!isMatmul) absorbPool(contraction, graph, target);
    } else if (isOp(operation, 'conv2dGradWeight')) {
      absorbUnpool(operation, graph, target);
    }
    if (due()) yield;
  }
  yield* graph.tidy(due);
}
