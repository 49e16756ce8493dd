// Ten lines to a trained network. Arguments: epochs, number of training images.
import { datasets, losses, nn, optim, Trainer } from 'pollux';

const [epochs = 5, images = 60_000] = process.argv.slice(2).map(Number);

const { train, test } = await datasets.mnist(); // Dataset<{ x: [28, 28, 1], y: class }>
const model = new nn.Sequential(
  new nn.Conv2d(1, 32, 3),
  nn.relu,
  nn.maxPool2d(2),
  nn.flatten,
  new nn.Linear(32 * 13 * 13, 64),
  nn.relu,
  new nn.Linear(64, 10),
);
const trainer = new Trainer(model, {
  loss: losses.crossEntropy,
  optimizer: optim.adamW({ learningRate: 1e-3 }),
  metrics: ['accuracy'],
}); // device: 'auto', precision: 'auto'
await trainer.fit(train.take(images), { epochs, batchSize: 128, validation: test }); // progress bar on a terminal
console.log(await trainer.evaluate(test)); // { loss, accuracy }
await model.save('mnist.safetensors');
