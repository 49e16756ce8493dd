// The likelihood of labels under all alignments, by probabilities and not their logarithms, and with every alignment's share.
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

/** Probability of the labels from step t and place s of the path on, and what each emission shares in it. */
function likelihood(emitted: readonly Float64Array[], path: readonly number[]): { total: number; shares: Float64Array[] } {
  const steps = emitted.length;
  const allowed = (from: number, to: number): boolean =>
    to === from || to === from + 1 || (to === from + 2 && path[to] !== path[from] && to % 2 === 1);
  const table = (): Float64Array[] => emitted.map(() => new Float64Array(path.length));
  const [before, behind] = [table(), table()];
  for (let t = 0; t < steps; t++) {
    path.forEach((label, s) => {
      const arrived = t === 0 ? Number(s < 2) : before[t - 1]!.reduce((sum, p, from) => sum + (allowed(from, s) ? p : 0), 0);
      before[t]![s] = arrived * emitted[t]![label]!;
    });
  }
  for (let t = steps - 1; t >= 0; t--) {
    path.forEach((_, s) => {
      behind[t]![s] =
        t === steps - 1
          ? Number(s >= path.length - 2)
          : path.reduce((sum, label, to) => sum + (allowed(s, to) ? behind[t + 1]![to]! * emitted[t + 1]![label]! : 0), 0);
    });
  }
  const total = steps ? before[steps - 1]!.reduce((sum, p, s) => sum + p * behind[steps - 1]![s]!, 0) : Number(path.length === 1);
  const shares = emitted.map((row, t) => {
    const share = new Float64Array(row.length);
    path.forEach((label, s) => {
      if (total > 0) share[label]! += (before[t]![s]! * behind[t]![s]!) / total;
    });
    return share;
  });
  return { total, shares };
}

function samplesOf([x, targets, inputLengths, targetLengths]: readonly NdArray64[], blank: number) {
  const [samples, steps, classes] = x!.shape as [number, number, number];
  const labels = targets!.shape[1]!;
  return Array.from({ length: samples }, (_, n) => {
    const rows = Array.from({ length: Math.min(steps, Math.max(0, inputLengths!.data[n]!)) }, (_, t) =>
      x!.data.subarray((n * steps + t) * classes, (n * steps + t + 1) * classes).map(Math.exp),
    );
    const own = targets!.data.subarray(n * labels, n * labels + Math.min(labels, Math.max(0, targetLengths!.data[n]!)));
    return likelihood(rows, [blank, ...Array.from(own).flatMap((label) => [label, blank])]);
  });
}

export const ctcReferences: References<'ctc' | 'ctcGrad'> = {
  ctc: (inputs, { blank }, [type]) => {
    const found = samplesOf(inputs, blank);
    return [build(type!, ([n]) => -Math.log(found[n!]!.total))];
  },
  ctcGrad: ([dloss, ...inputs], { blank }, [type]) => {
    const found = samplesOf(inputs, blank);
    return [build(type!, ([n, t, c]) => -(found[n!]!.shares[t!]?.[c!] ?? 0) * dloss!.data[n!]!)];
  },
};
