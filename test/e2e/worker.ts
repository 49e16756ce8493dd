// A thread that trains on its own until it is told to stop, and tells a digest of its weights. Its data: { steps, seed }.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { compile, losses, nn, optim, seed, type Tensor } from '../../src/index.js';

const { steps, seed: number } = workerData as { steps: number; seed: number };
seed(number);
const model = new nn.Sequential(new nn.Linear(64, 256), nn.relu, new nn.Dropout(0.2), new nn.Linear(256, 10));
const optimizer = optim.adam().for(model);
const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
  const loss = losses.crossEntropy(model.forward(x), y);
  void optimizer.minimize(loss);
  return { loss };
});
const x = { data: Float32Array.from({ length: 64 * 128 }, (_, i) => Math.sin(i)), shape: [128, 64] };
const y = { data: Int32Array.from({ length: 128 }, (_, i) => i % 10), shape: [128] };
for (let i = 0; i < steps; i++) {
  await step(x, y);
  if (i === 2) parentPort!.postMessage('training');
}
const hash = createHash('sha256');
for (const { data } of (await model.snapshot()).values()) hash.update(data);
parentPort!.postMessage(hash.digest('hex'));
