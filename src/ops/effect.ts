import type { Value } from '../graph/node.js';
import { applyOne, defineRecord } from './define.js';
import { float, requireDtype } from './support.js';

export const effectRecords = {
  checkFinite: defineRecord({
    name: 'checkFinite',
    cost: 'effect',
    reports: true,
    inPlace: [[0, 0]],
    infer([x]) {
      requireDtype('checkFinite', x, float);
      return x;
    },
    gradient: ({ dy }) => dy,
  }),
};

/** The same value; a run in which it holds NaN or infinity fails with NOT_FINITE and commits nothing. */
export const checkFinite = (x: Value): Value => applyOne(effectRecords.checkFinite, [x], {});
