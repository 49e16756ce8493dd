import type { OpName } from '../../src/ops/index.js';
import { recurrentSamples } from '../references/samples/recurrent.js';
import { conform } from './conform.js';

conform(Object.keys(recurrentSamples) as OpName[]);
