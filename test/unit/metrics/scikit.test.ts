import { readFileSync } from 'node:fs';
import { metrics } from 'pollux';
import { describe, expect, it } from 'vitest';
import { erfc, normalQuantile } from '../../../src/metrics/normal.js';

/** Inputs and values of scikit-learn and SciPy: make_expected.py. */
const e = JSON.parse(readFileSync(new URL('expected.json', import.meta.url), 'utf8'));
const near = (value: number) => expect.closeTo(value, 12);
const list = (values: ArrayLike<number>) => Array.from(values, near);

describe('scores by class', () => {
  const scores = {
    precision: metrics.precision,
    recall: metrics.recall,
    f1: metrics.f1,
    jaccard: metrics.jaccard,
  };

  it.each(Object.entries(scores))('%s has every average of scikit-learn', (name, score) => {
    for (const average of ['micro', 'macro', 'weighted'] as const) expect(score(e.p4, e.t4, { average })).toEqual(near(e[name][average]));
    const each = score(e.p4, e.t4, { average: 'none' });
    expect([...each.keys()]).toEqual([0, 1, 2, 3]);
    expect([...each.values()]).toEqual(list(e[name].none));
  });

  it('F-beta and zeroDivision too', () => {
    for (const average of ['micro', 'macro', 'weighted'] as const) {
      expect(metrics.fBeta(e.p4, e.t4, { beta: 2, average })).toEqual(near(e.fBeta2[average]));
      expect(metrics.recall(e.p4, e.t4, { average, zeroDivision: 1 })).toEqual(near(e.recallOne[average]));
    }
    expect(() => metrics.fBeta(e.p4, e.t4, { beta: 0 })).toThrow(/beta must be above 0/);
  });

  it('two classes are scored by the positive one', () => {
    const all = Object.values(scores);
    expect(all.map((score) => score(e.p2, e.t2))).toEqual(list([e.binary[0], e.binary[1], e.binary[2], e.binary[3]]));
    expect(all.map((score) => score(e.p2, e.t2, { positiveLabel: 0 }))).toEqual(list(e.binary0));
  });

  it('NaN as zeroDivision leaves a class out of the mean', () => {
    // Class 0: precision 1/2. Class 1 is never predicted.
    expect(metrics.precision([0, 0], [0, 1], { average: 'macro', zeroDivision: Number.NaN })).toBe(0.5);
    expect(metrics.precision([0, 0], [0, 1], { zeroDivision: Number.NaN })).toBeNaN();
    expect(metrics.precision([0, 0], [0, 0])).toBe(0);
    expect(metrics.precision([0, 0], [0, 0], { zeroDivision: 1 })).toBe(1);
  });

  it('says which average to choose, and knows its options', () => {
    expect(() => metrics.f1([0, 1, 2], [0, 1, 2])).toThrow(/3 classes.*average: 'macro'/);
    expect(() => metrics.f1([3, 4], [3, 4])).toThrow(/set positiveLabel/);
    expect(() => metrics.f1([0], [0], { avrage: 'macro' } as never)).toThrow(/did you mean "average"/);
    expect(() => metrics.f1([0], [0], { average: 'mean' as never })).toThrow(/unknown average/);
    expect(() => metrics.f1([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => metrics.f1([0, 1], [0])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
  });
});

describe('agreement', () => {
  it('has the values of scikit-learn', () => {
    expect(metrics.balancedAccuracy(e.p4, e.t4)).toEqual(near(e.balancedAccuracy));
    expect(metrics.matthews(e.p4, e.t4)).toEqual(near(e.matthews));
    expect((['none', 'linear', 'quadratic'] as const).map((weights) => metrics.cohenKappa(e.p4, e.t4, { weights }))).toEqual(list(e.kappa));
    expect(metrics.hammingLoss(e.indicatorsP, e.indicatorsT)).toEqual(near(e.hamming));
    expect([1, 2, 3, 5].map((k) => metrics.topKAccuracy({ data: e.scores6.flat(), shape: [30, 6] }, e.t6, { k }))).toEqual(list(e.topK));
  });

  it('of one class only', () => {
    expect(metrics.matthews([1, 1, 1], [1, 1, 1])).toBe(0);
    expect(metrics.cohenKappa([1, 1], [1, 1])).toBeNaN();
    expect(metrics.balancedAccuracy([1, 0], [1, 1])).toBe(0.5);
  });

  it('ranks equal scores by class, and refuses a bad k', () => {
    expect(metrics.topKAccuracy([[1, 1, 1]], [0], { k: 1 })).toBe(1);
    expect(metrics.topKAccuracy([[1, 1, 1]], [2], { k: 2 })).toBe(0);
    expect(() => metrics.topKAccuracy([[1, 2]], [0])).toThrow(/k must lie in \[1, 2\]/);
    expect(() => metrics.topKAccuracy([[1, Number.NaN]], [0], { k: 1 })).toThrow(expect.objectContaining({ code: 'NOT_FINITE' }));
    expect([
      ...metrics.argmax([
        [1, 3, 3],
        [5, 0, 0],
      ]),
    ]).toEqual([1, 0]);
  });
});

describe('curves', () => {
  it('have the points of scikit-learn', () => {
    const roc = metrics.rocCurve(e.scores2, e.t2);
    expect([...roc.falsePositiveRate]).toEqual(list(e.roc[0]));
    expect([...roc.truePositiveRate]).toEqual(list(e.roc[1]));
    expect([...roc.thresholds]).toEqual([Number.POSITIVE_INFINITY, ...list(e.roc[2])]);
    const pr = metrics.precisionRecallCurve(e.scores2, e.t2);
    expect([[...pr.precision], [...pr.recall], [...pr.thresholds]]).toEqual(e.pr.map(list));
  });

  it('and the areas', () => {
    expect(metrics.rocAuc(e.scores2, e.t2)).toEqual(near(e.rocAuc));
    expect(
      metrics.rocAuc(
        e.scores2.map((s: number) => [-s, s]),
        e.t2,
      ),
    ).toEqual(near(e.rocAuc));
    expect(metrics.rocAuc(e.prob3, e.t3)).toEqual(near(e.rocAuc3[0]));
    expect(metrics.rocAuc(e.prob3, e.t3, { average: 'weighted' })).toEqual(near(e.rocAuc3[1]));
    expect(metrics.averagePrecision(e.scores2, e.t2)).toEqual(near(e.averagePrecision));
    expect(metrics.averagePrecision(e.prob3, e.t3)).toEqual(near(e.averagePrecision3));
    expect(metrics.areaUnder([0, 1, 2], [0, 1, 0])).toBe(1);
  });

  it('need both classes and numbers', () => {
    expect(() => metrics.rocAuc([0.1, 0.2], [1, 1])).toThrow(/no negative samples/);
    expect(() => metrics.averagePrecision([0.1, 0.2], [0, 0])).toThrow(/no positive samples/);
    expect(() => metrics.rocAuc(e.prob3.slice(0, 2), [0, 1])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => metrics.rocAuc([0.1, Number.NaN], [0, 1])).toThrow(/score 1 is NaN/);
    expect(() => metrics.rocAuc([[0.1, 0.9, 0], [0.1]], [0, 1])).toThrow(/row 1 has 1 scores/);
    expect(() => metrics.rocCurve([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('probabilities', () => {
  it('have the values of scikit-learn', () => {
    expect([metrics.logLoss(e.prob2, e.t2), metrics.logLoss(e.prob3, e.t3)]).toEqual(list(e.logLoss));
    expect(metrics.brierScore(e.prob2, e.t2)).toEqual(near(e.brier));
    // Brier (1950): summed over the classes, so a two-column matrix has twice the vector's score.
    expect(
      metrics.brierScore(
        e.prob2.map((p: number) => [1 - p, p]),
        e.t2,
      ),
    ).toEqual(near(2 * e.brier));
    expect(metrics.logLoss([[1, 0]], [1])).toBeCloseTo(52 * Math.LN2, 10);
  });

  it('calibration, counted by hand', () => {
    // Confidences 0.9, 0.8 (both in (0.75, 1], one right) and 0.6 (right): |0.85 - 0.5| * 2/3 + |0.6 - 1| * 1/3.
    const probabilities = [
      [0.9, 0.1],
      [0.2, 0.8],
      [0.6, 0.4],
    ];
    expect(metrics.expectedCalibrationError(probabilities, [0, 0, 0], { bins: 4 })).toBeCloseTo((0.35 * 2 + 0.4) / 3, 12);
    const bins = metrics.reliabilityBins(probabilities, [0, 0, 0], { bins: 4 });
    expect(bins.map(({ count }) => count)).toEqual([0, 0, 1, 2]);
    expect(bins[3]).toEqual({ low: 0.75, high: 1, count: 2, confidence: near(0.85), accuracy: 0.5 });
    expect(bins[0]!.accuracy).toBeNaN();
    // A vector is the probability of the positive class: 0.1 comes true never, 1 always.
    expect(metrics.expectedCalibrationError([0.1, 1], [0, 1], { bins: 10 })).toBeCloseTo(0.05, 12);
  });

  it('refuse logits', () => {
    expect(() => metrics.logLoss([[2, -1]], [0])).toThrow(/apply softmax or sigmoid/);
    expect(() => metrics.logLoss([[0.2, 0.2]], [0])).toThrow(/add up to 0.4/);
    expect(() => metrics.logLoss([[0.5, 0.5]], [2])).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
  });
});

describe('regression', () => {
  const { mse, rmse, mae, mape, r2, explainedVariance, medianAbsoluteError, pearson, spearman } = metrics;

  it('has the values of scikit-learn and SciPy', () => {
    const found = [mse, rmse, mae, mape, r2, explainedVariance, medianAbsoluteError].map((metric) => metric(e.z, e.y));
    // By ratio: a target of 0 makes the percentage error huge.
    found.forEach((value, i) => expect(value / e.regression[i]).toBeCloseTo(1, 12));
    expect([pearson(e.z, e.y), spearman(e.z, e.y)]).toEqual(list(e.correlation));
  });

  it('at the edges', () => {
    expect(r2([1], [1])).toBeNaN();
    expect([r2([2, 2], [2, 2]), r2([1, 2], [2, 2])]).toEqual([1, 0]);
    expect([explainedVariance([3, 3], [2, 2]), explainedVariance([1, 2], [2, 2])]).toEqual([1, 0]);
    expect([pearson([1, 1], [1, 2]), pearson([1], [1])]).toEqual([Number.NaN, Number.NaN]);
    expect(medianAbsoluteError([0, 0, 0, 0], [1, 2, 4, 8])).toBe(3);
    expect(() => mse([1, Number.NaN], [1, 2])).toThrow(/prediction 1 is NaN/);
    expect(() => mse([1], [1, 2])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(() => mse([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('statistics', () => {
  it('normal and chi-square distributions as SciPy', () => {
    for (const [q, z] of e.normal) expect(Math.abs(normalQuantile(q) - z)).toBeLessThan(1e-8);
    for (const [x, p] of e.chi2) expect(erfc(Math.sqrt(x / 2)) / p).toBeCloseTo(1, 10);
  });

  it('McNemar: exact and with the chi-square', () => {
    for (const [n, k, p] of e.binomial) {
      const labels = new Array<number>(n).fill(1);
      const first = labels.map((_, i) => (i < k ? 1 : 0));
      const second = labels.map((_, i) => (i < k ? 0 : 1));
      const found = metrics.mcnemar(first, second, labels, { exact: true });
      expect(found).toMatchObject({ firstOnly: k, secondOnly: n - k });
      expect(found.pValue / p).toBeCloseTo(1, 9);
    }
    // 10 against 30 of 40: (20 - 1)^2 / 40.
    const labels = new Array<number>(40).fill(0);
    const result = metrics.mcnemar(
      labels.map((_, i) => (i < 10 ? 0 : 1)),
      labels.map((_, i) => (i < 10 ? 1 : 0)),
      labels,
    );
    expect(result.statistic).toBeCloseTo(361 / 40, 12);
    expect(result.pValue).toBeCloseTo(erfc(Math.sqrt(361 / 80)), 12);
    expect(metrics.mcnemar([1], [1], [1]).pValue).toBe(1);
  });

  it('bootstrap intervals of a mean agree with the theory, and repeat with the seed', () => {
    const values = Float64Array.from({ length: 400 }, (_, i) => ((i * 7919) % 401) / 401);
    const average = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    for (const method of ['percentile', 'bca'] as const) {
      const found = metrics.bootstrap((pick) => average(pick(values)), 400, { method, seed: 3 });
      const error = Math.sqrt(values.reduce((sum, v) => sum + (v - found.value) ** 2, 0) / 400 / 400);
      expect(found.standardError / error).toBeCloseTo(1, 0.9);
      expect(Math.abs(found.low - (found.value - 1.96 * error))).toBeLessThan(0.35 * error);
      expect(Math.abs(found.high - (found.value + 1.96 * error))).toBeLessThan(0.35 * error);
      expect(metrics.bootstrap((pick) => average(pick(values)), 400, { method, seed: 3 })).toEqual(found);
      expect(metrics.bootstrap((pick) => average(pick(values)), 400, { method, seed: 4 })).not.toEqual(found);
    }
  });

  it('BCa follows a skewed figure, which the percentile interval does not', () => {
    const skewed = Float64Array.from({ length: 60 }, (_, i) => Math.exp(3 * Math.sin(i * 12.9898) ** 2));
    const variance = (list: readonly number[]) => {
      const middle = list.reduce((a, b) => a + b, 0) / list.length;
      return list.reduce((sum, v) => sum + (v - middle) ** 2, 0) / list.length;
    };
    const [plain, corrected] = (['percentile', 'bca'] as const).map((method) =>
      metrics.bootstrap((pick) => variance(pick(skewed)), 60, { method }),
    );
    // The plug-in variance is biased low, so the corrected interval lies higher.
    expect(corrected!.low).toBeGreaterThan(plain!.low);
    expect(corrected!.high).toBeGreaterThan(plain!.high);
  });

  it('paired bootstrap tells a better model', () => {
    const labels = Array.from({ length: 200 }, (_, i) => i % 2);
    const good = labels.map((label, i) => (i % 10 === 0 ? 1 - label : label));
    const poor = labels.map((label, i) => (i % 4 === 0 ? 1 - label : label));
    const figure = (predictions: number[]) => (pick: metrics.Pick) => metrics.accuracy(pick(predictions), pick(labels));
    const better = metrics.pairedBootstrap(figure(good), figure(poor), 200, { seed: 1 });
    expect(better.difference).toBeCloseTo(0.15, 10);
    expect(better.pValue).toBeLessThan(0.01);
    expect(better.low).toBeGreaterThan(0);
    expect(metrics.pairedBootstrap(figure(good), figure(good), 200).pValue).toBe(1);
  });

  it('bootstrap refuses what has no samples', () => {
    expect(() => metrics.bootstrap(() => 0, 0)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => metrics.bootstrap(() => Number.NaN, 3)).toThrow(/NaN on every resample/);
    expect(() => metrics.bootstrap((pick) => pick([1, 2])[0]!, 3, { resamples: 2, seed: 1 })).toThrow(/cannot be picked|3 samples/);
    expect(() => metrics.bootstrap(() => 0, 3, { confidence: 1 })).toThrow(RangeError);
  });
});

describe('collect', () => {
  it('names metrics with options, and averages over the classes by default', () => {
    expect(metrics.collect('f1').compute(Float64Array.from(e.p4), Float64Array.from(e.t4))).toEqual(near(e.f1.macro));
    const weighted = metrics.collect('f1', { average: 'weighted', as: 'weighted F1' });
    expect(weighted).toMatchObject({ name: 'weighted F1', takes: 'classes' });
    expect(weighted.compute(Float64Array.from(e.p4), Float64Array.from(e.t4))).toEqual(near(e.f1.weighted));
    expect(metrics.collect('rocAuc').compute(e.prob3, e.t3)).toEqual(near(e.rocAuc3[0]));
    expect(() => metrics.collect('rocAux' as 'rocAuc')).toThrow(/did you mean "rocAuc"/);
  });
});
