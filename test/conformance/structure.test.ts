import type { OpName } from '../../src/ops/index.js';
import { structureSamples } from '../references/samples/structure.js';
import { conform } from './conform.js';

conform(Object.keys(structureSamples) as OpName[]);
