import type { DType } from '../graph/dtype.js';
import { sameShape } from '../graph/op.js';
import type { Instruction, Program } from '../ops/elementwiseProgram.js';
import { constantOf } from './algebra.js';
import { Clusters } from './clusters.js';
import { isInstruction } from './decompose.js';
import type { Graph, Operand, Operation } from './graph.js';
import { recordOf } from './record.js';
import type { Target } from './target.js';

/** How large one program may grow: its values live in registers and first-level cache. */
const LARGEST = { inputs: 12, outputs: 6, instructions: 48 };

/** What a cluster reads from outside and who outside reads it. */
function boundary(members: readonly Operation[], inside: ReadonlySet<Operation>): { inputs: Set<Operand>; outputs: Operand[] } {
  const inputs = new Set<Operand>();
  const outputs: Operand[] = [];
  for (const member of members) {
    for (const input of member.inputs) if (!inside.has(input.producer) && constantOf(input) === undefined) inputs.add(input);
    const output = member.outputs[0]!;
    for (const user of output.users) {
      if (inside.has(user)) continue;
      outputs.push(output);
      break;
    }
  }
  return { inputs, outputs };
}

function fits(members: readonly Operation[]): boolean {
  if (members.length > LARGEST.instructions) return false;
  const { inputs, outputs } = boundary(members, new Set(members));
  return inputs.size <= LARGEST.inputs && outputs.length <= LARGEST.outputs;
}

/** The program of a cluster: one instruction a member, one more for each constant. */
function programOf(members: readonly Operation[], inputs: readonly Operand[], outputs: readonly Operand[]): Program {
  const instructions: Instruction[] = [];
  const numbers = new Map<Operand, number>(inputs.map((input, i) => [input, i]));
  const constants = new Map<string, number>();
  const define = (instruction: Instruction): number => inputs.length + instructions.push(instruction) - 1;
  const constant = (value: number, dtype: DType): number => {
    const key = `${dtype}:${Object.is(value, -0) ? '-0' : value}`;
    let number = constants.get(key);
    if (number === undefined) {
      number = define({ op: 'constant', dtype, sources: [], immediate: value });
      constants.set(key, number);
    }
    return number;
  };
  for (const member of members) {
    const sources = member.inputs.map((input) => {
      const value = constantOf(input);
      return value === undefined ? numbers.get(input)! : constant(value, input.dtype);
    });
    const output = member.outputs[0]!;
    numbers.set(output, define({ op: member.op.name, dtype: output.dtype, sources }));
  }
  return { instructions, stored: outputs.map((output) => numbers.get(output)!) };
}

function lowerCluster(members: Operation[], graph: Graph): void {
  members.sort((a, b) => a.position - b.position);
  const inside = new Set(members);
  const { inputs, outputs } = boundary(members, inside);
  const operands = [...inputs];
  const last = members.at(-1)!;
  const program = programOf(members, operands, outputs);
  const sources = members.flatMap((member) => member.sources);
  const fused = graph.add(recordOf('elementwise'), operands, {}, outputs, last, sources, program);
  outputs.forEach((output, i) => graph.replace(output, fused.outputs[i]!));
}

/**
 * Turns elementwise ops into programs, and (if `fuse`) runs of them over one shape into one program each.
 *
 * From the last op to the first, each joins the programs of its users, which saves a write and a read of the value between them.
 * A program may have several outputs. Two programs join only if no path leads from one to the other through anything else,
 * for the step would then wait for itself.
 */
export function* fuseElementwise(graph: Graph, target: Target, fuse: boolean, due: () => boolean): Generator<void, void> {
  const clusters = new Clusters(graph.operations, graph.sink);
  const candidates = graph.operations.filter((operation) => isInstruction(operation, target));
  const isCandidate = new Set(candidates);
  if (fuse) {
    for (const operation of candidates.toReversed()) {
      const output = operation.outputs[0]!;
      const users = [...output.users].filter((user) => isCandidate.has(user) && sameShape(user.outputs[0]!.shape, output.shape));
      for (const user of users.sort((a, b) => a.position - b.position)) {
        clusters.merge(operation, user, fits);
        if (due()) yield;
      }
    }
  }
  for (const members of clusters.groups(isCandidate)) {
    lowerCluster(members, graph);
    if (due()) yield;
  }
  yield* graph.tidy(due);
}
