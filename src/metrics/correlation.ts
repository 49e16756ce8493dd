import { checkNumbers, mean, type Numbers } from './numbers.js';

/**
 * Pearson's correlation in [-1, 1]; NaN where either side does not vary, or of fewer than two samples, as SciPy's.
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT (no samples), NOT_FINITE.
 */
export function pearson(predictions: Numbers, targets: Numbers): number {
  checkNumbers('pearson', predictions, targets);
  return correlate(predictions, targets);
}

/** Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of their ranks. Errors as for `pearson`. */
export function spearman(predictions: Numbers, targets: Numbers): number {
  checkNumbers('spearman', predictions, targets);
  return correlate(ranks(predictions), ranks(targets));
}

function correlate(a: Numbers, b: Numbers): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, spreadA, spreadB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [u, v] = [a[i]! - meanA, b[i]! - meanB];
    both += u * v;
    spreadA += u * u;
    spreadB += v * v;
  }
  if (spreadA === 0 || spreadB === 0) return Number.NaN;
  // Rounding may carry a perfect correlation past 1.
  return Math.min(1, Math.max(-1, both / Math.sqrt(spreadA * spreadB)));
}

function ranks(values: Numbers): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const found = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let place = start; place < end; place++) found[order[place]!] = (start + end + 1) / 2;
    start = end;
  }
  return found;
}
