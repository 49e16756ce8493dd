import type { OpName } from '../../src/ops/index.js';
import { attentionSamples } from './samples/attention.js';
import { ctcSamples } from './samples/ctc.js';
import { elementwiseSamples } from './samples/elementwise.js';
import { imageSamples } from './samples/images.js';
import { fftSamples } from './samples/fft.js';
import { kernelSamples } from './samples/kernels.js';
import { normSamples } from './samples/norms.js';
import { optimizerSamples } from './samples/optimizers.js';
import { orderingSamples } from './samples/ordering.js';
import { recurrentSamples } from './samples/recurrent.js';
import type { Samples } from './samples/sample.js';
import { structureSamples } from './samples/structure.js';

/** Calls of every op, over shapes that find mistakes; `operandsOf` makes their data. An op without samples does not compile. */
export const samples: Samples<OpName> = {
  ...structureSamples,
  ...elementwiseSamples,
  ...orderingSamples,
  ...kernelSamples,
  ...optimizerSamples,
  ...imageSamples,
  ...recurrentSamples,
  ...attentionSamples,
  ...ctcSamples,
  ...normSamples,
  ...fftSamples,
};

export { operandsOf } from './samples/sample.js';
export type { Sample, SampleInput } from './samples/sample.js';
