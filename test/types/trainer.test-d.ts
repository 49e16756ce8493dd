import {
  ArrayDataset,
  type Callback,
  callbacks,
  crossValidate,
  DataLoader,
  losses,
  metrics,
  nn,
  optim,
  type Tensor,
  Trainer,
} from 'pollux';

const xy = new ArrayDataset({ x: { data: new Float32Array(4), shape: [2, 2] }, y: { data: new Int32Array(2), shape: [2] } });
const texts = new ArrayDataset({
  ids: { data: new Int32Array(4), shape: [2, 2] },
  mask: { data: new Float32Array(4), shape: [2, 2] },
  labels: { data: new Int32Array(2), shape: [2] },
});
const optimizer = optim.adam();

// By default x and y.
const plain = new Trainer(new nn.Linear(2, 2), { loss: losses.crossEntropy, optimizer, metrics: ['accuracy', 'top5Accuracy', 'f1'] });
plain.fit(xy, { epochs: 1, validation: xy });
plain.fit(new DataLoader(xy), { epochs: 1 });
plain.fit([xy.get([0])], { maxSteps: 1 });
plain.fit(
  async function* () {
    yield xy.get([0]);
  },
  { epochs: 1, stepsPerEpoch: 1 },
);
// @ts-expect-error the data have no x and no y
plain.fit(texts, { epochs: 1 });
// @ts-expect-error nor has the validation
plain.fit(xy, { epochs: 1, validation: texts });
// @ts-expect-error a batch without y
plain.fit([{ x: xy.get([0]).x }], { epochs: 1 });
// @ts-expect-error an unknown option
plain.fit(xy, { epoch: 1 });
// @ts-expect-error no such metric
new Trainer(new nn.Linear(2, 2), { loss: losses.crossEntropy, optimizer, metrics: ['acuracy'] });

// Named fields.
class Encoder extends nn.Module {
  first = new nn.Linear(2, 2);
  forward(ids: Tensor, mask: Tensor): Tensor {
    return this.first.forward(ids.cast('float32').mul(mask));
  }
}
const named = new Trainer(new Encoder(), { loss: losses.crossEntropy, optimizer, inputs: ['ids', 'mask'], target: 'labels' });
named.fit(texts, { epochs: 1 });
named.predict({ ids: texts.get([0]).ids, mask: texts.get([0]).mask });
// @ts-expect-error the data have no ids
named.fit(xy, { epochs: 1 });
const model: Encoder = named.model;

// A step of the caller's own: the batch's type is what the data must have, the model keeps its class.
const own = new Trainer(new Encoder(), {
  optimizer,
  step: (encoder, batch: { ids: Tensor; labels: Tensor }) => {
    const linear: nn.Linear = encoder.first;
    const output = encoder.forward(batch.ids, batch.ids);
    return { loss: losses.crossEntropy(output, batch.labels), output, figures: { size: linear.weight.square().sum() } };
  },
});
own.fit(texts, { epochs: 1 });
// @ts-expect-error the data have no labels
own.evaluate(xy);
// @ts-expect-error either a loss or a step
new Trainer(new nn.Linear(2, 2), { optimizer });
// @ts-expect-error not both
new Trainer(new nn.Linear(2, 2), { optimizer, loss: losses.crossEntropy, step: () => ({ loss: losses.crossEntropy }) });
// @ts-expect-error a step returns its loss
new Trainer(new nn.Linear(2, 2), { optimizer, step: () => ({ output: 1 }) });

// Callbacks, metrics with options, folds.
const callback: Callback = {
  onEpochEnd: ({ validation }, { stop }) => (validation && validation.loss < 0.1 ? stop('good enough') : undefined),
};
plain.fit(xy, { epochs: 1, callbacks: [callback, callbacks.earlyStopping({ monitor: 'validation.loss' })] });
metrics.collect('f1', { average: 'weighted' });
metrics.collect('expectedCalibrationError', { bins: 10 });
// @ts-expect-error not an option of f1
metrics.collect('f1', { bins: 10 });
// @ts-expect-error fBeta needs its beta
metrics.fBeta([0], [0], {});
const each: Map<number, number> = metrics.f1([0], [0], { average: 'none' });
const one: number = metrics.f1([0], [0], { average: 'macro' });
crossValidate(() => plain, xy, { folds: 2, epochs: 1 });
// @ts-expect-error the folds have no x
crossValidate(() => plain, texts, { folds: 2, epochs: 1 });

export { each, model, one };
