import type { OpName } from '../../src/ops/index.js';
import { ctcSamples } from '../references/samples/ctc.js';
import { conform } from './conform.js';

conform(Object.keys(ctcSamples) as OpName[]);
