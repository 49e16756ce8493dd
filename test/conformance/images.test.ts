import { imageSamples } from '../references/samples/images.js';
import type { OpName } from '../../src/ops/index.js';
import { conform } from './conform.js';

conform(Object.keys(imageSamples) as OpName[]);
