// Trains a small network with everything in play that could break a resume: dropout, batch norm, augmentation, shuffling, a schedule.
// Writes a line for each step, and at the end a digest of the weights and of the optimizer's state.
// Arguments: FOLDER EPOCHS EVERY [resume]
import { createHash } from 'node:crypto';
import { ArrayDataset, augment, losses, nn, optim, seed, Trainer, transforms } from '../../src/index.js';

const [folder, epochs, every, resume] = process.argv.slice(2);
seed(11);
const count = 96;
const images = Float32Array.from({ length: count * 64 }, (_, i) => Math.sin(i * 0.37) + Math.cos(i * 0.011));
const data = augment(
  new ArrayDataset({
    x: { data: images, shape: [count, 8, 8, 1] },
    y: { data: Int32Array.from({ length: count }, (_, i) => (i * 7) % 4), shape: [count] },
  }),
  'x',
  transforms.randomShift(1),
);
const model = new nn.Sequential(
  new nn.Conv2d(1, 8, 3, { padding: 'same' }),
  new nn.BatchNorm(8),
  nn.relu,
  nn.maxPool2d(2),
  nn.flatten,
  new nn.Dropout(0.3),
  new nn.Linear(128, 4),
);
const steps = Number(epochs) * Math.ceil(count / 16);
const trainer = new Trainer(model, {
  loss: losses.crossEntropy,
  optimizer: optim.adamW({ learningRate: optim.schedules.oneCycle({ peak: 0.02, total: steps }), clipNorm: 1 }),
  metrics: ['accuracy'],
});
const run = trainer.fit(data, {
  epochs: Number(epochs),
  batchSize: 16,
  seed: 5,
  validation: data,
  checkpoint: folder === '-' ? undefined : { folder: folder!, every: Number(every), keep: 2 },
  resume: resume === 'resume',
});
for await (const event of run) {
  if (event.type === 'step') console.log(`step ${event.step} ${event.loss}`);
  else if (event.type === 'resume') console.log(`resumed ${event.step}`);
}
const history = await run;
const hash = createHash('sha256');
for (const owner of [model, trainer.optimizer]) for (const { data: numbers } of (await owner.snapshot()).values()) hash.update(numbers);
const figures = history.epochs.map(({ figures, validation }) => ({ figures, validation }));
console.log(`done ${history.steps} ${hash.digest('hex')} ${createHash('sha256').update(JSON.stringify(figures)).digest('hex')}`);
