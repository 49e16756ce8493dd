// MNIST in the functional style: a module whose forward names each step.
// Arguments: epochs, number of training images.
import { datasets, losses, nn, optim, type Tensor, Trainer } from 'pollux';

const [epochs = 5, images = 60_000] = process.argv.slice(2).map(Number);
const { train, test } = await datasets.mnist();

class Network extends nn.Module {
  conv = new nn.Conv2d(1, 32, 3);
  dense = new nn.Linear(13 * 13 * 32, 64);
  outputs = new nn.Linear(64, 10);

  forward(inputs: Tensor) {
    const features = nn.relu(this.conv.forward(inputs));
    const pooled = nn.maxPool2d(2)(features);
    const hidden = nn.relu(this.dense.forward(nn.flatten(pooled)));
    return this.outputs.forward(hidden);
  }
}
const model = new Network();

const trainer = new Trainer(model, { loss: losses.crossEntropy, optimizer: optim.adam(), metrics: ['accuracy'] });
await trainer.fit(train.take(images), { epochs, batchSize: 128, validation: test, progress: true });
const { loss, accuracy } = await trainer.evaluate(test);
console.log(`Test loss: ${loss}\nTest accuracy: ${accuracy}`);
