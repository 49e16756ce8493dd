import { setImmediate as macrotask } from 'node:timers/promises';
import { checkOptions } from '../errors.js';
import { checkWhole } from '../data/checks.js';

export interface ResampleOptions {
  /** Zero crossings of the filter on each side: more are sharper and slower. Default 6. */
  width?: number;
  /** Where the filter cuts, as a share of the lower rate's half. Default 0.99. */
  rolloff?: number;
}

/** Outputs between two looks at the event loop. */
const slice = 16_384;

const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);

/**
 * Changes the sample rate by a band-limited interpolation (Smith 1984): a sinc under a Hann window, one filter for each place of an
 * output between two inputs, as torchaudio's `resample` with its defaults. ceil(length * to / from) samples. Leaves the event loop free.
 */
export async function resample(samples: Float32Array, from: number, to: number, options: ResampleOptions = {}): Promise<Float32Array> {
  checkOptions('resample', options, ['width', 'rolloff']);
  const { rolloff = 0.99 } = options;
  const width = checkWhole('resample', 'width', options.width ?? 6, 1);
  checkWhole('resample', 'from', from, 1);
  checkWhole('resample', 'to', to, 1);
  if (!(rolloff > 0 && rolloff <= 1)) throw new RangeError(`resample: rolloff must lie in (0, 1], got ${rolloff}.`);
  if (from === to) return samples.slice();
  const divisor = gcd(from, to);
  const [before, after] = [from / divisor, to / divisor];
  const base = Math.min(before, after) * rolloff;
  const reach = Math.ceil((width * before) / base);
  const taps = 2 * reach + before;
  const filters = Float64Array.from({ length: after * taps }, (_, place) => {
    const [phase, tap] = [Math.floor(place / taps), place % taps];
    const t = Math.max(-width, Math.min(width, ((tap - reach) / before - phase / after) * base));
    const window = Math.cos((t * Math.PI) / width / 2) ** 2;
    const sinc = t === 0 ? 1 : Math.sin(t * Math.PI) / (t * Math.PI);
    return (sinc * window * base) / before;
  });
  const out = new Float32Array(Math.ceil((samples.length * after) / before));
  for (let i = 0; i < out.length; i++) {
    if (i % slice === slice - 1) await macrotask();
    const filter = (i % after) * taps;
    const first = Math.floor(i / after) * before - reach;
    let sum = 0;
    for (let tap = Math.max(0, -first); tap < taps && first + tap < samples.length; tap++)
      sum += filters[filter + tap]! * samples[first + tap]!;
    out[i] = sum;
  }
  return out;
}
