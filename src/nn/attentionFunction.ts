import { checkOptions } from '../errors.js';
import * as ops from '../ops/index.js';
import { draw, type Shape, type Tensor, tensorValue, wrap } from '../tensor/index.js';

/** Tensors that say which pairs of queries and keys meet, and how. */
export interface AttentionBias {
  /**
   * bool (true: may be seen) or float32 (added to the scores), broadcast to [batch, heads, queries, keys]: as in PyTorch's
   * scaled_dot_product_attention, and the opposite of its MultiheadAttention for bool.
   */
  mask?: Tensor;
  /** A query sees no key behind its own place. Where lengths differ, the last query stands at the last key. */
  causal?: boolean;
  /** int32 [batch]: how many keys of each sample count. */
  lengths?: Tensor;
  /** int32 [batch]: how many queries of each sample count; the others give zeros. Causal sequences that look at themselves take `lengths`. */
  queryLengths?: Tensor;
}

export interface AttentionOptions extends AttentionBias {
  /** Factor of the scores. Default 1 / sqrt(size). */
  scale?: number;
  /** Sliding window: a query sees only keys less than this far away. */
  window?: number;
  /** float32 [heads], as alibiSlopes() gives them: scores are lowered by slope * distance (Press et al. 2022). */
  slopes?: Tensor;
  /** Probability with which a weight is dropped, always: pass 0 outside of training. Default 0. */
  dropout?: number;
}

const known = ['mask', 'causal', 'lengths', 'queryLengths', 'scale', 'window', 'slopes', 'dropout'];

/**
 * Scaled dot-product attention, fused: softmax(scale * queries keys^T + bias) values, in memory linear in the lengths, forward and
 * backward (Vaswani et al. 2017, Dao et al. 2022). Queries [batch, from, heads, size], keys [batch, to, keyHeads, size], values
 * [batch, to, keyHeads, valueSize] to [batch, from, heads, valueSize]; keyHeads divides heads (grouped queries: Ainslie et al. 2023).
 * A query that may see no key gives zeros, and no gradient.
 */
export function attention<B extends number, T extends number, H extends number>(
  queries: Tensor<readonly [B, T, H, number], 'float32'>,
  keys: Tensor<readonly [B, number, number, number], 'float32'>,
  values: Tensor<readonly [B, number, number, number], 'float32'>,
  options?: AttentionOptions,
): Tensor<readonly [B, T, H, number], 'float32'>;
export function attention(queries: Tensor, keys: Tensor, values: Tensor, options?: AttentionOptions): Tensor;
export function attention(queries: Tensor, keys: Tensor, values: Tensor, options: AttentionOptions = {}): Tensor {
  checkOptions('attention', options, known);
  const { causal, window, scale, dropout: rate = 0 } = options;
  const given = (name: 'mask' | 'lengths' | 'queryLengths' | 'slopes') => options[name] && tensorValue(options[name], `attention: ${name}`);
  return wrap(
    ops.attention(tensorValue(queries, 'attention'), tensorValue(keys, 'attention'), tensorValue(values, 'attention'), {
      causal,
      window,
      scale,
      mask: given('mask'),
      lengths: given('lengths'),
      queryLengths: given('queryLengths'),
      slopes: given('slopes'),
      dropout: rate > 0 ? { rate, ...draw() } : undefined,
    }),
  );
}

/** [batch, length, ...heads * size] to [batch, length, heads, size]. */
export const splitHeads = (x: Tensor, heads: number): Tensor =>
  x.reshape([x.shape[0]!, x.shape[1]!, heads, heads ? x.shape[2]! / heads : 0]);

/** A mask that also hides padding: `padding` is bool [batch, keys], true for what is ignored. */
export function withPadding(mask: Tensor | undefined, padding: Tensor<Shape, 'bool'>): Tensor {
  const hidden = ops.reshape(padding.value, [padding.shape[0]!, 1, 1, padding.shape[1]!]);
  if (!mask) return wrap(ops.logicalNot(hidden));
  return wrap(mask.dtype === 'bool' ? ops.logicalAnd(mask.value, ops.logicalNot(hidden)) : ops.where(hidden, -Infinity, mask.value));
}
