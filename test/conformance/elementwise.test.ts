import type { OpName } from '../../src/ops/index.js';
import { elementwiseSamples } from '../references/samples/elementwise.js';
import { conform } from './conform.js';

conform(Object.keys(elementwiseSamples) as OpName[]);
