import { PolluxError } from '../errors.js';
import type { Node } from '../graph/node.js';
import { constantOf } from './algebra.js';
import { Constants } from './constants.js';
import type { Graph, Operand, Operation } from './graph.js';
import type { Layout } from './layout.js';
import { broadcasted, contiguous, flipped, isContiguous, isMatrix, reshaped, sliced, transposed } from './layout.js';
import { isBuiltIn, isOp, recordOf } from './record.js';
import type { OpName } from './record.js';
import { type Buffer, Step } from './step.js';
import type { LoopSteps, View } from './step.js';
import type { Target } from './target.js';

/** Loads and stores, nothing between. */
const copyProgram = { instructions: [], stored: [0] };

/**
 * Turns operations into steps on buffers. Views become strides of the operands that read them; where a kernel does not take such
 * strides, a copy is made, once for all who need it.
 */
export class StepBuilder {
  /** In a topological order. */
  readonly steps: Step[] = [];
  readonly constants: Constants;
  private readonly views = new Map<Operand, View>();
  private readonly copies = new Map<View, View>();
  private readonly own = new Set<Step>();

  /**
   * @param given what each leaf of the graph is
   * @param around of the body of a loop: the builder of what surrounds it. What the body reads of that is copied there, if at all:
   * once, and not in each iteration
   */
  constructor(
    private readonly target: Target,
    graph: Graph,
    given: readonly View[],
    private readonly around?: { readonly builder: StepBuilder; readonly body: LoopSteps },
  ) {
    this.constants = around?.builder.constants ?? new Constants();
    graph.leaves.forEach((leaf, i) => leaf && this.views.set(leaf, given[i]!));
  }

  /** Whether a buffer belongs to what is built here, and not to what surrounds it. */
  owns({ producer, location }: Buffer): boolean {
    if (!this.around) return true;
    if (producer) return this.own.has(producer);
    return location.kind === 'moving' && location.move.body === this.around.body;
  }

  /** Says what `operand` is. */
  define(operand: Operand, view: View): void {
    this.views.set(operand, view);
  }

  /** What `operand` is; its producer must have been added. */
  view(operand: Operand): View {
    let view = this.views.get(operand);
    if (!view) {
      const value = constantOf(operand);
      if (value === undefined) throw new PolluxError('INTERNAL', `compile: ${operand.producer.op.name} is read before it is computed`);
      const buffer = this.constants.buffer(value, operand.dtype);
      view = { ...broadcasted(contiguous([]), operand.shape), dtype: operand.dtype, buffer };
      this.views.set(operand, view);
    }
    return view;
  }

  add(operation: Operation): void {
    if (isOp(operation, 'constant')) return;
    if (isOp(operation, 'leaf')) {
      if (this.views.has(operation.outputs[0]!)) return;
      throw new PolluxError('INTERNAL', `compile: a leaf of shape [${operation.outputs[0]!.shape.join(', ')}] is bound to no buffer`);
    }
    const derived = this.derive(operation);
    if (derived) {
      this.views.set(operation.outputs[0]!, derived);
      return;
    }
    const step = this.push(operation.op.name, operation);
    if (isOp(operation, 'checkFinite')) {
      // It reads in place: what it returns is what it was given.
      this.views.set(operation.outputs[0]!, this.view(operation.inputs[0]!));
      return;
    }
    operation.outputs.forEach((output, i) => this.views.set(output, step.outputs[i]!));
  }

  /** A contiguous copy of `view` in a new buffer; `sources` say what it is made for. */
  copy(view: View, sources: readonly Node[]): Step {
    return this.append(new Step('elementwise', recordOf('elementwise'), [view], [view], {}, sources, copyProgram));
  }

  /** `view` itself if it is contiguous, otherwise the one copy of it. */
  compact(view: View, sources: readonly Node[]): View {
    if (isContiguous(view)) return view;
    if (this.around && !this.owns(view.buffer)) return this.around.builder.compact(view, sources);
    let copy = this.copies.get(view);
    if (!copy) {
      copy = this.copy(view, sources).outputs[0]!;
      this.copies.set(view, copy);
    }
    return copy;
  }

  /** Adds a step after all that it reads. */
  append(step: Step): Step {
    this.steps.push(step);
    this.own.add(step);
    return step;
  }

  private push(kernel: string, operation: Operation): Step {
    const { op, attributes, sources, program } = operation;
    const inputs = operation.inputs.map((input) => this.admit(kernel, this.view(input), sources));
    return this.append(new Step(kernel, op, inputs, operation.outputs, attributes, sources, program));
  }

  private admit(kernel: string, view: View, sources: readonly Node[]): View {
    if (kernel === 'elementwise') return view;
    const features = this.target.kernel(kernel);
    if (features?.stridedInputs || (features?.matrixInputs && isMatrix(view))) return view;
    return this.compact(view, sources);
  }

  /** The view that a view op makes of its input. */
  private derive(operation: Operation): View | undefined {
    const { attributes, sources } = operation;
    const numbers = (name: string): readonly number[] => attributes[name] as readonly number[];
    const { shape } = operation.outputs[0]!;
    const change = (layout: (input: View) => Layout): View => {
      const input = this.view(operation.inputs[0]!);
      return { ...layout(input), dtype: input.dtype, buffer: input.buffer };
    };
    if (!isBuiltIn(operation)) return undefined;
    switch (operation.op.name as OpName) {
      case 'identity':
      case 'detach':
      case 'copy':
        return this.view(operation.inputs[0]!);
      case 'transpose':
        return change((input) => transposed(input, numbers('axes')));
      case 'broadcast':
        return change((input) => broadcasted(input, shape));
      case 'slice':
        return change((input) => sliced(input, numbers('start'), numbers('step'), shape));
      case 'flip':
        return change((input) => flipped(input, numbers('axes')));
      case 'reshape': {
        const input = this.view(operation.inputs[0]!);
        const source = reshaped(input, shape) ? input : this.compact(input, sources);
        return { ...reshaped(source, shape)!, dtype: source.dtype, buffer: source.buffer };
      }
      default:
        return undefined;
    }
  }
}
