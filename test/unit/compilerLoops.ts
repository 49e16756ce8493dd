import type { PlanDescription } from '../../src/compiler/index.js';

type Tensor = PlanDescription['tensors'][number];
type Step = PlanDescription['steps'][number];

/** What happens when a plan runs, one event after the other. Tensors have their places: nothing moves any more. */
export type PlanEvent =
  | {
      readonly kind: 'step';
      readonly number: number;
      readonly step: Step;
      readonly inputs: Tensor[];
      readonly outputs: Tensor[];
      readonly inLoop: boolean;
    }
  | { readonly kind: 'begin' | 'end'; readonly number: number; readonly step: Step; readonly inputs: Tensor[]; readonly outputs: Tensor[] }
  /** `carried`: what keeps its content from one iteration to the next. */
  | { readonly kind: 'iteration'; readonly number: number; readonly outputs: Tensor[]; readonly carried: Tensor[] };

/** The steps of a plan in the order in which they run, loops written out as the wire's schema says that they mean. */
export function* events(plan: PlanDescription): Generator<PlanEvent> {
  const { loops = [], moves = [] } = plan;
  const iterations: number[] = loops.map(() => -1);
  const place = (number: number): Tensor => {
    const tensor = plan.tensors[number]!;
    if (tensor.location.kind !== 'moving') return tensor;
    const { loop, first, even, odd, start, stride } = moves[tensor.location.index]!;
    const i = iterations[loop]!;
    if (i < 0) throw new Error(`tensor ${number} is used outside of the loop that it moves with`);
    const atFirst = i === 0 && first !== undefined;
    const base = place(atFirst ? first : i % 2 ? odd : even);
    const offset = base.location.offset + (atFirst ? 0 : start + i * stride) + tensor.location.offset;
    return { ...tensor, location: { ...base.location, offset } };
  };
  function* run(from: number, to: number, depth: number): Generator<PlanEvent> {
    for (let number = from; number < to; number++) {
      const step = plan.steps[number]!;
      const there = { number, step, inputs: step.inputs.map(place), outputs: step.outputs.map(place) };
      if (step.loop === undefined) {
        yield { kind: 'step', ...there, inLoop: depth > 0 };
        continue;
      }
      const { length, steps } = loops[step.loop]!;
      yield { kind: 'begin', ...there };
      for (let i = 0; i < length; i++) {
        const bases = moves.filter((move) => move.loop === step.loop).flatMap(({ even, odd }) => [even, odd]);
        yield { kind: 'iteration', number, outputs: there.outputs, carried: bases.map(place) };
        iterations[step.loop] = i;
        yield* run(number + 1, number + 1 + steps, depth + 1);
        iterations[step.loop] = -1;
      }
      yield { kind: 'end', ...there };
      number += steps;
    }
  }
  yield* run(0, plan.steps.length, 0);
}
