import { dtypes } from '../graph/dtype.js';
import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { applyOne, defineRecord } from './define.js';

type CastAttributes = { readonly dtype: string };

export const castRecords = {
  cast: defineRecord<CastAttributes>({
    name: 'cast',
    cost: 'elementwise',
    infer: ([x], { dtype }) => ({ shape: x.shape, dtype: dtype as DType }),
    // Asked only between float types: values of other types carry no gradient.
    gradient: ({ dy, inputs: [x] }) => cast(dy, x.dtype),
  }),
};

/** Converts each element. Float to integer truncates toward zero and saturates (NaN gives 0); to bool: `x != 0`. */
export function cast(x: Value, dtype: DType): Value {
  if (!dtypes.includes(dtype)) throw new TypeError(`cast: there is no dtype "${dtype}"; known: ${dtypes.join(', ')}`);
  return x.dtype === dtype ? x : applyOne(castRecords.cast, [x], { dtype });
}
