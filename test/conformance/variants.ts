// Samples of an op for the dtypes that its own list leaves out.
import { dtypes } from '../../src/graph/dtype.js';
import type { DType } from '../../src/graph/dtype.js';
import { sizeOf } from '../../src/graph/op.js';
import type { Op } from '../../src/graph/op.js';
import { PolluxError } from '../../src/errors.js';
import type { OpName } from '../../src/ops/index.js';
import { records } from '../../src/ops/index.js';
import { convert } from '../references/array.js';
import { samples } from '../references/samples.js';
import type { Sample, SampleInput } from '../references/samples.js';

export const recordOf = (name: OpName): Op => records[name] as unknown as Op;

/** The dtype that a sample tests: of what is chosen from, of what comes out where nothing goes in, else of the first operand. */
export function dtypeOf(name: OpName, { inputs, attributes }: Sample): DType {
  if (name === 'where') return inputs[1]!.dtype;
  return inputs[0]?.dtype ?? (attributes['dtype'] as DType);
}

/** A float as a number of another dtype that is not mostly 0. */
function converted(x: number, dtype: DType): number {
  if (dtype === 'bool') return Number(x > 0);
  if (dtype === 'float16' || dtype === 'bfloat16') return convert(x, 'float32', dtype);
  return convert(convert(dtype === 'uint8' ? Math.abs(x * 7) : x * 7, 'float32', 'int8'), 'int8', dtype);
}

export const inputAs = (input: SampleInput, dtype: DType): SampleInput =>
  input.dtype === 'float32'
    ? { ...input, dtype, fill: (random, size) => input.fill(random, size).map((x) => converted(Math.fround(x), dtype)) }
    : input;

function sampleAs({ inputs, attributes }: Sample, dtype: DType): Sample {
  const typed = {
    ...(!inputs.length && { dtype }),
    ...('value' in attributes && { value: converted(attributes['value'] as number, dtype) }),
  };
  return { inputs: inputs.map((input) => inputAs(input, dtype)), attributes: { ...attributes, ...typed }, smooth: false };
}

function accepts(op: Op, { inputs, attributes }: Sample): boolean {
  try {
    op.infer(inputs, attributes);
    return true;
  } catch (error) {
    if (error instanceof PolluxError) return false;
    throw error;
  }
}

/** The samples of an op, and for each dtype that they leave out and the op accepts, those of float32 with that dtype. */
export function samplesOf(name: OpName): Sample[] {
  const own = samples[name] as readonly Sample[];
  if (name === 'cast' || name === 'elementwise') return [...own];
  const present = new Set(own.map((sample) => dtypeOf(name, sample)));
  const small = own.filter((sample) => dtypeOf(name, sample) === 'float32' && sample.inputs.every(({ shape }) => sizeOf(shape) <= 1100));
  const missing = dtypes.filter((dtype) => !present.has(dtype));
  return [
    ...own,
    ...missing.flatMap((dtype) => small.map((sample) => sampleAs(sample, dtype)).filter((sample) => accepts(recordOf(name), sample))),
  ];
}
