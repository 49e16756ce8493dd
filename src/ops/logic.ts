import type { Value } from '../graph/node.js';
import { binaryBuilder, binaryRecord } from './arithmetic.js';
import { applyOne, defineRecord } from './define.js';
import { requireDtype } from './support.js';

const logical = (name: string) => binaryRecord(name, ['bool'], { stops: true });

export const logicRecords = {
  logicalAnd: logical('logicalAnd'),
  logicalOr: logical('logicalOr'),
  logicalXor: logical('logicalXor'),
  logicalNot: defineRecord({
    name: 'logicalNot',
    cost: 'elementwise',
    stops: true,
    inPlace: [[0, 0]],
    infer([x]) {
      requireDtype('logicalNot', x, ['bool']);
      return x;
    },
  }),
};

export const logicalAnd = binaryBuilder(logicRecords.logicalAnd);
export const logicalOr = binaryBuilder(logicRecords.logicalOr);
export const logicalXor = binaryBuilder(logicRecords.logicalXor);
export const logicalNot = (x: Value): Value => applyOne(logicRecords.logicalNot, [x], {});
