import { binaryBuilder, binaryRecord } from './arithmetic.js';
import { comparable } from './support.js';

const comparison = (name: string) => binaryRecord(name, comparable, { stops: true }, 'bool');

export const comparisonRecords = {
  equal: comparison('equal'),
  notEqual: comparison('notEqual'),
  less: comparison('less'),
  lessEqual: comparison('lessEqual'),
  greater: comparison('greater'),
  greaterEqual: comparison('greaterEqual'),
};

export const equal = binaryBuilder(comparisonRecords.equal);
export const notEqual = binaryBuilder(comparisonRecords.notEqual);
export const less = binaryBuilder(comparisonRecords.less);
export const lessEqual = binaryBuilder(comparisonRecords.lessEqual);
export const greater = binaryBuilder(comparisonRecords.greater);
export const greaterEqual = binaryBuilder(comparisonRecords.greaterEqual);
