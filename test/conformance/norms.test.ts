import type { OpName } from '../../src/ops/index.js';
import { normSamples } from '../references/samples/norms.js';
import { conform } from './conform.js';

conform(Object.keys(normSamples) as OpName[]);
