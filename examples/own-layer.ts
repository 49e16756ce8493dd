// A layer of your own: its parameters are found by walking its fields. Argument: number of steps.
import { compile, losses, nn, normal, optim, type Tensor } from 'pollux';

const [steps = 20] = process.argv.slice(2).map(Number);

class Residual extends nn.Module {
  first = new nn.Conv2d(64, 64, 3, { padding: 'same' });
  norm = new nn.BatchNorm(64);
  forward(x: Tensor) {
    return nn.relu(this.norm.forward(this.first.forward(x))).add(x);
  }
}

const model = new nn.Sequential(new nn.Conv2d(1, 64, 3), new Residual(), new Residual(), nn.flatten, new nn.Linear(64 * 6 * 6, 2));
console.log([...model.parameters().keys()]); // '0.weight', '0.bias', '1.first.weight', ...

const optimizer = optim.sgd({ learningRate: 1e-2, momentum: 0.9 }).for(model);
const step = compile({ state: [model, optimizer] }, () => {
  const images = normal([8, 8, 8, 1]);
  const bright = images.mean([1, 2, 3]).greater(0).cast('int32');
  const loss = losses.crossEntropy(model.forward(images), bright);
  optimizer.minimize(loss);
  return loss;
});
for (let i = 0; i < steps; i++) console.log((await step()).item());
