import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import type { Attributes, Op } from '../graph/op.js';
import { applyOne, defineRecord } from './define.js';
import { fail, requireShape, showShape } from './support.js';

/** One instruction of a program in SSA form. `sources` are numbers of values; `dtype` is that of the value defined. */
export interface Instruction {
  readonly op: string;
  readonly dtype: DType;
  readonly sources: readonly number[];
  /** The number that `constant` yields. */
  readonly immediate?: number;
}

/**
 * A fused chain of elementwise ops (docs/internals.md, section 4). Values 0 .. inputs - 1 are the loaded inputs, instruction i
 * defines value inputs + i, and `stored` lists the value that each output takes.
 */
export interface Program {
  readonly instructions: readonly Instruction[];
  readonly stored: readonly number[];
}

export type ProgramAttributes = {
  /** The program as text (`encodeProgram`), so that equal programs are equal attributes. */
  readonly program: string;
  readonly shape: readonly number[];
};

/** Text of a program. JSON lacks infinities, NaN and -0, so immediates are written as text. */
export const encodeProgram = (program: Program): string =>
  JSON.stringify([
    program.instructions.map(({ op, dtype, sources, immediate }) =>
      immediate === undefined ? [op, dtype, sources] : [op, dtype, sources, Object.is(immediate, -0) ? '-0' : String(immediate)],
    ),
    program.stored,
  ]);

type Encoded = [[string, DType, number[], string?][], number[]];

export function decodeProgram(text: string): Program {
  const [instructions, stored] = JSON.parse(text) as Encoded;
  return {
    stored,
    instructions: instructions.map(([op, dtype, sources, immediate]) =>
      immediate === undefined ? { op, dtype, sources } : { op, dtype, sources, immediate: Number(immediate) },
    ),
  };
}

/**
 * The record of fused programs, which the compiler alone applies. It takes the table of records to decompose with, since a program may name any elementwise op.
 */
export const elementwiseRecord = (recordOf: (name: string) => Op | undefined): Op<ProgramAttributes> =>
  defineRecord<ProgramAttributes>({
    name: 'elementwise',
    cost: 'elementwise',
    infer(inputs, { program, shape }) {
      requireShape('elementwise', shape);
      for (const { shape: found } of inputs) {
        if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
          fail('SHAPE_MISMATCH', 'elementwise', `an input has shape ${showShape(found)}, but the program runs over ${showShape(shape)}`);
        }
      }
      const { instructions, stored } = decodeProgram(program);
      return stored.map((value) => ({
        shape,
        dtype: value < inputs.length ? inputs[value]!.dtype : instructions[value - inputs.length]!.dtype,
      }));
    },
    decompose(inputs, { program, shape }) {
      const { instructions, stored } = decodeProgram(program);
      const values: Value[] = [...inputs];
      for (const { op, dtype, sources, immediate } of instructions) {
        const record = recordOf(op) ?? fail('INVALID_ARGUMENT', 'elementwise', `a program names "${op}", which is no op`);
        const attributes: Attributes = op === 'constant' ? { shape, dtype, value: immediate! } : op === 'cast' ? { dtype } : {};
        values.push(
          applyOne(
            record,
            sources.map((source) => values[source]!),
            attributes,
          ),
        );
      }
      return stored.map((value) => values[value]!);
    },
    flops: (_inputs, outputs, { program }) =>
      decodeProgram(program).instructions.filter(({ op }) => op !== 'constant').length * outputs[0].shape.reduce((a, b) => a * b, 1),
  });
