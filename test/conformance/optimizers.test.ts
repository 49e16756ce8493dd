import type { OpName } from '../../src/ops/index.js';
import { optimizerSamples } from '../references/samples/optimizers.js';
import { conform } from './conform.js';

conform(Object.keys(optimizerSamples) as OpName[]);
