import type { OpName } from '../../src/ops/index.js';
import { orderingSamples } from '../references/samples/ordering.js';
import { conform } from './conform.js';

conform(Object.keys(orderingSamples) as OpName[]);
