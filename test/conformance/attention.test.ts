import type { OpName } from '../../src/ops/index.js';
import { attentionSamples } from '../references/samples/attention.js';
import { conform } from './conform.js';

conform(Object.keys(attentionSamples) as OpName[]);
