// Lazy tensors, gradients, and a training loop of your own, compiled into one plan. Argument: number of steps.
import { compile, DataLoader, datasets, grad, losses, nn, optim, type Tensor, tensor } from 'pollux';

const [steps = 200] = process.argv.slice(2).map(Number);

const a = tensor([
  [1, 2],
  [3, 4],
]); // Tensor<readonly [2, 2], 'float32'>: the shape is in the type
const b = a.matmul(a.transpose()).add(1).relu(); // lazy: builds a graph
console.log(await b.toArray()); // runs off the main thread: [[6, 12], [12, 26]]
const slope = grad((x: typeof a) => x.square().sum())(a); // a gradient is a graph too: grad(grad(f)) works
console.log(await slope.toArray()); // [[2, 4], [6, 8]]

const { train } = await datasets.mnist();
const loader = new DataLoader(train.take(steps * 128), { batchSize: 128, shuffle: true });
const model = new nn.Sequential(nn.flatten, new nn.Linear(784, 128), nn.relu, new nn.Linear(128, 10));
const optimizer = optim.adamW({ learningRate: 1e-3 }).for(model);

// One plan: forward, backward, clip, update, metric.
const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
  const loss = losses.crossEntropy(model.forward(x), y);
  optimizer.minimize(loss);
  return { loss };
});
for await (const { x, y } of loader) {
  const { loss } = await step(x, y); // tensors or { data, shape, dtype? } in, a tree of tensors out; the event loop is free
  console.log(loss.item()); // small results travel with the completion: no wait, nothing to dispose
}
console.log(step.explain()); // steps, fusions, bytes, FLOPs, frozen numbers, arena
