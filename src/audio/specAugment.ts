import { checkWhole } from '../data/checks.js';
import { below, philox, PhiloxStream } from '../data/philox.js';
import { checkOptions, PolluxError } from '../errors.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { leafTensor, type Tensor, tensorValue, wrap } from '../tensor/index.js';

export interface SpecAugmentOptions {
  /** Bands of frequency to hide, each of at most `frequencyWidth` bins. Defaults 2 and 27. */
  frequencyMasks?: number;
  frequencyWidth?: number;
  /** Spans of time to hide, each of at most `timeWidth` frames and `timeShare` of all. Defaults 2, 100 and 1. */
  timeMasks?: number;
  timeWidth?: number;
  timeShare?: number;
  /** What stands where something is hidden. Default 0. */
  value?: number;
  /** What the draws depend on, beside the index of each sample. Defaults 0. */
  seed?: number;
  epoch?: number;
  /** The index of each sample in its data set. Default: its place in the batch. */
  indices?: ArrayLike<number>;
}

const maskStream = 0x73706563;

/**
 * SpecAugment's masks (Park et al. 2019) on spectrograms [batch, bins, frames]: bands of bins and spans of frames are hidden. The width
 * of each is uniform over 0 .. its greatest, then its begin over where it fits. Sample i draws from (seed, epoch, index of i, mask) alone,
 * on the host: in a compiled step the masks are those of the call that traced it, so augment before the step, or in the loader.
 */
export function specAugment(x: Tensor, options: SpecAugmentOptions = {}): Tensor {
  const where = 'specAugment';
  const numbers = ['frequencyMasks', 'frequencyWidth', 'timeMasks', 'timeWidth', 'timeShare', 'value', 'seed', 'epoch', 'indices'];
  checkOptions(where, options, numbers);
  const value = tensorValue(x, where);
  if (value.shape.length !== 3)
    throw new PolluxError('SHAPE_MISMATCH', `${where}: takes spectrograms [batch, bins, frames], got ${show(value)}.`);
  const [batch, bins, frames] = value.shape as [number, number, number];
  const { timeShare = 1, value: hidden = 0, seed = 0, epoch = 0, indices } = options;
  const whole = (name: 'frequencyMasks' | 'frequencyWidth' | 'timeMasks' | 'timeWidth', usual: number) =>
    checkWhole(where, name, options[name] ?? usual, 0);
  if (!(timeShare >= 0 && timeShare <= 1)) throw new RangeError(`${where}: timeShare must lie in [0, 1], got ${timeShare}.`);
  if (indices && indices.length !== batch)
    throw new PolluxError('SHAPE_MISMATCH', `${where}: ${indices.length} indices for ${batch} samples; give one a sample.`);
  const stream = new PhiloxStream(seed, maskStream);
  const words = new Uint32Array(4);
  /** 1 where a sample shows, 0 in its spans: [batch, size]. */
  const shown = (size: number, masks: number, widest: number, salt: number): Float32Array => {
    const keep = new Float32Array(batch * size).fill(1);
    for (let i = 0; i < batch; i++) {
      const [a, b, c, d] = stream.draw(indices?.[i] ?? i, epoch) as unknown as [number, number, number, number];
      for (let mask = 0; mask < masks; mask++) {
        philox(words, 0, a, b, c, d, salt, mask);
        const width = below(words[0]!, Math.min(widest, size) + 1);
        const begin = i * size + below(words[1]!, size - width + 1);
        keep.fill(0, begin, begin + width);
      }
    }
    return keep;
  };
  const ofBins = shown(bins, whole('frequencyMasks', 2), whole('frequencyWidth', 27), 1);
  const ofFrames = shown(frames, whole('timeMasks', 2), Math.min(whole('timeWidth', 100), Math.floor(timeShare * frames)), 2);
  const keep = ops.mul(leafTensor([batch, bins, 1], 'float32', ofBins).value, leafTensor([batch, 1, frames], 'float32', ofFrames).value);
  return wrap(ops.where(ops.equal(keep, 1), value, hidden));
}
