import type { Value } from '../graph/node.js';
import type { Op } from '../graph/op.js';
import { reducedShape } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import { arithmetic, fail, normaliseAxis, requireDtype, showShape } from './support.js';

type ArgAttributes = { readonly axis: number; readonly keepDims: boolean };

const argRecord = (name: string): Op<ArgAttributes> =>
  defineRecord<ArgAttributes>({
    name,
    cost: 'reduce',
    stops: true,
    infer([x], { axis, keepDims }) {
      requireDtype(name, x, arithmetic);
      if (x.shape[axis] === 0)
        fail('SHAPE_MISMATCH', name, `shape ${showShape(x.shape)} has no elements to choose from along axis ${axis}`);
      return { shape: reducedShape(x.shape, { axes: [axis], keepDims }), dtype: 'int32' };
    },
  });

export const argRecords = { argmax: argRecord('argmax'), argmin: argRecord('argmin') };

const builder =
  (record: Op<ArgAttributes>) =>
  (x: Value, axis = -1, keepDims = false): Value =>
    applyOne(record, [x], { axis: normaliseAxis(record.name, axis, x.shape.length), keepDims });

/** Index (int32) of the greatest element along an axis: the first of equals; NaN wins. */
export const argmax = builder(argRecords.argmax);
/** Index (int32) of the smallest element along an axis: the first of equals; NaN wins. */
export const argmin = builder(argRecords.argmin);
