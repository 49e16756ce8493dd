import { describe, expect, it } from 'vitest';
import { Accuracy, ConfusionMatrix, RunningMean, accuracy, classificationReport } from '../../src/metrics/index.js';

const labels = [0, 1, 2, 2, 2, 1, 0, 0, 3, 1, 2, 2];
const predictions = [0, 2, 2, 2, 1, 1, 0, 2, 2, 1, 2, 0];

describe('accuracy', () => {
  it('streams to the value of the whole', () => {
    expect(accuracy(predictions, labels)).toBe(7 / 12);
    const streamed = new Accuracy();
    streamed.update(predictions.slice(0, 5), Int32Array.from(labels.slice(0, 5)));
    streamed.update(BigInt64Array.from(predictions.slice(5).map(BigInt)), Uint8Array.from(labels.slice(5)));
    expect(streamed.value).toBe(7 / 12);
    streamed.reset();
    expect(() => streamed.value).toThrow(/nothing was added/);
  });

  it('refuses what cannot be compared', () => {
    expect(() => accuracy([], [])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => accuracy([1], [1, 2])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(() => accuracy([0.9], [1])).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
  });
});

describe('RunningMean', () => {
  it('weights its values', () => {
    expect(new RunningMean().update(1, 128).update(4, 64).value).toBe(2);
    expect(() => new RunningMean().value).toThrow(/nothing was added/);
    expect(() => new RunningMean().update(1, 0)).toThrow(RangeError);
  });
});

describe('ConfusionMatrix', () => {
  it('counts true classes in rows', () => {
    const matrix = new ConfusionMatrix(4).update(predictions.slice(0, 6), labels.slice(0, 6)).update(predictions.slice(6), labels.slice(6));
    expect([...matrix.counts]).toEqual([2, 0, 1, 0, 0, 2, 1, 0, 1, 1, 3, 0, 0, 0, 1, 0]);
    expect([matrix.count(2, 1), matrix.total, matrix.accuracy]).toEqual([1, 12, 7 / 12]);
    expect(matrix.toString().split('\n')).toEqual([
      'true \\ predicted    0    1    2    3',
      '               0    2    0    1    0',
      '               1    0    2    1    0',
      '               2    1    1    3    0',
      '               3    0    0    1    0',
    ]);
  });

  it('adds nothing of a batch with a bad label', () => {
    const matrix = new ConfusionMatrix(3);
    expect(() => matrix.update([0, 1, 2], [0, 1, 3])).toThrow(/label 2 is 3; classes are whole numbers from 0 to 2/);
    expect(() => matrix.update([0, -1], [0, 1])).toThrow(/prediction 1 is -1/);
    expect(matrix.total).toBe(0);
    expect(() => matrix.report()).toThrow(/nothing was added/);
    expect(() => new ConfusionMatrix(0)).toThrow(RangeError);
  });
});

describe('classification report', () => {
  // Expected values and text: sklearn.metrics.classification_report(labels, predictions, digits=4, zero_division=0).
  it('has the values of scikit-learn', () => {
    const { classes, micro, macro, weighted } = classificationReport(predictions, labels, 4);
    expect(classes.map(({ support }) => support)).toEqual([3, 3, 5, 1]);
    expect(classes[2]!.f1).toBeCloseTo(0.54545455, 8);
    expect(classes[3]).toEqual({ precision: 0, recall: 0, f1: 0, support: 1 });
    expect(micro.f1).toBeCloseTo(7 / 12, 15);
    expect([macro.precision, macro.recall, macro.f1]).toEqual(
      [0.4583333333333333, 0.4833333333333333, 0.46969696969696967].map((v) => expect.closeTo(v, 14)),
    );
    expect([weighted.precision, weighted.recall, weighted.f1]).toEqual(
      [0.5416666666666666, 0.5833333333333334, 0.5606060606060606].map((v) => expect.closeTo(v, 14)),
    );
  });

  it('prints as scikit-learn', () => {
    expect(classificationReport(predictions, labels, 4).toString()).toBe(
      '              precision    recall  f1-score   support\n\n' +
        '           0     0.6667    0.6667    0.6667         3\n           1     0.6667    0.6667    0.6667         3\n' +
        '           2     0.5000    0.6000    0.5455         5\n           3     0.0000    0.0000    0.0000         1\n\n' +
        '    accuracy                         0.5833        12\n   macro avg     0.4583    0.4833    0.4697        12\n' +
        'weighted avg     0.5417    0.5833    0.5606        12',
    );
    expect(classificationReport([0, 1], [0, 1], 2, ['a rather long name', 'b']).toString()).toContain('a rather long name     1.0000');
    expect(() => classificationReport([0], [0], 2, ['a'])).toThrow(/1 names for 2 classes/);
  });
});
