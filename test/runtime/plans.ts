import { encodePlan, type PlanDescription, type StepDescription } from '../../src/compiler/wire/index.js';
import type { DType } from '../../src/graph/dtype.js';
import { byteSize } from '../../src/graph/dtype.js';

/** Row-major strides, in elements. */
export const contiguous = (shape: readonly number[]): number[] => shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));

/** Hand-written plans, a tensor and a step at a time: what the compiler would make, without the compiler. */
export class PlanBuilder {
  readonly tensors: PlanDescription['tensors'][number][] = [];
  readonly steps: StepDescription[] = [];
  readonly bindings: { bytes: number; kind: 'input' | 'state' }[] = [];
  readonly results: { bytes: number }[] = [];
  constants = new Uint8Array();
  arenaBytes = 0;

  #tensor(kind: 'arena' | 'binding' | 'result' | 'constant', index: number, offset: number, length: number, dtype: DType): number {
    this.tensors.push({ dtype, shape: [length], strides: [1], location: { kind, index, offset } });
    return this.tensors.length - 1;
  }

  input(length: number, kind: 'input' | 'state' = 'input', dtype: DType = 'float32'): number {
    this.bindings.push({ bytes: length * byteSize(dtype), kind });
    return this.#tensor('binding', this.bindings.length - 1, 0, length, dtype);
  }

  result(length: number, dtype: DType = 'float32'): number {
    this.results.push({ bytes: length * byteSize(dtype) });
    return this.#tensor('result', this.results.length - 1, 0, length, dtype);
  }

  temporary(length: number, dtype: DType = 'float32'): number {
    const offset = this.arenaBytes;
    this.arenaBytes += Math.ceil((length * byteSize(dtype)) / 64) * 64;
    return this.#tensor('arena', 0, offset, length, dtype);
  }

  constant(values: Float32Array): number {
    const offset = this.constants.length;
    const grown = new Uint8Array(offset + Math.ceil(values.byteLength / 64) * 64);
    grown.set(this.constants);
    grown.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    this.constants = grown;
    return this.#tensor('constant', 0, offset, values.length, 'float32');
  }

  step(kernel: string, inputs: number[], outputs: number[], more: Partial<StepDescription> = {}): this {
    this.steps.push({
      kernel,
      label: `step ${this.steps.length}`,
      inputs,
      outputs,
      attributes: {},
      commit: false,
      queue: 'compute',
      waits: [],
      flops: 0,
      bytes: 0,
      ...more,
    });
    return this;
  }

  /** One elementwise instruction. */
  apply(op: string, inputs: number[], output: number, more: Partial<StepDescription> = {}): this {
    const program = { instructions: [{ op, dtype: 'float32' as const, sources: inputs.map((_, i) => i) }], stored: [inputs.length] };
    return this.step('elementwise', inputs, [output], { program, ...more });
  }

  description(): PlanDescription {
    const { arenaBytes, bindings, results, constants, tensors, steps } = this;
    return { arenaBytes, bindings, results, constants, tensors, steps };
  }

  encode(): ArrayBuffer {
    return encodePlan(this.description());
  }
}

/** y = (x + 1) * x, small. */
export function smallPlan(length = 8): PlanBuilder {
  const plan = new PlanBuilder();
  const x = plan.input(length);
  const one = plan.constant(new Float32Array(length).fill(1));
  const sum = plan.temporary(length);
  const y = plan.result(length);
  return plan.apply('add', [x, one], sum).apply('mul', [sum, x], y);
}

/** Takes a while: a chain of `steps` sines over `length` elements, each long enough to be interrupted behind. */
export function longPlan(steps: number, length = 1 << 18): PlanBuilder {
  const plan = new PlanBuilder();
  const x = plan.input(length);
  let from = x;
  const pair = [plan.temporary(length), plan.temporary(length)];
  const cost = { flops: length * 20, bytes: length * 8 };
  for (let i = 0; i < steps; i++) {
    plan.apply('sin', [from], pair[i % 2]!, cost);
    from = pair[i % 2]!;
  }
  const y = plan.result(length);
  return plan.apply('neg', [from], y, cost);
}

/** state += x in the commit phase; a non-finite x fails the run first. */
export function accumulatePlan(length = 4): PlanBuilder {
  const plan = new PlanBuilder();
  const x = plan.input(length);
  const state = plan.input(length, 'state');
  const sum = plan.temporary(length);
  const y = plan.result(length);
  plan.apply('add', [x, state], sum);
  plan.step('checkFinite', [sum], [sum]);
  plan.apply('neg', [sum], y);
  plan.step('elementwise', [sum], [state], { program: { instructions: [], stored: [0] }, commit: true });
  return plan;
}
