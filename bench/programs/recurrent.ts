import { compile, losses, nn, optim, type Tensor, tensor } from 'pollux';
import { serve } from '../serve.js';
import { title } from './model.js';

const [batch, length, size, units, words, classes] = [32, 100, 128, 256, 5000, 5];

class Classifier extends nn.Module {
  readonly embedding = new nn.Embedding(words, size);
  readonly lstm = new nn.LSTM(size, units);
  readonly head = new nn.Linear(units, classes);

  forward(ids: Tensor): Tensor {
    const { last } = this.lstm.forward(this.embedding.forward(ids) as Tensor);
    return this.head.forward(last as Tensor);
  }
}

await serve((_, precision) => {
  if (precision !== 'float32') throw new Error(`recurrent does not run in ${precision} yet`);
  const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * 2654435761) % words);
  const x = tensor({ data: ids, shape: [batch, length] });
  const y = tensor({ data: Int32Array.from({ length: batch }, (_, i) => i % classes), shape: [batch] });
  const model = new Classifier();
  const optimizer = optim.adam({ learningRate: 1e-3 }).for(model);
  const step = compile({ state: [model, optimizer] }, (inputs: Tensor, labels: Tensor) => {
    const loss = losses.crossEntropy(model.forward(inputs), labels);
    optimizer.minimize(loss);
    return { loss };
  });
  let loss = Number.NaN;
  return {
    title,
    step: async () => {
      loss = await (await step(x, y)).loss.item();
    },
    result: () => loss,
  };
});
