import { byteSize } from '../../src/graph/dtype.js';
import type { PlanDescription } from '../../src/compiler/index.js';
import { events } from './compilerLoops.js';
import { records } from '../../src/ops/index.js';
import type { Op } from '../../src/graph/op.js';

type Tensor = PlanDescription['tensors'][number];

/** Start byte of every element of a tensor, in row-major order of its indices. */
export function elementOffsets({ shape, strides, dtype, location }: Tensor): number[] {
  let offsets = [location.offset];
  shape.forEach((size, axis) => {
    offsets = offsets.flatMap((start) => Array.from({ length: size }, (_, i) => start + i * strides[axis]! * byteSize(dtype)));
  });
  return offsets;
}

const place = ({ location }: Tensor): string => `${location.kind}:${location.index}`;

const bytesOf = (tensor: Tensor): number[] =>
  elementOffsets(tensor).flatMap((start) => Array.from({ length: byteSize(tensor.dtype) }, (_, i) => start + i));

/** The workspace of a loop is its last output: bytes in the arena. */
function workspaceOf(outputs: readonly Tensor[]): number[] {
  const last = outputs.at(-1);
  return last?.dtype === 'uint8' && last.location.kind === 'arena' ? bytesOf(last) : [];
}

/** Who wrote a byte last: a step's output, or the world before the plan. */
interface Write {
  step: number;
  output: number;
  dtype: string;
}

/**
 * An independent checker of plans. It replays a description byte by byte, knowing nothing of how the compiler lays memory out, and
 * returns what is wrong:
 * - every byte that is read was written, all bytes of one operand by one write, and none of it was overwritten since;
 * - outputs of a step do not overlap each other, nor its inputs, unless in place is allowed and the operands coincide;
 * - states are written by commit steps and by steps that append to them, inputs and constants by none, results once;
 * - once a state is overwritten no step runs that may fail, and no step reads it again, but states in `rereads`, whose new content is meant;
 * - what a loop reads is there when it begins; what it writes is garbage then, as is its workspace, but for carries, in each iteration;
 * - every offset is inside its memory and aligned to its element.
 */
