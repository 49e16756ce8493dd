import { byteSize } from '../graph/dtype.js';
import { sizeOf } from '../graph/op.js';
import type { Step, View } from './step.js';
import type { PlanDescription, StepDescription, TensorDescription } from './wire/description.js';

/** Bytes of memory that a view touches: an element that is broadcast counts once. */
const touched = (view: View): number =>
  view.shape.reduce((count, size, axis) => (view.strides[axis] === 0 && size > 0 ? count : count * size), 1) * byteSize(view.dtype);

/** Names of ops in the order of the trace, each once in a row: `conv2d+add+relu`. */
export function describeSources(step: Step): string {
  const names: string[] = [];
  for (const node of step.sources) if (names.at(-1) !== node.op.name) names.push(node.op.name);
  const shown = (names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names).join('+');
  const isCopy = step.program?.instructions.length === 0;
  return isCopy ? `copy${shown && ` (${shown})`}` : shown || step.kernel;
}

/** Where a step comes from: the module that built most of it, and its ops. */
export function labelOf(step: Step): string {
  const scope = step.sources.find((node) => node.scope)?.scope;
  return scope ? `${scope}: ${describeSources(step)}` : describeSources(step);
}

function flopsOf(step: Step): number {
  if (step.program) {
    const count = step.program.instructions.filter(({ op }) => op !== 'constant' && op !== 'cast').length;
    return count * sizeOf(step.outputs[0]?.shape ?? []);
  }
  const { op, inputs, outputs, attributes } = step;
  if (op.flops) return op.flops(inputs, outputs, attributes);
  if (op.cost === 'elementwise') return outputs.reduce((total, { shape }) => total + sizeOf(shape), 0);
  return op.cost === 'reduce' ? inputs.reduce((total, { shape }) => total + sizeOf(shape), 0) : 0;
}

/** Writes steps, whose buffers have their places, as the description that the runtime takes. */
export class Lowering {
  readonly tensors: TensorDescription[] = [];
  readonly steps: StepDescription[] = [];
  private readonly numbers = new Map<View, number>();

  add(step: Step): void {
    const inputs = step.inputs.map((view) => this.tensor(view));
    // A check reads in place: its output is its input.
    const outputs = step.op.name === 'checkFinite' ? inputs.slice(0, 1) : step.outputs.map((view) => this.tensor(view));
    this.steps.push({
      kernel: step.kernel,
      label: labelOf(step),
      inputs,
      outputs,
      attributes: step.attributes,
      ...(step.program && { program: step.program }),
      commit: step.commit,
      ...(step.append && { append: true }),
      queue: 'compute',
      waits: [],
      flops: flopsOf(step),
      bytes: [...step.inputs, ...step.outputs].reduce((total, view) => total + touched(view), 0),
    });
  }

  finish(rest: Pick<PlanDescription, 'arenaBytes' | 'bindings' | 'results' | 'constants'>): PlanDescription {
    return { ...rest, tensors: this.tensors, steps: this.steps };
  }

  private tensor(view: View): number {
    let number = this.numbers.get(view);
    if (number === undefined) {
      const {
        dtype,
        shape,
        strides,
        buffer: { location },
      } = view;
      const index = location.kind === 'arena' ? 0 : location.index;
      // A view of nothing has no first element, wherever slicing and flipping have moved it.
      const offset = location.offset + (sizeOf(shape) ? view.offset * byteSize(dtype) : 0);
      number = this.tensors.push({ dtype, shape, strides, location: { kind: location.kind, index, offset } }) - 1;
      this.numbers.set(view, number);
    }
    return number;
  }
}
