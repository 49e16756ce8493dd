// What is done to a waveform [..., samples] before its spectrum: frames, emphasis, companding.
import { checkWhole } from '../data/checks.js';
import { PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type Tensor, tensorValue, wrap } from '../tensor/index.js';

/** The value of a float32 signal [..., samples]. */
export function signalOf(where: string, x: Tensor): Value {
  const value = tensorValue(x, where);
  if (value.dtype !== 'float32' || !value.shape.length)
    throw new PolluxError('SHAPE_MISMATCH', `${where}: takes a signal float32[..., samples], got ${show(value)}.`);
  return value;
}

/**
 * Windows of `size` samples, one every `hop`: [..., samples] to [..., count, size], count = floor((samples - size) / hop) + 1. What is
 * left over at the end is dropped, as PyTorch's `unfold` does; a signal shorter than one frame gives none.
 */
export function frames(x: Tensor, size: number, hop: number): Tensor {
  const value = signalOf('frames', x);
  checkWhole('frames', 'size', size, 1);
  checkWhole('frames', 'hop', hop, 1);
  const shape = [Math.max(0, Math.floor((value.shape.at(-1)! - size) / hop) + 1), size];
  const places = ops.add(ops.mul(ops.iota(shape, 0), hop), ops.iota(shape, 1));
  return wrap(ops.gather(value, places, value.shape.length - 1));
}

/** y_t = x_t - coefficient x_(t - 1), which raises high frequencies; the first sample stays. */
export function preEmphasis(x: Tensor, coefficient = 0.97): Tensor {
  const value = signalOf('preEmphasis', x);
  const samples = value.shape.at(-1)!;
  if (samples < 2) return wrap(ops.identity(value));
  const none = value.shape.map(() => 0);
  const before = ops.pad(ops.sliceAxis(value, -1, 0, samples - 1), none.with(-1, 1), none);
  return wrap(ops.sub(value, ops.mul(before, coefficient)));
}

/**
 * Companding of numbers in [-1, 1] to levels 0 .. levels - 1 (int32; ITU-T G.711's mu-law curve, mu = levels - 1): quiet samples get
 * finer levels. Samples beyond are clipped. Stops gradients.
 */
export function muLawEncode(x: Tensor, levels = 256): Tensor {
  const value = signalOf('muLawEncode', x);
  const mu = checkWhole('muLawEncode', 'levels', levels, 2) - 1;
  const size = ops.minimum(ops.abs(value), 1);
  const curved = ops.mul(ops.sign(value), ops.mul(ops.log1p(ops.mul(size, mu)), 1 / Math.log1p(mu)));
  return wrap(ops.cast(ops.add(ops.mul(ops.add(curved, 1), mu / 2), 0.5), 'int32'));
}

/** The numbers in [-1, 1] of levels that `muLawEncode` gave. */
export function muLawDecode(x: Tensor, levels = 256): Tensor {
  const value = tensorValue(x, 'muLawDecode');
  const mu = checkWhole('muLawDecode', 'levels', levels, 2) - 1;
  const curved = ops.sub(ops.mul(ops.cast(value, 'float32'), 2 / mu), 1);
  return wrap(ops.mul(ops.sign(curved), ops.mul(ops.expm1(ops.mul(ops.abs(curved), Math.log1p(mu))), 1 / mu)));
}
