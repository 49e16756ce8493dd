import { compile, losses, nn, optim, tensor } from 'pollux';

/** The name and version of what is measured. */
export const title = `pollux${process.env.POLLUX_LEVEL ? `, ${process.env.POLLUX_LEVEL}` : ''}`;

/** A training step of the workload `mnist-cnn` on a batch of 128 that stays the same. Resolves to the loss. */
export function mnistCnn(): () => Promise<number> {
  const batch = 128;
  const data = Float32Array.from({ length: batch * 784 }, (_, i) => ((i * 2654435761) % 2 ** 32) / 2 ** 32);
  const x = tensor({ data, shape: [batch, 28, 28, 1] });
  const y = tensor({ data: Int32Array.from({ length: batch }, (_, i) => i % 10), shape: [batch], dtype: 'int32' });
  const model = new nn.Sequential(
    new nn.Conv2d(1, 32, 3),
    nn.relu,
    nn.maxPool2d(2),
    nn.flatten,
    new nn.Linear(32 * 13 * 13, 64),
    nn.relu,
    new nn.Linear(64, 10),
  );
  const optimizer = optim.adam({ learningRate: 1e-3 }).for(model);
  const step = compile({ state: [model, optimizer] }, (images: typeof x, labels: typeof y) => {
    const loss = losses.crossEntropy(model.forward(images), labels);
    optimizer.minimize(loss);
    return { loss };
  });
  return async () => (await step(x, y)).loss.item();
}
