import type { OpName } from '../../src/ops/index.js';
import { fftSamples } from '../references/samples/fft.js';
import { conform } from './conform.js';

conform(Object.keys(fftSamples) as OpName[]);
