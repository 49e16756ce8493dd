import { byteSize } from '../../src/graph/dtype.js';
import type { DType } from '../../src/graph/dtype.js';
import { reachable } from '../../src/graph/node.js';
import type { Value } from '../../src/graph/node.js';
import type { Attributes, Type } from '../../src/graph/op.js';
import { sizeOf } from '../../src/graph/op.js';
import { compileGraph } from '../../src/compiler/index.js';
import type { CompileRequest, CompiledPlan, PlanDescription } from '../../src/compiler/index.js';
import type { Instruction } from '../../src/ops/index.js';
import { references } from '../references/index.js';
import type { NdArray64, Reference } from '../references/index.js';
import { evaluateOp } from '../references/interpreter.js';
import { events } from './compilerLoops.js';
import { elementOffsets } from './compilerReplay.js';

export function compile(request: CompileRequest): CompiledPlan {
  const passes = compileGraph(request);
  for (;;) {
    const turn = passes.next();
    if (turn.done) return turn.value;
  }
}

/** Every element as the dtype can hold it. */
export const rounded = (array: NdArray64): NdArray64 =>
  array.dtype === 'float32' ? { ...array, data: Float64Array.from(array.data, Math.fround) } : array;

function readElement(view: DataView, at: number, dtype: DType): number {
  switch (dtype) {
    case 'float32':
      return view.getFloat32(at, true);
    case 'int32':
      return view.getInt32(at, true);
    case 'int64':
      return Number(view.getBigInt64(at, true));
    case 'uint8':
    case 'bool':
      return view.getUint8(at);
    case 'int8':
      return view.getInt8(at);
    default:
      throw new Error(`the executor does not hold ${dtype}`);
  }
}

function writeElement(view: DataView, at: number, dtype: DType, value: number): void {
  switch (dtype) {
    case 'float32':
      return view.setFloat32(at, value, true);
    case 'int32':
      return view.setInt32(at, value, true);
    case 'int64':
      return view.setBigInt64(at, BigInt(value), true);
    case 'uint8':
    case 'bool':
      return view.setUint8(at, value);
    case 'int8':
      return view.setInt8(at, value);
    default:
      throw new Error(`the executor does not hold ${dtype}`);
  }
}

export interface Outcome {
  readonly results: Uint8Array[];
  /** Every binding after the run. */
  readonly bindings: Uint8Array[];
  /** A check found something that is not finite. */
  readonly failed: boolean;
}

/** A program, one instruction after the other, each result rounded to its dtype as a kernel's registers do. */
function runProgram(
  instructions: readonly Instruction[],
  stored: readonly number[],
  inputs: NdArray64[],
  shape: readonly number[],
): NdArray64[] {
  const values = [...inputs];
  for (const { op, dtype, sources, immediate } of instructions) {
    const reference = references[op as keyof typeof references] as Reference<Attributes>;
    const attributes: Attributes = op === 'constant' ? { shape, dtype, value: immediate! } : { dtype };
    values.push(
      rounded(
        reference(
          sources.map((source) => values[source]!),
          attributes,
          [{ shape, dtype }],
        )[0]!,
      ),
    );
  }
  return stored.map((value) => values[value]!);
}

/** Runs a plan on bytes, its kernels being the float64 references with results rounded to their dtype. */
export function execute(plan: PlanDescription, given: readonly Uint8Array[]): Outcome {
  const bindings = given.map((bytes) => bytes.slice());
  // Memory that was not written holds a pattern that no test expects.
  const filled = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0x5a);
  const results = plan.results.map(({ bytes }) => filled(bytes));
  const memories = { arena: [filled(plan.arenaBytes)], binding: bindings, result: results, constant: [plan.constants] };
  const viewOf = ({ kind, index }: PlanDescription['tensors'][number]['location']): DataView => {
    if (kind === 'moving') throw new Error('a tensor moves outside of its loop');
    const bytes = memories[kind][index]!;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  let failed = false;
  for (const event of events(plan)) {
    if (event.kind !== 'step') continue;
    const { step, inputs: read, outputs: written } = event;
    if (step.commit && failed) continue;
    const inputs = read.map((tensor): NdArray64 => {
      const view = viewOf(tensor.location);
      return {
        shape: tensor.shape,
        dtype: tensor.dtype,
        data: Float64Array.from(elementOffsets(tensor), (at) => readElement(view, at, tensor.dtype)),
      };
    });
    const types: Type[] = written;
    if (step.kernel === 'checkFinite') {
      failed ||= !inputs[0]!.data.every(Number.isFinite);
      continue;
    }
    const outputs = step.program
      ? runProgram(step.program.instructions, step.program.stored, inputs, types[0]!.shape)
      : (references[step.kernel as keyof typeof references] as Reference<Attributes>)(inputs, step.attributes, types);
    outputs.forEach((output, o) => {
      const tensor = written[o]!;
      const view = viewOf(tensor.location);
      elementOffsets(tensor).forEach((at, i) => writeElement(view, at, tensor.dtype, output.data[i]!));
    });
  }
  return { results, bindings, failed };
}

/** A value's elements as bytes. */
export function encode({ shape, dtype, data }: NdArray64): Uint8Array {
  const bytes = new Uint8Array(sizeOf(shape) * byteSize(dtype));
  const view = new DataView(bytes.buffer);
  data.forEach((value, i) => writeElement(view, i * byteSize(dtype), dtype, value));
  return bytes;
}

export function decode(bytes: Uint8Array, type: Type): NdArray64 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = Float64Array.from({ length: sizeOf(type.shape) }, (_, i) => readElement(view, i * byteSize(type.dtype), type.dtype));
  return { shape: type.shape, dtype: type.dtype, data };
}

/** What a graph means: op after op by the references; rounded to the dtype after each, unless `exact`. */
export function interpret(roots: readonly Value[], bound: ReadonlyMap<Value, NdArray64>, exact = false): NdArray64[] {
  const known = new Map(bound);
  for (const node of reachable(roots)) {
    if (known.has(node.outputs[0]!)) continue;
    const outputs = evaluateOp(
      node.op,
      node.inputs.map((input) => known.get(input)!),
      node.attributes,
    );
    node.outputs.forEach((value, i) => known.set(value, exact ? outputs[i]! : rounded(outputs[i]!)));
  }
  return roots.map((root) => known.get(root)!);
}
