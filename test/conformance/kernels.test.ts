import type { OpName } from '../../src/ops/index.js';
import { kernelSamples } from '../references/samples/kernels.js';
import { conform } from './conform.js';

conform(Object.keys(kernelSamples) as OpName[]);
