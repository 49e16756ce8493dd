import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { show, sizeOf } from '../graph/op.js';
import * as ops from '../ops/index.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

interface Framing {
  /** Samples between the beginnings of two frames. Default size / 4. */
  hop?: number;
  /** Length of the window, which is centred in the frame. Default: that of the window tensor, else size. */
  windowLength?: number;
  /** The window [windowLength]. Default: ones. Spectra want `hann`. */
  window?: Tensor;
  /** Frame t is centred at t * hop: the signal is extended by half a frame at both ends, reflected. Default true. */
  center?: boolean;
  /** Scale by 1 / sqrt(size). Default false. */
  normalized?: boolean;
  /** Only the bins 0 .. size / 2. Default true. */
  onesided?: boolean;
}
/** Options of `stft`. */
export type StftOptions = Framing;
export interface InverseStftOptions extends Framing {
  /** Samples of the result. Default: as many as the frames cover, without what `center` added. */
  length?: number;
}

const names = ['hop', 'windowLength', 'window', 'center', 'normalized', 'onesided'];

/** The options with their defaults; `window` spans the frame, undefined for ones. */
function framing(where: string, size: number, options: Framing) {
  const count = (name: string, value: number): void => {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${where}: ${name} must be an integer of at least 1, got ${value}.`);
  };
  count('size', size);
  const { hop = Math.max(1, Math.floor(size / 4)), center = true, normalized = false, onesided = true } = options;
  const window = options.window && tensorValue(options.window, where);
  const length = options.windowLength ?? window?.shape[0] ?? size;
  count('hop', hop);
  count('windowLength', length);
  if (length > size) throw new RangeError(`${where}: a window of ${length} does not fit into frames of ${size}.`);
  if (window && (window.shape.length !== 1 || window.shape[0] !== length))
    throw new PolluxError('SHAPE_MISMATCH', `${where}: the window is ${show(window)}, but must be float32[${length}].`);
  const before = Math.floor((size - length) / 2);
  const plain = window ?? (length < size ? ops.constant(1, [length]) : undefined);
  return { hop, center, normalized, onesided, window: plain && ops.pad(plain, [before], [size - length - before]) };
}

/** The place of sample j of frame t: [frames, size]. */
const places = (frames: number, size: number, hop: number): Value => {
  const shape = [frames, size];
  return ops.add(ops.mul(ops.iota(shape, 0), hop), ops.iota(shape, 1));
};

/**
 * Short-time Fourier transform of real x [..., samples], in frames of `size`: [..., bins, frames, 2] as PyTorch's, the pairs
 * being real and imaginary parts.
 */
export function stft(x: Tensor, size: number, options: StftOptions = {}): Tensor {
  checkOptions('stft', options, names);
  const value = tensorValue(x, 'stft');
  const { hop, center, normalized, onesided, window } = framing('stft', size, options);
  const samples = value.shape.at(-1) ?? 0;
  const margin = center ? Math.floor(size / 2) : 0;
  const frames = Math.floor((samples + 2 * margin - size) / hop) + 1;
  if (frames < 1 || margin >= samples) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `stft: ${samples} samples are too few for frames of ${size}${center ? ', reflected by half a frame at both ends' : ''}. Pad the signal, or take a smaller frame.`,
    );
  }
  let at = places(frames, size, hop);
  if (center) {
    const last = samples - 1;
    at = ops.sub(last, ops.abs(ops.sub(last, ops.abs(ops.sub(at, margin)))));
  }
  const framed = ops.gather(value, at, value.shape.length - 1);
  const weighted = window ? ops.mul(framed, window) : framed;
  const spectrum = onesided ? ops.rfft(weighted) : ops.fft(ops.stack([weighted, ops.zerosLike(weighted)], -1));
  const result = ops.swapAxes(spectrum, -2, -3);
  return wrap(normalized ? ops.mul(result, 1 / Math.sqrt(size)) : result);
}

/**
 * Inverse of `stft` with the same size and options: [..., bins, frames, 2] to [..., samples]. Frames are added where they
 * overlap, and divided by the sum of the squared windows there; where no window reaches, the result is 0.
 */
export function istft(x: Tensor, size: number, options: InverseStftOptions = {}): Tensor {
  checkOptions('istft', options, [...names, 'length']);
  const value = tensorValue(x, 'istft');
  const { hop, center, normalized, onesided, window } = framing('istft', size, options);
  const bins = onesided ? Math.floor(size / 2) + 1 : size;
  if (value.shape.length < 3 || value.shape.at(-3) !== bins || value.shape.at(-1) !== 2)
    throw new PolluxError('SHAPE_MISMATCH', `istft: takes [..., ${bins}, frames, 2] for frames of ${size}, but got ${show(value)}.`);
  const frames = value.shape.at(-2)!;
  const spectrum = ops.swapAxes(value, -2, -3);
  const scale = normalized ? 1 / Math.sqrt(size) : 1 / size;
  const real = onesided ? ops.irfft(spectrum, size) : realParts(ops.fft(spectrum, true));
  const framed = ops.mul(real, scale);
  const weighted = window ? ops.mul(framed, window) : framed;

  const total = (frames - 1) * hop + size;
  const batch = value.shape.slice(0, -3);
  const at = ops.reshape(places(frames, size, hop), [frames * size]);
  const flat = ops.reshape(weighted, [sizeOf(batch), frames * size]);
  const added = ops.scatterAdd(ops.constant(0, [sizeOf(batch), total]), at, flat, 1);
  const squares = ops.broadcast(window ? ops.square(window) : ops.constant(1, [size]), [frames, size]);
  const envelope = ops.scatterAdd(ops.constant(0, [total]), at, ops.reshape(squares, [frames * size]));
  const reached = ops.greater(envelope, 1e-11);
  const divided = ops.where(reached, ops.div(added, ops.where(reached, envelope, 1)), 0);

  const begin = center ? Math.floor(size / 2) : 0;
  const end = options.length === undefined ? total - begin : begin + options.length;
  const cut = ops.sliceAxis(divided, 1, begin, Math.min(end, total));
  const whole = ops.pad(cut, [0, 0], [0, Math.max(0, end - total)]);
  return wrap(ops.reshape(whole, [...batch, end - begin]));
}

const realParts = (pairs: Value): Value => ops.reshape(ops.sliceAxis(pairs, -1, 0, 1), pairs.shape.slice(0, -1));
