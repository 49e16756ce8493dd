import type { Op } from '../graph/op.js';
import { records } from '../ops/index.js';
import type { OpName } from '../ops/index.js';
import type { Operation } from './graph.js';

export type { OpName };

/** The record of an op, whatever its attributes. */
export const recordOf = (name: OpName): Op => records[name] as unknown as Op;

/** Whether `operation` applies the library's op of that name: ops of the user's own may bear any name. */
export const isOp = (operation: Operation, name: OpName): boolean => operation.op === recordOf(name);

/** Whether the library defines the op. */
export const isBuiltIn = (operation: Operation): boolean => operation.op === recordOf(operation.op.name as OpName);
