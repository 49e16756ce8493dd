import { byteSize } from '../graph/dtype.js';
import { sizeOf } from '../graph/op.js';
import type { LoopSteps, Move, Step, View } from './step.js';
import type { MoveDescription, PlanDescription, StepDescription, TensorDescription } from './wire/description.js';

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
  /** The step behind each description: those of a loop follow it. */
  readonly order: Step[] = [];
  private readonly numbers = new Map<View, number>();
  private readonly loops: { readonly length: number; steps: number; readonly body: LoopSteps }[] = [];
  private readonly moves: MoveDescription[] = [];
  private readonly moveNumbers = new Map<Move, number>();

  /** Adds a step that runs so many times. */
  add(step: Step, times = 1): void {
    this.order.push(step);
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
      ...(step.loop && { loop: this.loops.length }),
      commit: step.commit,
      ...(step.append && { append: true }),
      queue: 'compute',
      waits: [],
      flops: step.loop ? 0 : times * flopsOf(step),
      bytes: step.loop ? 0 : times * [...step.inputs, ...step.outputs].reduce((total, view) => total + touched(view), 0),
    });
    if (!step.loop) return;
    const loop = { length: step.loop.length, steps: 0, body: step.loop };
    this.loops.push(loop);
    const before = this.steps.length;
    for (const part of step.loop.steps) this.add(part, times * step.loop.length);
    loop.steps = this.steps.length - before;
  }

  finish(rest: Pick<PlanDescription, 'arenaBytes' | 'bindings' | 'results' | 'constants'>): PlanDescription {
    const { tensors, steps, moves } = this;
    return { ...rest, tensors, steps, moves, loops: this.loops.map(({ length, steps }) => ({ length, steps })) };
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
      const index = location.kind === 'arena' ? 0 : location.kind === 'moving' ? this.move(location.move) : location.index;
      // A view of nothing has no first element, wherever slicing and flipping have moved it.
      const offset = location.offset + (sizeOf(shape) ? view.offset * byteSize(dtype) : 0);
      number = this.tensors.push({ dtype, shape, strides, location: { kind: location.kind, index, offset } }) - 1;
      this.numbers.set(view, number);
    }
    return number;
  }

  private move(move: Move): number {
    let number = this.moveNumbers.get(move);
    if (number === undefined) {
      const { body, first, even, odd, start, stride } = move;
      const bases = { ...(first && { first: this.tensor(first) }), even: this.tensor(even), odd: this.tensor(odd) };
      number = this.moves.push({ loop: this.loops.findIndex((loop) => loop.body === body), ...bases, start, stride }) - 1;
      this.moveNumbers.set(move, number);
    }
    return number;
  }
}
