// MNIST: a convolution and 10 softmax outputs. The softmax lies in the loss, which takes logits.
// Arguments: epochs, number of training images.
import { datasets, losses, nn, optim, Trainer } from 'pollux';

const [epochs = 5, images = 60_000] = process.argv.slice(2).map(Number);
const { train, test } = await datasets.mnist();

const model = new nn.Sequential(new nn.Conv2d(1, 32, 3), nn.relu, nn.maxPool2d(2), nn.flatten, new nn.Linear(13 * 13 * 32, 10));

const trainer = new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.adam(), metrics: ['accuracy'] });
await trainer.fit(train.take(images), { epochs, batchSize: 128, validation: test, progress: true });
const { loss, accuracy } = await trainer.evaluate(test);
console.log(`Test loss: ${loss}\nTest accuracy: ${accuracy}`);