export function replay(plan: PlanDescription, options: { rereads?: readonly number[] } = {}): string[] {
  const wrong: string[] = [];
  const memory = new Map<string, (Write | undefined)[]>();
  const sizes = new Map<string, number>([
    ['arena:0', plan.arenaBytes],
    ['constant:0', plan.constants.length],
  ]);
  plan.bindings.forEach(({ bytes }, i) => sizes.set(`binding:${i}`, bytes));
  plan.results.forEach(({ bytes }, i) => sizes.set(`result:${i}`, bytes));
  for (const [name, bytes] of sizes) {
    const before = name.startsWith('binding') || name.startsWith('constant') ? { step: -1, output: 0, dtype: '' } : undefined;
    memory.set(name, new Array<Write | undefined>(bytes).fill(before));
  }
  const overwritten = new Set<string>();

  let writes = 0;
  for (const event of events(plan)) {
    const { number } = event;
    if (event.kind === 'iteration') {
      const kept = new Set(event.carried.flatMap((tensor) => bytesOf(tensor)));
      for (const byte of workspaceOf(event.outputs)) if (!kept.has(byte)) memory.get('arena:0')![byte] = undefined;
      continue;
    }
    const { step, inputs, outputs } = event;
    const complain = (text: string): void => {
      wrong.push(`step ${number} (${step.label}): ${text}`);
    };
    if (event.kind === 'end') {
      const workspace = new Set(workspaceOf(outputs));
      outputs.forEach((tensor, output) => {
        const bytes = memory.get(place(tensor))!;
        const whole = bytesOf(tensor);
        if (place(tensor) === 'arena:0' && whole.some((byte) => workspace.has(byte))) return;
        if (whole.some((byte) => !bytes[byte])) complain(`output ${output} is not written whole`);
        const write = { step: ++writes, output, dtype: tensor.dtype };
        for (const byte of whole) bytes[byte] = write;
      });
      continue;
    }
    const op = (records as Record<string, unknown>)[step.kernel] as Op;
    const check = step.kernel === 'checkFinite';
    for (const wait of step.waits) if (wait >= number) complain('waits for a later step');
    if (overwritten.size && op?.reports) complain('may fail after a state was overwritten');

    inputs.forEach((tensor, i) => {
      const name = place(tensor);
      const bytes = memory.get(name)!;
      const writers = new Set<Write | undefined>();
      for (const start of elementOffsets(tensor)) {
        if (start < 0 || start + byteSize(tensor.dtype) > bytes.length) return complain(`input ${i} lies outside ${name}`);
        if (start % byteSize(tensor.dtype)) return complain(`input ${i} is not aligned`);
        for (let byte = 0; byte < byteSize(tensor.dtype); byte++) writers.add(bytes[start + byte]);
      }
      if (writers.has(undefined)) complain(`input ${i} in ${name} was never written`);
      else if (writers.size > 1) complain(`input ${i} in ${name} was overwritten in part`);
      for (const writer of writers)
        if (writer?.dtype && writer.dtype !== tensor.dtype) complain(`input ${i} is ${tensor.dtype}, but ${writer.dtype} was written`);
      if (overwritten.has(name) && !options.rereads?.includes(tensor.location.index)) complain(`reads ${name} after it was overwritten`);
    });
    if (check) continue;
    if (event.kind === 'begin') {
      // What the loop writes is garbage until it is written.
      for (const tensor of outputs) for (const byte of bytesOf(tensor)) memory.get(place(tensor))![byte] = undefined;
      continue;
    }
    writes++;

    const taken = new Map<string, number>();
    outputs.forEach((tensor, o) => {
      const name = place(tensor);
      const bytes = memory.get(name)!;
      const write: Write = { step: writes, output: o, dtype: tensor.dtype };
      const { kind, index } = tensor.location;
      if (kind === 'constant') complain(`writes constants`);
      if (kind === 'binding') {
        if (plan.bindings[index]!.kind !== 'state') complain(`writes the input ${index}`);
        if (!step.commit && !step.append) complain(`writes the state ${index}, but is no commit step`);
        if (!step.append) overwritten.add(name);
      }
      const starts = elementOffsets(tensor);
      const dense = starts.every((start, i) => start === starts[0]! + i * byteSize(tensor.dtype));
      if (!dense) complain(`output ${o} is not contiguous`);
      const sharing = inputs.map((input, i) => ({ input, i })).filter(({ input }) => place(input) === name && overlap(input, tensor));
      for (const { input, i } of sharing) {
        const allowed = step.program ? true : (op.inPlace?.some(([to, from]) => to === o && from === i) ?? false);
        const coincide =
          input.location.offset === tensor.location.offset &&
          input.dtype !== undefined &&
          elementOffsets(input).join() === starts.join() &&
          byteSize(input.dtype) === byteSize(tensor.dtype);
        if (!allowed || !coincide) complain(`output ${o} is written over input ${i}`);
      }
      for (const start of starts) {
        if (start < 0 || start + byteSize(tensor.dtype) > bytes.length) return complain(`output ${o} lies outside ${name}`);
        for (let byte = start; byte < start + byteSize(tensor.dtype); byte++) {
          if (taken.has(`${name}${byte}`)) return complain(`outputs ${o} and ${taken.get(`${name}${byte}`)} overlap`);
          taken.set(`${name}${byte}`, o);
          if (kind === 'result' && bytes[byte] && !(event.kind === 'step' && event.inLoop)) complain(`writes the result ${index} twice`);
          bytes[byte] = write;
        }
      }
    });
    // What reads the new content of a state belongs to the phase.
    if (step.commit && !overwritten.size && !outputs.some(({ location }) => location.kind === 'binding')) {
      complain('is a commit step ahead of the phase');
    }
  }
  plan.results.forEach((_, i) => {
    if (memory.get(`result:${i}`)!.includes(undefined)) wrong.push(`result ${i} is not written whole`);
  });
  return wrong;
}

/** Whether the bytes from the first to the last element of two tensors in one memory meet. */
function overlap(a: Tensor, b: Tensor): boolean {
  const range = (tensor: Tensor): [number, number] => {
    const offsets = elementOffsets(tensor);
    return offsets.length ? [Math.min(...offsets), Math.max(...offsets) + byteSize(tensor.dtype)] : [0, 0];
  };
  const [aStart, aEnd] = range(a);
  const [bStart, bEnd] = range(b);
  return aStart < bEnd && bStart < aEnd;
}
