import type { OpName } from '../../src/ops/index.js';
import { build } from './array.js';
import type { References } from './array.js';
import { attentionReferences } from './attention.js';
import { contractionReferences } from './contraction.js';
import { ctcReferences } from './ctc.js';
import { elementwiseReferences } from './elementwise.js';
import { imageReferences } from './images.js';
import { fftReferences } from './fft.js';
import { movementReferences } from './movement.js';
import { normalisationReferences } from './normalisation.js';
import { normReferences } from './norms.js';
import { optimizerReferences } from './optimizer.js';
import { orderingReferences } from './ordering.js';
import { poolReferences } from './pool.js';
import { randomReferences } from './random.js';
import { recurrentReferences } from './recurrent.js';
import { reduceReferences } from './reduce.js';

const sourceReferences: References<'leaf' | 'constant' | 'iota'> = {
  leaf: () => {
    throw new Error('a leaf has no data but what it is bound to');
  },
  constant: (_, { value }, [type]) => [build(type!, () => value)],
  iota: (_, { axis }, [type]) => [build(type!, (index) => index[axis]!)],
};

/** What every op computes, in float64: a plain function each, independent of any kernel. An op without one does not compile. */
export const references: References<OpName> = {
  ...sourceReferences,
  ...elementwiseReferences,
  ...movementReferences,
  ...reduceReferences,
  ...contractionReferences,
  ...ctcReferences,
  ...poolReferences,
  ...imageReferences,
  ...normalisationReferences,
  ...normReferences,
  ...fftReferences,
  ...attentionReferences,
  ...randomReferences,
  ...recurrentReferences,
  ...optimizerReferences,
  ...orderingReferences,
};

export type { NdArray64, Reference } from './array.js';
